"""Studies: settings, records on disk, and the loop that makes them grow."""

from nax_bo.study.config import StudyConfig, config_toml, read_config
from nax_bo.study.file.trial import Evaluation, Trial
from nax_bo.study.running.growing import Progress
from nax_bo.study.study import Study

__all__ = ["Evaluation", "Progress", "Study", "StudyConfig", "Trial", "config_toml", "read_config"]
