"""List image files and their labels, in an order that does not depend on the file system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.images import SUFFIXES
from nax_bo.accuracy.data.sampling import stratified_choice
from nax_bo.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelledFiles:
    """Image files and the class number of each."""

    files: tuple[Path, ...]
    labels: NDArray[np.int64]

    @classmethod
    def of_classes(cls, per_class: Sequence[Sequence[Path]]) -> LabelledFiles:
        """The files of class 0, then of class 1, and so on."""
        labels = np.repeat(np.arange(len(per_class), dtype=np.int64), [len(files) for files in per_class])
        return cls(tuple(file for files in per_class for file in files), labels)

    def taken(self, indices: NDArray[np.int64]) -> LabelledFiles:
        """Those at ``indices``."""
        return LabelledFiles(tuple(self.files[i] for i in indices), self.labels[indices])

    def limited(self, limit: int | None, seed: int) -> LabelledFiles:
        """At most ``limit`` of them, stratified."""
        if limit is None or limit >= len(self.files):
            return self
        return self.taken(stratified_choice(self.labels, limit, seed))


def visible(folder: Path) -> list[Path]:
    """What lies in ``folder``, sorted by name, without hidden entries. Raises DataError when it cannot be listed."""
    try:
        return sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
    except OSError as error:
        raise DataError(
            f"cannot list '{folder}': {error.strerror or error}", "give a folder that exists and may be read"
        ) from error


def image_files(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, by their suffix, sorted by name."""
    return [p for p in visible(folder) if p.suffix.lower() in SUFFIXES and p.is_file()]
