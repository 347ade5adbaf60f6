"""A user's own images: one folder per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.images import SUFFIXES, decode_images
from nax_bo.accuracy.data.listing import LabelledFiles, image_files, visible
from nax_bo.accuracy.data.sampling import stratified_split
from nax_bo.errors import DataError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from nax_bo.accuracy.data.registry import LoadOptions

_TEST_FOLDERS = ("val", "validation", "test")
_TEST_SHARE = 0.2
_LAYOUTS = "lay images out as train/<class>/* with val/<class>/* or test/<class>/*, or simply as <class>/*"


def load_folder(options: LoadOptions) -> DataSet:
    """Images under ``options.path``, laid out as ``train/<class>/*`` with ``val|test/<class>/*``, or ``<class>/*``.

    PNG, JPEG, BMP and PPM; hidden entries and other files are passed over. Classes are numbered by sorted name.
    ``val`` (or ``validation``) is preferred to ``test`` as the set that designs are judged on, so that ``test``
    stays unseen. Without either, a fifth of each class, drawn with ``options.seed``, is held out; ``source``
    says so. Images of different sizes are brought to one (see `images.decode_images`).
    With ``options.train`` or ``options.test`` only the chosen images are decoded, and the rest follows from them.
    Raises InputError without a path, DataError naming the folder, class or file that is at fault.
    """
    if options.path is None:
        raise InputError("folder needs the path of your images", f"folder:PATH; {_LAYOUTS}")
    root = options.path
    class_names, train, test, split_note = _listed(root, options.seed)
    train, test = train.limited(options.train, options.seed), test.limited(options.test, options.seed)
    pixels, note = decode_images(root, (*train.files, *test.files), image_size=options.image_size)
    n_train = len(train.files)
    return data_set_from_pixels(
        "folder",
        train=(pixels[:n_train], train.labels),
        test=(pixels[n_train:], test.labels),
        class_names=class_names,
        source="; ".join(text for text in (f"images in {root}", split_note, note) if text),
    )


def _listed(root: Path, seed: int) -> tuple[tuple[str, ...], LabelledFiles, LabelledFiles, str]:
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise DataError(f"'{root}': expected a folder of images, found {found}", _LAYOUTS)
    folders = {p.name: p for p in visible(root) if p.is_dir()}
    held_out = next((folders[name] for name in _TEST_FOLDERS if name in folders), None)
    train_folder = folders.get("train", root)
    if train_folder == root and held_out is not None:
        raise DataError(f"'{root}' has '{held_out.name}' but no 'train' folder beside it", _LAYOUTS)
    class_names = tuple(p.name for p in visible(train_folder) if p.is_dir())
    if len(class_names) < 2:
        raise DataError(
            f"'{train_folder}' holds {len(class_names)} class folders, expected at least 2", _LAYOUTS
        )
    train = _of_classes(train_folder, class_names)
    if held_out is None:
        return class_names, *_split(train_folder, class_names, train, seed)
    unknown = sorted({p.name for p in visible(held_out) if p.is_dir()} - set(class_names))
    if unknown:
        raise DataError(
            f"'{held_out}' has classes that '{train_folder}' lacks: {', '.join(unknown[:5])}",
            "use the same class folders in both",
        )
    return class_names, train, _of_classes(held_out, class_names), f"tested on its '{held_out.name}' folder"


def _split(
    folder: Path, class_names: tuple[str, ...], files: LabelledFiles, seed: int
) -> tuple[LabelledFiles, LabelledFiles, str]:
    for label, name in enumerate(class_names):
        if int((files.labels == label).sum()) < 2:
            raise DataError(
                f"class '{name}' has 1 image in '{folder}', expected at least 2",
                "a class needs one image to train and one to test on",
            )
    train, test = stratified_split(files.labels, _TEST_SHARE, seed)
    note = f"no val or test folder: stratified {len(train)}/{len(test)} split (seed {seed})"
    return files.taken(train), files.taken(test), note


def _of_classes(folder: Path, class_names: tuple[str, ...]) -> LabelledFiles:
    per_class = []
    for name in class_names:
        files = image_files(folder / name) if (folder / name).is_dir() else []
        if not files:
            raise DataError(_emptiness(folder / name), "add images, or remove the class everywhere")
        per_class.append(files)
    return LabelledFiles.of_classes(per_class)


def _emptiness(folder: Path) -> str:
    expected = f"expected images ({', '.join(sorted(SUFFIXES))})"
    if not folder.is_dir():
        return f"class folder '{folder}' is missing: {expected}"
    other = [p.name for p in visible(folder)]
    found = f"found only {', '.join(other[:3])}" if other else "found nothing"
    return f"class '{folder.name}' has no images in '{folder}': {expected}, {found}"
