"""Studies: settings, records on disk, and the loop that makes them grow."""

from nax_bo.study.config import StudyConfig, config_toml, read_config
from nax_bo.study.loop import Progress
from nax_bo.study.study import Study
from nax_bo.study.trial import Evaluation, Trial

__all__ = ["Evaluation", "Progress", "Study", "StudyConfig", "Trial", "config_toml", "read_config"]
