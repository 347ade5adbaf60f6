"""Decoded images kept between runs, as safetensors files in the user's cache folder.

An entry is keyed by what was asked for and by the names, sizes and modification times of the files, so a
changed data set misses the cache instead of meeting a stale entry. Entries may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nax_bo.cache import cache_folder
from nax_bo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAYOUT = "naxbo-images-1"  # part of every key: change it whenever decoding changes
_log = logging.getLogger(__name__)


def files_key(root: Path, files: Sequence[Path], request: str) -> str:
    """sha256 over ``request`` and the relative names, sizes and mtimes of ``files`` below ``root``."""
    digest = hashlib.sha256(f"{_LAYOUT}\0{request}\0{root.resolve()}".encode())
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise DataError(
                f"cannot read '{file}': {error.strerror}", "check the file's permissions"
            ) from error
        name = os.fsencode(file.relative_to(root))
        digest.update(b"\0" + name + f"\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def read_entry(key: str, n_images: int) -> tuple[NDArray[np.uint8], str] | None:
    """The (pixels, note) kept under ``key``, or None; a damaged entry counts as absent."""
    from safetensors import SafetensorError, safe_open

    file = _entry(key)
    if not file.is_file():
        return None
    try:
        with safe_open(str(file), framework="np") as entry:
            pixels = entry.get_tensor("pixels")
            note = (entry.metadata() or {}).get("note", "")
    except (OSError, ValueError, SafetensorError) as error:
        _log.warning("ignoring the damaged cache entry %s: %s", file, error)
        return None
    return (pixels, note) if pixels.dtype == np.uint8 and len(pixels) == n_images else None


def write_entry(key: str, root: Path, pixels: NDArray[np.uint8], note: str) -> None:
    """Keep ``pixels`` under ``key``; never inside ``root``, the user's data. A full or read-only disk is no error."""
    from safetensors.numpy import save_file

    file = _entry(key)
    if file.resolve().is_relative_to(root.resolve()):
        _log.warning("not caching: the cache folder %s lies inside the data folder %s", file.parent, root)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that a reader in another process never sees half an entry.
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".writing-")
        os.close(handle)
        try:
            save_file({"pixels": pixels}, name, metadata={"note": note})
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    except Exception as error:  # safetensors reports a full disk as an error of its own
        _log.warning("decoded images are not cached in %s: %s", file.parent, error)


def _entry(key: str) -> Path:
    return cache_folder() / "images" / f"{key}.safetensors"
