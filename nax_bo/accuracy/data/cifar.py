"""CIFAR-10 from its two published layouts: binary batches and python batches.

Layouts: https://www.cs.toronto.edu/~kriz/cifar.html (A. Krizhevsky, "Learning Multiple Layers of Features from
Tiny Images", 2009). Five training batches and one test batch of 10,000 images; 32 x 32 pixels, channel by
channel (red, green, blue), row by row; in a binary record one label byte comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.batch_files import read_named_files
from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.restricted_pickle import RefusedPickle, read_plain_dictionary
from nax_bo.accuracy.data.sampling import stratified_choice
from nax_bo.errors import DataError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from nax_bo.accuracy.data.registry import LoadOptions

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_IMAGES_PER_BATCH = 10_000
_PIXELS = 3 * 32 * 32
_RECORD_BYTES = 1 + _PIXELS
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_BINARY_NAMES = frozenset(f"{name}.bin" for name in _BATCHES)
_PYTHON_NAMES = frozenset(_BATCHES)
_FOLDER_NAMES = ("cifar-10-batches-bin", "cifar-10-batches-py")
_DOWNLOAD = "download it again: https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"


def load_cifar10(options: LoadOptions) -> DataSet:
    """CIFAR-10 from ``options.path``: a folder or tar archive of binary or of python batches.

    Batches are held as uint8 (184 MB) until the images that ``options`` leave are normalised.
    Raises InputError without a path, DataError when a file is missing, cut off or out of range.
    """
    if options.path is None:
        raise InputError(
            "cifar10 needs the path of your copy",
            "cifar10:PATH with a folder or archive from https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        )
    path = options.path
    files = read_named_files(path, _BINARY_NAMES | _PYTHON_NAMES, _FOLDER_NAMES)
    binary = any(name in files for name in _BINARY_NAMES)
    suffix = ".bin" if binary else ""
    missing = sorted(name + suffix for name in _BATCHES if name + suffix not in files)
    if missing:
        raise DataError(
            f"'{path}' lacks {', '.join(missing)} of CIFAR-10 (found: {', '.join(sorted(files)) or 'no batch'})",
            f"give the folder or archive that holds all six batches, or {_DOWNLOAD}",
        )
    read = _read_binary if binary else _read_python
    # pop: each raw batch is released as soon as its pixels are in an array of their own
    batches = [read(path / (name + suffix), files.pop(name + suffix)) for name in _BATCHES]
    layout = "binary" if binary else "python"
    return data_set_from_pixels(
        "cifar10",
        train=_limited(batches[:-1], options.train, options.seed),
        test=_limited(batches[-1:], options.test, options.seed),
        class_names=CLASS_NAMES,
        source=f"CIFAR-10, {layout} batches in {path}",
        image_size=options.image_size,
    )


_Batch = tuple["NDArray[np.uint8]", "NDArray[np.int64]"]


def _limited(batches: list[_Batch], limit: int | None, seed: int) -> _Batch:
    labels = np.concatenate([batch[1] for batch in batches])
    pixels = np.concatenate([batch[0] for batch in batches])
    if limit is None or limit >= len(labels):
        return pixels, labels
    chosen = stratified_choice(labels, limit, seed)
    return pixels[chosen], labels[chosen]


def _read_binary(file: Path, raw: bytes) -> _Batch:
    expected = _IMAGES_PER_BATCH * _RECORD_BYTES
    if len(raw) != expected:
        raise DataError(
            f"'{file}' is cut off or not a CIFAR-10 batch: expected {expected} bytes "
            f"({_IMAGES_PER_BATCH} records of {_RECORD_BYTES}), found {len(raw)}",
            _DOWNLOAD,
        )
    records = np.frombuffer(raw, dtype=np.uint8).reshape(_IMAGES_PER_BATCH, _RECORD_BYTES)
    return _images(records[:, 1:]), _checked_labels(file, records[:, 0].astype(np.int64))


def _read_python(file: Path, raw: bytes) -> _Batch:
    try:
        batch = read_plain_dictionary(raw)
    except RefusedPickle as error:
        raise DataError(
            f"'{file}' is no plain CIFAR-10 batch and was not loaded: it holds {error}",
            f"a batch holds only a dictionary with arrays and lists; do not trust this file, {_DOWNLOAD}",
        ) from error
    pixels = batch.get(b"data", batch.get("data"))
    labels = batch.get(b"labels", batch.get("labels"))
    expected = (_IMAGES_PER_BATCH, _PIXELS)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != expected:
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise DataError(f"'{file}': 'data' must be uint8 {expected}, found {found}", _DOWNLOAD)
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(values, list) or not all(type(label) is int for label in values):
        raise DataError(f"'{file}': 'labels' must be a list of integers", _DOWNLOAD)
    if len(values) != _IMAGES_PER_BATCH:
        raise DataError(f"'{file}': expected {_IMAGES_PER_BATCH} labels, found {len(values)}", _DOWNLOAD)
    return _images(pixels), _checked_labels(file, values)


def _images(flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(flat).reshape(-1, 3, 32, 32)


def _checked_labels(file: Path, labels: NDArray[np.int64] | list[int]) -> NDArray[np.int64]:
    for record, label in enumerate(labels):
        if not 0 <= label < len(CLASS_NAMES):
            raise DataError(
                f"'{file}': record {record} has label {label}, expected 0 .. {len(CLASS_NAMES) - 1}",
                f"the file is damaged or holds another data set; {_DOWNLOAD}",
            )
    return np.array(labels, dtype=np.int64)
