"""A labelled image data set in memory, ready to train on: the value every loader returns."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.sampling import stratified_choice
from nax_bo.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

_CHUNK_VALUES = 1 << 22  # pixel values per step of statistics and resizing: bounds temporaries to some 100 MB


@dataclass(frozen=True, eq=False)
class DataSet:
    """Training and test images with their labels.

    ``train_images``: N x C x H x W float32, normalised per channel with ``mean`` and ``std``.
    ``train_labels``: N int64 in ``0 .. num_classes - 1``; likewise ``test_images`` and ``test_labels``.
    ``source`` says in words where the data came from and what was done to them (split, resize).
    Raises DataError when shapes, types, labels or values do not fit together.
    """

    name: str
    train_images: Tensor = field(repr=False)
    train_labels: Tensor = field(repr=False)
    test_images: Tensor = field(repr=False)
    test_labels: Tensor = field(repr=False)
    class_names: tuple[str, ...]
    source: str = ""
    mean: tuple[float, ...] = ()
    """Per-channel mean that was subtracted, in the unit of the stored pixels (0 .. 255 for 8-bit images)."""
    std: tuple[float, ...] = ()
    """Per-channel standard deviation that was divided by, same unit as ``mean``."""

    def __post_init__(self) -> None:
        _check_part(self.name, "train", self.train_images, self.train_labels, self.num_classes)
        _check_part(self.name, "test", self.test_images, self.test_labels, self.num_classes)
        train_shape, test_shape = tuple(self.train_images.shape[1:]), tuple(self.test_images.shape[1:])
        if train_shape != test_shape:
            raise DataError(
                f"data set '{self.name}': training images are {train_shape}, test images {test_shape} (C, H, W)",
                "bring both to one shape, e.g. with image_size",
            )

    @property
    def num_classes(self) -> int:
        """Number of classes, whether or not each occurs in the test images."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train_images.shape[1:]
        return int(channels), int(height), int(width)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over images, labels and class names; equal data give equal fingerprints on every machine."""
        digest = hashlib.sha256("\0".join(self.class_names).encode())
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"|{tensor.dtype}{tuple(tensor.shape)}|".encode())
            array = np.ascontiguousarray(tensor.cpu().numpy())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()

    def subset(self, n_train: int | None, n_test: int | None, seed: int = 0) -> DataSet:
        """A stratified random part with ``n_train`` training and ``n_test`` test images (None: all of them).

        Class shares are kept up to rounding; every class keeps an image when the number allows it.
        ``mean`` and ``std`` stay those of the whole set. Raises InputError when more is asked for than there is.
        """
        train = self._chosen("train", self.train_labels, n_train, seed)
        test = self._chosen("test", self.test_labels, n_test, seed)
        note = f"; stratified subset of {len(train)} training and {len(test)} test images (seed {seed})"
        return replace(
            self,
            train_images=self.train_images[train],
            train_labels=self.train_labels[train],
            test_images=self.test_images[test],
            test_labels=self.test_labels[test],
            source=self.source + note,
        )

    def _chosen(self, part: str, labels: Tensor, n: int | None, seed: int) -> NDArray[np.int64]:
        total = len(labels)
        if n is None:
            return np.arange(total, dtype=np.int64)
        if not 1 <= n <= total:
            raise InputError(
                f"data set '{self.name}': a subset of {n} {part} images was asked for",
                f"it holds {total} {part} images: ask for 1 to {total}",
            )
        return stratified_choice(labels.cpu().numpy(), n, seed)


def data_set_from_pixels(
    name: str,
    *,
    train: tuple[NDArray[np.generic], NDArray[np.generic]],
    test: tuple[NDArray[np.generic], NDArray[np.generic]],
    class_names: tuple[str, ...],
    source: str = "",
    image_size: int | None = None,
) -> DataSet:
    """Build a DataSet from raw arrays: the usual last line of a loader.

    ``train`` and ``test``: (pixels, labels) with pixels N x C x H x W, uint8 or floating, and labels N integers.
    Images whose sides differ from ``image_size`` are resized to a square (bilinear, anti-aliased). Each channel
    is then normalised with the mean and standard deviation of the training pixels (1 for a constant channel).
    Raises DataError when the arrays do not describe a data set.
    """
    import torch

    parts = []
    for part, (pixels, labels) in (("train", train), ("test", test)):
        _check_arrays(name, part, pixels, labels)
        resized = pixels if image_size is None else resize_pixels(pixels, image_size)
        parts.append((resized, torch.from_numpy(np.array(labels, dtype=np.int64))))
    mean, std = channel_statistics(parts[0][0])
    (train_pixels, train_labels), (test_pixels, test_labels) = parts
    return DataSet(
        name=name,
        train_images=_normalise(train_pixels, mean, std),
        train_labels=train_labels,
        test_images=_normalise(test_pixels, mean, std),
        test_labels=test_labels,
        class_names=class_names,
        source=source,
        mean=mean,
        std=std,
    )


def channel_statistics(pixels: NDArray[np.generic]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation of each channel; ``pixels``: N x C x H x W.

    A constant channel is given 1. Sums of uint8 pixels are exact integers, so the result does not depend on
    machine or order.
    """
    count = pixels.shape[0] * pixels.shape[2] * pixels.shape[3]
    exact = pixels.dtype == np.uint8
    kind = np.int64 if exact else np.float64
    total = np.zeros(pixels.shape[1], kind)
    squares = np.zeros(pixels.shape[1], kind)
    for part in _chunks(pixels):
        chunk = pixels[part].astype(kind)
        total += chunk.sum(axis=(0, 2, 3))
        squares += np.square(chunk).sum(axis=(0, 2, 3))
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    # Spread below a millionth of the mean is rounding (of the sums, and of float32 pixels): a constant channel.
    std = np.where(std > 1e-6 * np.abs(mean), std, 1.0)
    return tuple(map(float, mean)), tuple(map(float, std))


def _chunks(pixels: NDArray[np.generic]) -> Iterator[slice]:
    step = max(1, _CHUNK_VALUES // pixels[0].size)
    return (slice(start, start + step) for start in range(0, len(pixels), step))


def resize_pixels(pixels: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """Resize N x C x H x W pixels to N x C x size x size (bilinear, anti-aliased), keeping their type."""
    if pixels.shape[2:] == (size, size):
        return pixels
    from torch import from_numpy
    from torch.nn.functional import interpolate

    out = np.empty((*pixels.shape[:2], size, size), pixels.dtype)
    for part in _chunks(pixels):
        chunk = from_numpy(pixels[part].astype(np.float32))
        resized = interpolate(chunk, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
        exact = resized.numpy()
        out[part] = np.rint(exact).clip(0, 255) if pixels.dtype == np.uint8 else exact
    return out


def _normalise(pixels: NDArray[np.generic], mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    import torch

    images = torch.empty(pixels.shape, dtype=torch.float32)
    array, shape = images.numpy(), (1, len(mean), 1, 1)
    shift, scale = (np.array(values, dtype=np.float32).reshape(shape) for values in (mean, std))
    for part in _chunks(pixels):
        np.subtract(pixels[part], shift, out=array[part], dtype=np.float32, casting="same_kind")
        array[part] /= scale
    return images


def _check_arrays(name: str, part: str, pixels: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise DataError(
            f"data set '{name}': {part} pixels have shape {pixels.shape}",
            "give N x C x H x W with at least one image",
        )
    if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
        raise DataError(
            f"data set '{name}': {part} pixels are {pixels.dtype}", "give uint8 or a floating type"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"data set '{name}': {part} labels are {labels.dtype}", "give integer class numbers")


def _check_part(name: str, part: str, images: Tensor, labels: Tensor, num_classes: int) -> None:
    import torch

    where = f"data set '{name}', {part} part"
    if images.dtype != torch.float32 or images.ndim != 4 or images.numel() == 0:
        raise DataError(
            f"{where}: images are {images.dtype} of shape {tuple(images.shape)}",
            "images must be float32, N x C x H x W, and at least one",
        )
    if labels.dtype != torch.int64 or tuple(labels.shape) != (len(images),):
        raise DataError(
            f"{where}: labels are {labels.dtype} of shape {tuple(labels.shape)} for {len(images)} images",
            "give one int64 label per image",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(
            f"{where}: labels run from {low} to {high}, but there are {num_classes} class names",
            f"labels must lie in 0 .. {num_classes - 1}",
        )
    # NaN and infinities survive a sum; float32 values cannot overflow a float64 one; chunks bound its copy.
    step = max(1, _CHUNK_VALUES // images[0].numel())
    sums = (images[i : i + step].sum(dtype=torch.float64) for i in range(0, len(images), step))
    if not all(math.isfinite(float(total)) for total in sums):
        raise DataError(f"{where}: images contain NaN or infinite values", "clean the pixels before loading")
