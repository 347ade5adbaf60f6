"""Handwritten digits, 8 x 8 grey: small enough to train on in seconds, and there without a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.sampling import stratified_split
from nax_bo.errors import InputError

if TYPE_CHECKING:
    from nax_bo.accuracy.data.registry import LoadOptions

TEST_SHARE = 0.5
"""As in scikit-learn's own example with this set. A fifth is too few images to tell good designs apart."""


def load_digits(options: LoadOptions) -> DataSet:
    """The 1,797 digits that come with scikit-learn: 1 x 8 x 8, values 0 .. 16, ten classes.

    Source: UCI "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998, doi:10.24432/C50P49), of
    which scikit-learn carries the test part. They have no official split; half of each class, drawn with
    ``options.seed``, is the test set. Writers are not kept apart, so accuracies are kinder than the original's.
    """
    if options.path is not None:
        raise InputError(
            f"digits takes no path, but '{options.path}' was given", "for images of your own use folder:PATH"
        )
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels = bunch.images.astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    train, test = stratified_split(labels, TEST_SHARE, options.seed)
    return data_set_from_pixels(
        "digits",
        train=(pixels[train], labels[train]),
        test=(pixels[test], labels[test]),
        class_names=tuple(str(digit) for digit in range(10)),
        source=f"scikit-learn digits; stratified {len(train)}/{len(test)} split (seed {options.seed})",
        image_size=options.image_size,
    )
