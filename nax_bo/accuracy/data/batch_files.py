"""Read named files out of a folder or a tar archive, in memory: nothing is ever unpacked to disk."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from nax_bo.errors import DataError

_MOST_BYTES = 64 << 20  # twice the largest CIFAR batch: a file that claims more is no batch, and is not read


def read_named_files(path: Path, wanted: frozenset[str], folder_names: tuple[str, ...]) -> dict[str, bytes]:
    """Contents of those of the ``wanted`` base names that lie in ``path``.

    ``path``: a folder (or the parent of a folder called one of ``folder_names``), or a tar archive, plain or
    compressed, in which links, absolute names and names with ``..`` are passed over.
    Raises DataError naming ``path`` when it is missing or cannot be read.
    """
    if path.is_dir():
        return _read_folder(path, wanted, folder_names)
    if path.is_file():
        return _read_tar(path, wanted)
    raise DataError(f"'{path}' does not exist", "give the folder or the .tar.gz of the data set")


def _read_folder(path: Path, wanted: frozenset[str], folder_names: tuple[str, ...]) -> dict[str, bytes]:
    candidates = (path, *(path / name for name in folder_names))
    folder = next((c for c in candidates if any((c / name).is_file() for name in wanted)), path)
    found = {}
    for name in sorted(wanted):
        file = folder / name
        if not file.is_file():
            continue
        try:
            _check_size(file, file.stat().st_size)
            found[name] = file.read_bytes()
        except OSError as error:
            raise DataError(
                f"cannot read '{file}': {error.strerror}", "check the file's permissions"
            ) from error
    return found


def _read_tar(path: Path, wanted: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, mode="r:*") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.name not in wanted or not member.isreg() or name.is_absolute() or ".." in name.parts:
                    continue
                if name.name in found:
                    raise DataError(f"'{path}' holds '{name.name}' twice", "give an archive of one data set")
                _check_size(path / member.name, member.size)
                content = archive.extractfile(member)
                found[name.name] = content.read() if content is not None else b""
    except DataError:
        raise
    except (
        Exception
    ) as error:  # besides TarError, each decompressor raises a kind of its own on damaged input
        raise DataError(
            f"'{path}' is not a readable tar archive: {error}",
            "expected a folder or a whole .tar / .tar.gz; download it again if it was cut off",
        ) from error
    return found


def _check_size(file: Path, n_bytes: int) -> None:
    if n_bytes > _MOST_BYTES:
        raise DataError(
            f"'{file}' has {n_bytes} bytes, expected at most {_MOST_BYTES}",
            "this is not a batch of the data set",
        )
