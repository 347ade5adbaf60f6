"""Tiny ImageNet: 200 classes, 64 x 64 colour, from its published folder layout.

Layout (Stanford CS231n, http://cs231n.stanford.edu/tiny-imagenet-200.zip): ``wnids.txt``,
``train/<wnid>/images/*.JPEG``, ``val/images/*.JPEG`` and ``val/val_annotations.txt`` (file name, wnid and a
box, separated by tabs). The official test images carry no labels; the validation images serve as test set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.images import decode_images
from nax_bo.accuracy.data.listing import LabelledFiles, image_files
from nax_bo.errors import DataError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from nax_bo.accuracy.data.registry import LoadOptions

_SIDE = 64
_DOWNLOAD = "unzip a fresh copy of http://cs231n.stanford.edu/tiny-imagenet-200.zip"


def load_tiny_imagenet(options: LoadOptions) -> DataSet:
    """Tiny ImageNet from ``options.path``, the folder that holds ``wnids.txt`` (or its parent).

    Classes are numbered in the order of ``wnids.txt`` and named by their wnid. Grey files become colour. With
    ``options.train`` or ``options.test`` only the chosen images are decoded; normalisation is that of those.
    Raises InputError without a path, DataError naming what is missing or damaged.
    """
    if options.path is None:
        raise InputError("tiny-imagenet needs the path of your copy", f"tiny-imagenet:PATH; {_DOWNLOAD}")
    path = options.path
    root = path / "tiny-imagenet-200" if (path / "tiny-imagenet-200" / "wnids.txt").is_file() else path
    wnids = tuple(_lines(root / "wnids.txt"))
    if not wnids or len(set(wnids)) != len(wnids):
        raise DataError(
            f"'{root / 'wnids.txt'}' must list each class once, found {len(wnids)} lines", _DOWNLOAD
        )
    parts = []
    wanted = ((_train_files(root, wnids), options.train), (_val_files(root, wnids), options.test))
    for found, limit in wanted:
        chosen = found.limited(limit, options.seed)
        pixels, _ = decode_images(root, chosen.files, image_size=options.image_size or _SIDE, channels=3)
        parts.append((pixels, chosen.labels))
    return data_set_from_pixels(
        "tiny-imagenet",
        train=parts[0],
        test=parts[1],
        class_names=wnids,
        source=f"Tiny ImageNet in {root}; its validation images are the test set",
    )


def _train_files(root: Path, wnids: tuple[str, ...]) -> LabelledFiles:
    per_class = [image_files(root / "train" / wnid / "images") for wnid in wnids]
    for wnid, files in zip(wnids, per_class, strict=True):
        if not files:
            raise DataError(
                f"class '{wnid}' has no images in '{root / 'train' / wnid / 'images'}'", _DOWNLOAD
            )
    return LabelledFiles.of_classes(per_class)


def _val_files(root: Path, wnids: tuple[str, ...]) -> LabelledFiles:
    annotations = root / "val" / "val_annotations.txt"
    number = {wnid: label for label, wnid in enumerate(wnids)}
    present = {file.name: file for file in image_files(root / "val" / "images")}
    files, labels = [], []
    for line, text in enumerate(_lines(annotations), 1):
        name, _, rest = text.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in number:
            raise DataError(
                f"'{annotations}' line {line}: expected 'file<TAB>wnid<TAB>...' with a wnid of wnids.txt, "
                f"found {text[:60]!r}",
                _DOWNLOAD,
            )
        if name not in present:
            raise DataError(
                f"'{annotations}' line {line}: no image '{name}' in '{root / 'val/images'}'", _DOWNLOAD
            )
        files.append(present[name])
        labels.append(number[wnid])
    if not files:
        raise DataError(f"'{annotations}' lists no images", _DOWNLOAD)
    return LabelledFiles(tuple(files), np.array(labels, dtype=np.int64))


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read '{file}' of Tiny ImageNet: {error}", _DOWNLOAD) from error
    return [line for line in text.splitlines() if line.strip()]
