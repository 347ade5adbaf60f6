"""Recipes by name: how networks of a kind learn, on whatever rung of the ladder.

A recipe is ``NAME`` or ``NAME,key=value,...``; keys are the fields of :class:`~nax_bo.accuracy.fidelity.Recipe`::

    auto        cifar-cnn,epochs=60        vit,learning_rate=0.001,flip=true        digits,optimiser=sgd

``epochs`` and ``least_steps`` are those of a full training; cheaper rungs keep their share of them. Three more keys
change the ladder itself (:func:`rungs`): ``steps``, the exact number of batches of a full training, ``short_steps``,
that of a short one, and ``trainings``, the networks that a full look trains, however many test images there are.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from nax_bo.accuracy.fidelity import FULL, LADDER, SHORT, Fidelity, Recipe
from nax_bo.errors import InputError
from nax_bo.network import NetworkSpec
from nax_bo.network.spec import Shape

AUTO = "auto"

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "digits": {},
    "cifar-cnn": {"learning_rate": 0.02, "flip": True},
    "vit": {"learning_rate": 0.003, "momentum": 0.9, "variance_memory": 0.98},
}
"""What each changes in the recipes of the ladder, which were made for small convolutional networks on digits.

``vit``: without batch normalisation a peak of 0.05 ruins transformers (3 layers of 32 channels on digits, 280 steps,
8-bit SRAM: 35 %, with this recipe 82 %). ``cifar-cnn``: colour images have a left and a right that do not matter.
"""

_SCALED = ("epochs", "least_steps")
_LENGTHS = ("steps", "short_steps", "trainings")
"""Keys that change the ladder instead of a field of the recipe."""

_SMALL_IMAGE = 16

_READERS: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}
_Check = Callable[[Any], bool]
_RANGES: Mapping[str, tuple[_Check, str]] = {
    "epochs": (lambda v: 0 < v < math.inf, "a positive number"),
    "learning_rate": (lambda v: 0 < v < math.inf, "a positive number"),
    "momentum": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "variance_memory": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "label_smoothing": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "least_steps": (lambda v: v >= 0, "a whole number"),
    "calibration_vectors": (lambda v: v >= 1, "a whole number, at least 1"),
    "weight_decay": (lambda v: 0 <= v < math.inf, "a number, at least 0"),
    "warm_up": (lambda v: 0 < v < 1, "a share between 0 and 1"),
    "flip": (lambda v: True, "true or false"),
    "crop": (lambda v: v >= 0, "a whole number of pixels"),
    "optimiser": (lambda v: v in ("adamw", "sgd"), "adamw or sgd"),
    **dict.fromkeys(_LENGTHS, (lambda v: v >= 1, "a whole number, at least 1")),
}


GENTLE = 0.1
"""Of the learning rate, where a training begins with weights that are good already."""


def recipe(spec: str, rung: Recipe, network: NetworkSpec, *, gently: bool = False) -> Recipe:
    """The recipe of a rung as ``spec`` changes it; ``auto`` chooses by the network.

    Args:
        spec: The specification.
        rung: The rung's recipe.
        network: What learns.
        gently: Learn at :data:`GENTLE` of the rate, unless ``spec`` gives one.

    Raises:
        InputError: Unknown name or key, or a value out of range.
    """
    name, changes = parse_recipe(spec)
    if name == AUTO:
        name = preset_for(network)
    out = replace(rung, **PRESETS[name])
    if gently:
        out = replace(out, learning_rate=GENTLE * out.learning_rate)
    for key, value in changes.items():
        if key not in _LENGTHS:
            changed: Any = _on_rung(key, value, rung) if key in _SCALED else value
            out = replace(out, **{key: changed})
    exact = _exact_steps(changes).get(rung)
    return out if exact is None else replace(out, epochs=0.0, least_steps=exact)


def _exact_steps(changes: Mapping[str, Any]) -> dict[Recipe, int]:
    """Batches by recipe of a rung, where the changes say so; a short look keeps its share of ``steps``."""
    exact: dict[Recipe, int] = {}
    if (steps := changes.get("steps")) is not None:
        exact = {FULL.recipe: steps, SHORT.recipe: math.ceil(_on_rung("least_steps", steps, SHORT.recipe))}
    if (steps := changes.get("short_steps")) is not None:
        exact[SHORT.recipe] = steps
    return exact


def rungs(spec: str) -> dict[str, Fidelity]:
    """The ladder as a recipe's ``steps``, ``short_steps`` and ``trainings`` change it, by name of the rung.

    What a short look costs follows from them: its share of a full training's batches, and of how many there are.

    Raises:
        InputError: As :func:`recipe`.
    """
    changes = parse_recipe(spec)[1]
    if not any(key in changes for key in _LENGTHS):
        return dict(LADDER)
    trainings = changes.get("trainings", FULL.trainings)
    exact = _exact_steps(changes)
    short_steps, full_steps = (exact.get(r, r.least_steps) for r in (SHORT.recipe, FULL.recipe))
    share = short_steps / full_steps
    usual = SHORT.recipe.least_steps / FULL.recipe.least_steps
    cost = min(1.0, SHORT.relative_cost * share / usual * FULL.trainings / trainings)
    full = replace(FULL, trainings=trainings, always="trainings" in changes)
    return {**LADDER, SHORT.name: replace(SHORT, relative_cost=cost), FULL.name: full}


def _on_rung(key: str, value: float, rung: Recipe) -> float:
    """A length of a full training on a cheaper rung, which keeps its share."""
    share = float(getattr(rung, key) / getattr(FULL.recipe, key))
    return math.ceil(value * share) if isinstance(value, int) else value * share


def preset_for(network: NetworkSpec) -> str:
    """Transformers learn as ``vit``, networks on colour images of 16 pixels and more as ``cifar-cnn``."""
    if any(layer.is_product and not layer.is_static for layer in network.layers):
        return "vit"
    channels, *sides = _image(network.input_shape)
    return "cifar-cnn" if channels == 3 and min(sides) >= _SMALL_IMAGE else "digits"


def _image(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width


def parse_recipe(spec: str) -> tuple[str, dict[str, Any]]:
    """Name and changes of a specification; raises InputError as :func:`recipe`."""
    name, *options = spec.split(",")
    if name not in (AUTO, *PRESETS):
        raise InputError(f"there is no recipe {name!r}", f"Use one of {', '.join((AUTO, *PRESETS))}.")
    changes: dict[str, Any] = {}
    kinds = {**{f.name: f.type for f in fields(Recipe)}, **dict.fromkeys(_LENGTHS, "int")}
    for option in options:
        key, equals, text = option.partition("=")
        if key not in kinds or not equals:
            near = difflib.get_close_matches(key, kinds, n=1)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise InputError(
                f"a recipe has no {option!r}", f"{guess}Write key=value; keys: {', '.join(kinds)}."
            )
        if key in changes:
            raise InputError(f"{key!r} is given twice in the recipe {spec!r}", "Give it once.")
        changes[key] = _value(key, str(kinds[key]), text)
    return name, changes


def _value(key: str, kind: str, text: str) -> Any:
    check, wanted = _RANGES[key]
    try:
        value = _READERS.get(kind, str)(text)
        right = check(value)
    except (ValueError, KeyError):
        right = False
    if not right:
        raise InputError(f"recipe: {key} = {text!r}", f"Give {wanted}.")
    return value
