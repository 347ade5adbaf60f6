"""How large a reproduction is: the same for every search, so that all see equally many training images."""

from __future__ import annotations

from dataclasses import dataclass

from nax_bo.accuracy.fidelity import DEFAULT_LADDER, LADDER, Recipe
from nax_bo.errors import InputError


@dataclass(frozen=True, slots=True)
class Scale:
    """A budget.

    Attributes:
        name: For the command line.
        data: Data set; empty if it has to be given.
        designs: Every search may see as many training images as so many full evaluations take; cheaper looks leave room
            for more designs.
        finalists: Designs of each search that are trained in full at its end, where they have not been.
        looks: Full evaluations of each design that is compared, with seeds of their own; on small test sets each holds
            three trainings.
    """

    name: str
    data: str
    designs: int
    finalists: int
    looks: int


SCALES = {
    s.name: s
    for s in (
        Scale("small", "cluttered-digits", designs=20, finalists=3, looks=2),
        Scale("paper", "", designs=200, finalists=16, looks=5),
    )
}


def scale(name: str) -> Scale:
    """The scale called ``name``; raises InputError if there is none."""
    try:
        return SCALES[name]
    except KeyError:
        raise InputError(f"there is no scale {name!r}", f"Use {' or '.join(SCALES)}.") from None


def images_seen(images: int, batch: int, recipe: Recipe) -> int:
    """Training images that one training sees, for ``images`` of them in batches of ``batch``."""
    steps = max(1, recipe.least_steps, round(recipe.epochs * -(-images // batch)))
    return steps * min(batch, images)


LOOKS = {name: LADDER[name] for name in DEFAULT_LADDER}
"""Rungs whose images count."""
