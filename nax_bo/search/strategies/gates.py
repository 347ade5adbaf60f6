"""NAX's search: weights and gates are trained by turns, the gates on crossbars with non-idealities.

Negi et al. 2022, doi:10.1145/3489517.3530476, after ProxylessNAS (Cai et al. 2019, arXiv:1812.00332). Every choice of
the space has logits; a step samples one value of each (binary gates, one path). A *weight step* trains the sampled
path's slice of a super-network, on ideal crossbars and training images. An *architecture step* leaves the weights
alone: it compares two sampled paths on programmed chips and validation images, and moves the logits by the loss and by
the expected cost. At the end the likeliest value of every choice is taken.

As published: alternating steps, binary gates, ideal weight steps, non-ideal architecture steps, expected cost in the
loss. Otherwise: gates learn by the score function of two paths on the same images (the second of ProxylessNAS's
estimators) instead of the gradient through the paths; kernels share weights; choices have logits of their own, not
pairs of kernel and crossbar; the cost is that of whole sampled designs, not of layers added up; all layers, not some,
are non-ideal in an architecture step. Rates and the weight of the cost are not public.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.programmed import programmed
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import build
from nax_bo.search.strategies.procedure import Cost, Found
from nax_bo.space import Space

Rows = NDArray[np.int64]

_VALIDATION = 0.2
_PRICED = 128
"""Sampled designs over which the expected cost's gradient is estimated."""


@dataclass(frozen=True)
class NaxGates:
    """A :class:`~nax_bo.search.strategies.procedure.Procedure`.

    Attributes:
        cost_weight: What a unit of the cost weighs against the cross-entropy.
        weight_rate, gate_rate: Steps of Adam for weights and for logits.
        batch: Images of a step.
        calibration: Images on which converters and normalisation of a path are fitted.
        weight_steps: Weight steps to an architecture step, which costs far more time.
        warm_up: Share of the budget in which only weights are trained.
        non_ideal: Whether architecture steps see non-idealities (``ni-search``) or not (``i-search``).
    """

    cost_weight: float = 0.2
    weight_rate: float = 3e-3
    gate_rate: float = 0.05
    batch: int = 64
    calibration: int = 64
    weight_steps: int = 4
    warm_up: float = 0.25
    non_ideal: bool = True

    @property
    def images_of_a_turn(self) -> int:
        """Images that the weight steps and the architecture step of a turn see."""
        return self.weight_steps * self.batch + self._images_of_a_gate_step

    @property
    def _images_of_a_gate_step(self) -> int:
        return 2 * (self.batch + self.calibration * self.non_ideal)

    def run(
        self,
        family: Family,
        data: DataSet,
        cost: Cost,
        *,
        images: int,
        seed: int = 0,
        conditions: Conditions | None = None,
    ) -> Found:
        """See :class:`~nax_bo.search.strategies.procedure.Procedure`."""
        if images < self.images_of_a_turn:
            raise InputError(
                f"a budget of {images} images",
                f"A turn of both steps sees {self.images_of_a_turn}: give more.",
            )
        search = _Search(self, family, data, cost, seed, conditions or Conditions())
        seen = 0
        while seen + self.images_of_a_turn <= images:
            for _ in range(self.weight_steps):
                search.weight_step()
            seen += self.weight_steps * self.batch
            if seen >= self.warm_up * images:
                search.gate_step()
                seen += self._images_of_a_gate_step
        return search.found(seen)


class Gates(nn.Module):
    """Independent probabilities of the values of each variable."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        cards = space.cardinalities
        self.logits = nn.Parameter(torch.zeros(len(cards), int(cards.max())))
        self._none = torch.from_numpy(np.arange(int(cards.max())) >= cards[:, None])

    def log_probabilities(self) -> Tensor:
        """Of each variable's values, ``d x`` most values; -infinity for values that it does not have."""
        return torch.log_softmax(self.logits.masked_fill(self._none, -torch.inf), dim=1)

    def log_probability(self, rows: Rows) -> Tensor:
        """Of designs ``n x d``, ``n``: of the choices that are active in them."""
        own = self.log_probabilities()[torch.arange(rows.shape[1]), torch.from_numpy(rows)]
        active = torch.from_numpy(self.space.active_mask(rows))
        return torch.where(active, own, 0.0).sum(dim=1)

    @torch.no_grad()
    def sample(self, count: int, random: np.random.Generator) -> Rows:
        """Index vectors ``count x d``."""
        p = self.log_probabilities().double().numpy()
        return self.space.canonical((p + random.gumbel(size=(count, *p.shape))).argmax(axis=2))

    @torch.no_grad()
    def likeliest(self) -> tuple[Rows, float]:
        """The likeliest value of each variable, ``d``, and the mean probability of those that are active."""
        p = self.log_probabilities().exp().numpy()
        row = self.space.canonical(p.argmax(axis=1)[None])[0]
        active = self.space.active_mask(row[None])[0]
        return row, float(p[np.flatnonzero(active), row[active]].mean())


def expected_cost(gates: Gates, cost: Cost, random: np.random.Generator, count: int = _PRICED) -> Tensor:
    """A number whose gradient estimates that of the expected cost of a sampled design (score function)."""
    rows = gates.sample(count, random)
    values = torch.from_numpy(np.nan_to_num(cost(rows), nan=10.0, posinf=10.0)).float()
    centred = (values - values.mean()) * (count / (count - 1))
    return (centred * gates.log_probability(rows)).mean()


class _Search:
    """Weights and gates while they are trained."""

    def __init__(
        self, how: NaxGates, family: Family, data: DataSet, cost: Cost, seed: int, conditions: Conditions
    ) -> None:
        self.how, self.family, self.cost, self.conditions = how, family, cost, conditions
        self.random = np.random.default_rng([seed, 0x4E4158])
        order = self.random.permutation(len(data.train_images))
        held = order[: max(1, round(_VALIDATION * len(order)))]
        rest = order[len(held) :]
        self.validation = data.train_images[held], data.train_labels[held]
        self.training = data.train_images[rest], data.train_labels[rest]
        self.calibration = replace(
            data,
            train_images=self.training[0][: how.calibration],
            train_labels=self.training[1][: how.calibration],
        )
        self.shared = SharedNetwork(family.networks(), seed)
        self.gates = Gates(family.space)
        self.weights = torch.optim.Adam(self.shared.parameters(), lr=how.weight_rate)
        self.moves = torch.optim.Adam(self.gates.parameters(), lr=how.gate_rate, betas=(0.5, 0.999))

    def weight_step(self) -> None:
        """Train one sampled path on ideal crossbars."""
        network, _ = self._decoded(self.gates.sample(1, self.random)[0])
        x, y = self._batch(self.training)
        logits = functional_call(build(network), self.shared.slices(network), (x,))
        loss = functional.cross_entropy(logits, y)
        self.weights.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.weights.step()

    def gate_step(self) -> None:
        """Move the gates by two sampled paths and by the expected cost."""
        rows = self.gates.sample(2, self.random)
        x, y = self._batch(self.validation)
        losses = [self._loss(row, x, y) for row in rows]
        score = self.gates.log_probability(rows)
        error = 0.5 * (losses[0] - losses[1]) * (score[0] - score[1])
        loss = error + self.how.cost_weight * expected_cost(self.gates, self.cost, self.random)
        self.moves.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.moves.step()

    def found(self, seen: int) -> Found:
        """The design of the likeliest choices."""
        row, certainty = self.gates.likeliest()
        return Found(self.family.space.designs(row[None])[0], seen, certainty)

    @torch.no_grad()
    def _loss(self, row: Rows, x: Tensor, y: Tensor) -> float:
        network, chip = self._decoded(row)
        if not self.how.non_ideal:
            slices = self.shared.slices(network)
            return float(functional.cross_entropy(functional_call(build(network), slices, (x,)), y))
        seed = int(self.random.integers(2**62))
        model = programmed(self.shared.inherited(network), network, chip, self.calibration, vectors=256, seed=seed,
                           conditions=self.conditions, mode="fast", normalised=False)  # fmt: skip
        model.program(seed, self.conditions)
        return float(functional.cross_entropy(model(x), y))

    def _decoded(self, row: Rows) -> tuple[NetworkSpec, ChipSpec]:
        return self.family.decode(self.family.space.designs(row[None])[0])

    def _batch(self, part: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, labels = part
        chosen = torch.from_numpy(self.random.integers(len(images), size=self.how.batch))
        return images[chosen], labels[chosen]
