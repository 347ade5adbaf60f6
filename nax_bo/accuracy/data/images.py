"""Decode image files to 8-bit pixel arrays of one shape."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.cache import files_key, read_entry, write_entry
from nax_bo.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL.Image import Image

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm"])
_FORMATS = ("PNG", "JPEG", "BMP", "PPM")  # decided by content: a renamed file of another kind is refused
_GREY_MODES = frozenset(["1", "L", "LA"])
_COLOUR_MODES = frozenset(["P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
_SMALLEST_SIDE, _LARGEST_SIDE = 8, 64  # bounds of the common size chosen for images of different sizes


@dataclass(frozen=True)
class ImageShape:
    """The shape that all images are brought to."""

    channels: int
    height: int
    width: int


def decode_images(
    root: Path, files: Sequence[Path], *, image_size: int | None = None, channels: int | None = None
) -> tuple[NDArray[np.uint8], str]:
    """Decode ``files`` (all below ``root``) to N x C x H x W uint8, and say in words what was done to them.

    ``channels``: 1 or 3; None gives 1 when every file is grey, else 3. ``image_size``: the shorter side is
    resized to it (bilinear, anti-aliased) and the centre square is kept; None keeps the files' size when
    they share one, else takes the smallest side among them, within 8 .. 64 pixels. Transparency is dropped,
    EXIF orientation is not applied. The result is cached (see `cache`).
    Raises DataError naming the file that cannot be decoded.
    """
    key = files_key(root, files, f"{image_size=} {channels=}")
    kept = read_entry(key, len(files))
    if kept is not None:
        return kept
    shape, note = _common_shape(files, image_size, channels)
    pixels = np.empty((len(files), shape.channels, shape.height, shape.width), np.uint8)
    for row, file in zip(pixels, files, strict=True):
        row[:] = _decode(file, shape)
    write_entry(key, root, pixels, note)
    return pixels, note


def _common_shape(
    files: Sequence[Path], image_size: int | None, channels: int | None
) -> tuple[ImageShape, str]:
    sizes, grey = set(), True
    for file in files:
        with _opened(file) as image:
            sizes.add(image.size)
            grey = grey and image.mode in _GREY_MODES
    depth = channels if channels is not None else (1 if grey else 3)
    if len(sizes) == 1 and image_size is None:
        width, height = sizes.pop()
        return ImageShape(depth, height, width), ""
    side = image_size or min(max(min(map(min, sizes)), _SMALLEST_SIDE), _LARGEST_SIDE)
    why = "" if image_size is not None else ": sizes differ and no image_size was given"
    note = "" if sizes == {(side, side)} else f"resized and cropped to {side} x {side}{why}"
    return ImageShape(depth, side, side), note


def _decode(file: Path, shape: ImageShape) -> NDArray[np.uint8]:
    """C x H x W pixels of one file."""
    with _opened(file) as image:
        plain = image.convert("RGBA") if "transparency" in image.info else image
        fitted = _fitted(plain.convert("L" if shape.channels == 1 else "RGB"), shape)
        array = np.asarray(fitted, dtype=np.uint8)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _fitted(image: Image, shape: ImageShape) -> Image:
    from PIL.Image import Resampling

    if image.size == (shape.width, shape.height):
        return image
    scale = max(shape.width / image.width, shape.height / image.height)
    width, height = shape.width / scale, shape.height / scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (max(left, 0.0), max(top, 0.0), min(left + width, image.width), min(top + height, image.height))
    return image.resize((shape.width, shape.height), Resampling.BILINEAR, box=box)


@contextmanager
def _opened(file: Path) -> Iterator[Image]:
    """The opened image; whatever goes wrong with it becomes a DataError that names ``file``."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=_FORMATS) as image:
                _check_mode(file, image.mode)
                yield image
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every kind on damaged files
        found = f"{type(error).__name__}: {error}"
        raise DataError(
            f"'{file}' cannot be decoded: expected a whole {', '.join(_FORMATS)} image, found {found}",
            "replace or remove the file",
        ) from error


def _check_mode(file: Path, mode: str) -> None:
    if mode not in _GREY_MODES | _COLOUR_MODES:
        raise DataError(
            f"'{file}' has pixels of mode '{mode}', expected 8-bit grey or colour",
            "convert it to 8 bits per channel; other depths would be clipped silently",
        )
