"""The fidelity ladder: how long a network is trained and how often its chip is drawn.

Measured on 150 random designs of the default space on digits (benchmarks/README.md): short ranks them as full does with
Kendall's tau 0.87, the better half with 0.73, at 0.16 to 0.19 of the cost. The three trainings of a full look agree
with 0.87 and 0.69: one short training says as much about a full look as one of its own trainings would about another.
Short accuracy ranks better than the mean probability of the right class, which says more about how far a training has
come, than accuracy without device noise, and than mixtures of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from nax_bo.errors import InputError

MANY_TEST_IMAGES = 2000
"""On fewer, differences between trainings of one design hide those between good designs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: Passes over the training images; may be fractional.
        learning_rate: Peak of the one-cycle schedule: few epochs want a larger one.
        momentum: Memory of AdamW's mean gradient, its first beta.
        variance_memory: Memory of its mean square, the second beta. The usual 0.999 remembers a thousand steps: longer
            than a short training is.
        label_smoothing: Share of the target spread over all classes (Szegedy et al. 2016, arXiv:1512.00567).
        least_steps: Small sets are passed over more often, until so many batches have been learned from.
        calibration_vectors: About so many input vectors of a layer choose its converter's range.
        weight_decay: Decoupled decay of weights (not of biases and normalisations).
        warm_up: Share of the training during which the learning rate rises.
        flip: Whether images are mirrored left to right at random.
        crop: Images are padded with zeros by so many pixels and cropped back at random.
        optimiser: ``"adamw"``, or ``"sgd"`` with Nesterov's momentum.
    """

    epochs: float
    learning_rate: float
    momentum: float = 0.9
    variance_memory: float = 0.999
    label_smoothing: float = 0.0
    least_steps: int = 0
    calibration_vectors: int = 2048
    weight_decay: float = 1e-3
    warm_up: float = 0.15
    flip: bool = False
    crop: int = 0
    optimiser: Literal["adamw", "sgd"] = "adamw"


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One rung of the ladder.

    Attributes:
        name: A key of :data:`LADDER`.
        recipe: How networks are trained.
        trainings: Networks that are trained, from different seeds, where there are fewer than
            :data:`MANY_TEST_IMAGES` test images; accuracy is that of chips of all. One where there are more.
        min_draws, max_draws: Programmed chips over which accuracy is averaged; drawing stops between the two once
            ``target_standard_error`` is reached. Of several networks, as many of each.
        target_standard_error: Standard error of the mean accuracy at which drawing stops.
        mode: How crossbars are read (:data:`nax_bo.crossbar.MODES`).
        relative_cost: Price of one evaluation relative to ``full``; what the calibration schedule weighs gains
            with. A stated ratio instead of measured seconds, so that the same seed gives the same designs on any
            machine.
        always: Whether so many networks are trained where there are many test images, too.
    """

    name: str
    recipe: Recipe
    trainings: int
    min_draws: int
    max_draws: int
    target_standard_error: float
    mode: Literal["fast", "adaptive", "exact"]
    relative_cost: float
    always: bool = False


SHORT = Fidelity(
    "short",
    Recipe(
        epochs=2.5,
        learning_rate=0.05,
        momentum=0.6,
        variance_memory=0.95,
        label_smoothing=0.05,
        least_steps=160,
        calibration_vectors=512,
    ),
    trainings=1,
    min_draws=3,
    max_draws=8,
    target_standard_error=0.01,
    mode="fast",
    relative_cost=0.2,
)
FULL = Fidelity(
    "full",
    replace(SHORT.recipe, epochs=12, least_steps=280, calibration_vectors=2048),
    trainings=3,
    min_draws=5,
    max_draws=12,
    target_standard_error=0.005,
    mode="exact",
    relative_cost=1.0,
)
INHERIT = Fidelity(
    "inherit",
    replace(SHORT.recipe, epochs=9, least_steps=600, calibration_vectors=512),
    trainings=1,
    min_draws=3,
    max_draws=8,
    target_standard_error=0.01,
    mode="fast",
    relative_cost=0.04,
)
"""No training of its own: weights are a slice of the space's super-network, whose training the recipe describes.

On the default space it ranks poorly yet: after 300 steps of the super-network Kendall's tau with full is 0.38 on 28
random designs (short: 0.83), at a sixth of the time of short. It is not on the default ladder.
"""

PROGRAM = Fidelity(
    "program",
    replace(SHORT.recipe, calibration_vectors=512),
    trainings=1,
    min_draws=3,
    max_draws=8,
    target_standard_error=0.01,
    mode="fast",
    relative_cost=0.03,
)
"""Of a network that comes with its weights: they are programmed as they are, and nothing is trained."""

TUNE = Fidelity(
    "tune",
    replace(SHORT.recipe, epochs=1.0, least_steps=60),
    trainings=1,
    min_draws=3,
    max_draws=8,
    target_standard_error=0.01,
    mode="fast",
    relative_cost=0.15,
)
"""Of a network that comes with its weights: a short noise-aware training that begins with them."""

LADDER = {f.name: f for f in (PROGRAM, INHERIT, TUNE, SHORT, FULL)}
"""All rungs, cheapest first."""

DEFAULT_LADDER = (SHORT.name, FULL.name)
TRAINED_LADDER = (PROGRAM.name, TUNE.name, FULL.name)
"""Of networks that come with their weights; ``full`` begins with them, too."""


def fidelity(name: str, ladder: Mapping[str, Fidelity] = LADDER) -> Fidelity:
    """The rung called ``name``; raises InputError if there is none."""
    try:
        return ladder[name]
    except KeyError:
        *others, last = ladder
        raise InputError(f"there is no fidelity {name!r}", f"Use {', '.join(others)} or {last}.") from None
