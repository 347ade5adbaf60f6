"""The weights that a study keeps: one file per fully trained design, in a folder beside the study, and which ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nax_bo.accuracy.evaluator import OWN
from nax_bo.accuracy.fidelity import FULL
from nax_bo.errors import InputError
from nax_bo.files import write_whole

if TYPE_CHECKING:
    from nax_bo.accuracy.kept import KeptDesign
    from nax_bo.search import FrontPoint
    from nax_bo.study.config import StudyConfig
    from nax_bo.study.file.trial import Evaluation, Trial
    from nax_bo.study.running.job import JobResult

ENDING = ".weights"
"""Of the folder, after the study's name."""


class WeightsFolder:
    """The folder of one study; it is made when the first file is.

    Args:
        study: The study's file.
    """

    def __init__(self, study: Path) -> None:
        self.path = study.with_name(study.name + ENDING)

    def file(self, number: int) -> Path:
        """Where the weights of a design lie, if they are kept."""
        return self.path / f"design-{number}.safetensors"

    def held(self) -> set[int]:
        """Numbers of the designs whose weights are kept."""
        names = (p.stem.removeprefix("design-") for p in self.path.glob("design-*.safetensors"))
        return {int(name) for name in names if name.isdecimal()}

    def write(self, number: int, content: bytes, most_mb: float) -> str:
        """Keep the weights of a design; returns why not, in words, or nothing.

        The folder does not outgrow ``most_mb``. A training is worth more than its weights: whatever keeps them from
        being written is told, not raised.
        """
        others = sum(self._size(n) for n in self.held() - {number})
        if others + len(content) > most_mb * 1e6:
            size = f"{(others + len(content)) / 1e6:.3g} MB"
            return f"weights of design {number} are not kept: {self.path.name} would hold {size} (--weights-limit)"
        try:
            self.path.mkdir(exist_ok=True)
            write_whole(self.file(number), content)
        except (OSError, InputError) as ex:
            return (
                f"weights of design {number} are not kept: {ex.message if isinstance(ex, InputError) else ex}"
            )
        return ""

    def prune(self, numbers: Collection[int]) -> None:
        """Delete the weights of these designs."""
        for number in self.held().intersection(numbers):
            with suppress(OSError):
                self.file(number).unlink()

    def read(self, number: int, evaluation: Evaluation) -> KeptDesign | None:
        """The kept weights of a full evaluation; None where there are none, or those of something else.

        Files outlive studies: only weights whose chips gave exactly the stored accuracies belong to the evaluation.

        Raises:
            InputError: The file is damaged.
        """
        from nax_bo.accuracy.kept import read_kept

        if not self.file(number).exists():
            return None
        kept = read_kept(self.file(number))
        return kept if list(kept.accuracy.draws) == list(evaluation.outcome.get("draws", ())) else None

    def _size(self, number: int) -> int:
        try:
            return self.file(number).stat().st_size
        except OSError:
            return 0


class WeightsKeeper:
    """Keeps, while a study runs, the weights that its settings ask for.

    Args:
        study: The study's file.
        config: Its settings.
        trials: What is known already.
    """

    def __init__(self, study: Path, config: StudyConfig, trials: Iterable[Trial]) -> None:
        self.folder, self.config = WeightsFolder(study), config
        self.numbers: dict[tuple[int, ...], int] = {}
        for trial in trials:
            self.trained(trial)

    def wanted_mb(self, fidelity: str) -> float:
        """How large the weights may be that a training of ``fidelity`` sends; 0 if it is to send none."""
        config = self.config
        wanted = fidelity == FULL.name and config.keep_weights != "none" and config.accuracy == OWN
        return config.weights_limit_mb if wanted else 0.0

    def keep(self, number: int, result: JobResult) -> list[str]:
        """Write the weights that a training sent; returns what there is to say."""
        why = ""
        if result.weights:
            why = self.folder.write(number, result.weights, self.config.weights_limit_mb)
        elif result.weights_mb:
            why = f"weights of design {number} are not kept: {result.weights_mb:.3g} MB (--weights-limit)"
        return [why] if why else []

    def trained(self, trial: Trial) -> None:
        """Take note of a design, if it is trained in full."""
        if trial.at(FULL.name):
            self.numbers[trial.design.indices] = trial.number

    def forget(self, front: Iterable[FrontPoint]) -> None:
        """Delete the weights of trained designs that are not on the front, if only the front's are kept.

        Files of designs that the study has not trained are left alone: they may be those of another study.
        """
        if self.config.keep_weights == "front":
            on_front = {point.design.indices for point in front}
            self.folder.prune([n for indices, n in self.numbers.items() if indices not in on_front])
