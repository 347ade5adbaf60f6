"""Stratified choices: parts of a labelled set that keep its class shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def class_quotas(counts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Share ``n`` picks among classes in proportion to ``counts`` (largest remainder, ties to the lower class).

    Every non-empty class gets at least one pick when ``n`` is at least the number of non-empty classes.
    Integer arithmetic throughout, so the shares are the same on every machine. Needs ``0 <= n <= counts.sum()``.
    """
    total = int(counts.sum())
    quotas, remainders = np.divmod(counts * n, total)
    order = np.argsort(-remainders, kind="stable")
    quotas[order[: n - int(quotas.sum())]] += 1
    if n >= np.count_nonzero(counts):
        for empty in np.flatnonzero((quotas == 0) & (counts > 0)):
            quotas[np.argmax(quotas)] -= 1
            quotas[empty] = 1
    return quotas


def stratified_choice(labels: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """Sorted indices of ``n`` of the images, drawn without replacement with the class shares of ``labels``."""
    generator = np.random.default_rng(seed)
    quotas = class_quotas(np.bincount(labels), n)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in enumerate(quotas)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def stratified_split(
    labels: NDArray[np.int64], test_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorted (train, test) indices: of each class about ``test_share`` goes to test, at least one to either.

    Every class must hold two images or more.
    """
    generator = np.random.default_rng(seed)
    train, test = [], []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        n_test = min(max(1, round(test_share * len(members))), len(members) - 1)
        test.append(members[:n_test])
        train.append(members[n_test:])
    return np.sort(np.concatenate(train)).astype(np.int64), np.sort(np.concatenate(test)).astype(np.int64)
