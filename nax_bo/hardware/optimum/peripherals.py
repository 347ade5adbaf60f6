"""The best peripherals of a chip, given everything that decides accuracy: an exact inner optimum.

Column sharing, ADC type at equal bits, duplication and buffer sizes do not change what a chip computes, so they need
no search under noise. Under any cost model whose quantities add up over layers at a given clock period, the best
setting is a multiple-choice knapsack per clock period and buffer choice, and :mod:`.multiple_choice`
solves it exactly. The prices of single options are read off the cost model itself, as the difference that changing
one layer makes; nothing about its formulas is assumed. The latency of a pipelined chip is no sum but that of its
slowest layer, so there every possible value of it is one more class.

Quantities of the analytical model add up exactly except that duplication lengthens the network on chip. After each
solution the prices are read again around it, and the best design that was evaluated as a whole is returned;
:attr:`PeripheralSolution.additive_error` says how far the sum of prices was from the truth (0 up to rounding: optimal).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import EvaluationError, InputError
from nax_bo.hardware.chip import AdcType, ArraySpec, ChipSpec
from nax_bo.hardware.optimum.multiple_choice import choose
from nax_bo.hardware.optimum.objective import AREA, ENERGY, LATENCY, LEAKAGE, Floats, Objective, ObjectiveName
from nax_bo.hardware.protocol import CostEvaluator, CostModel, OneByOne, evaluate_designs
from nax_bo.hardware.report import CostBatch
from nax_bo.hardware.workload import CROSSBAR, DIGITAL, Workload, slot_names
from nax_bo.network.spec import NetworkSpec

_ADDITIVE = 1e-9
_ROUNDS = 4

Options = list[list[ArraySpec]]
Picks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PeripheralChoices:
    """Settings to choose from; an empty tuple keeps what the chip has.

    Attributes:
        mux: Columns per converter; values above a layer's columns are left out for that layer.
        adc_type: Converter types at the layer's resolution.
        duplication: Copies of a layer's weights.
        global_buffer_kb, tile_buffer_kb: Buffers of the whole chip.
    """

    mux: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    adc_type: tuple[AdcType, ...] = ("sar", "flash")
    duplication: tuple[int, ...] = ()
    global_buffer_kb: tuple[float, ...] = ()
    tile_buffer_kb: tuple[float, ...] = ()

    def of_layer(self, array: ArraySpec) -> list[ArraySpec]:
        """Settings of one layer, its own first if it is among them.

        Raises:
            InputError: No column sharing fits the array.
        """
        sharing = [m for m in self.mux or (array.mux,) if m <= array.cols]
        if not sharing:
            raise InputError(
                f"no column sharing of {self.mux} fits {array.cols} columns", "Offer mux <= cols."
            )
        types, copies = self.adc_type or (array.adc_type,), self.duplication or (array.duplication,)
        made = [
            replace(array, mux=m, adc_type=t, duplication=d)
            for t, m, d in itertools.product(types, sharing, copies)
        ]
        return sorted(dict.fromkeys(made), key=lambda a: a != array)

    def of_chip(self, chip: ChipSpec) -> list[ChipSpec]:
        """The chip with every combination of buffers."""
        shared = itertools.product(
            self.global_buffer_kb or (chip.global_buffer_kb,), self.tile_buffer_kb or (chip.tile_buffer_kb,)
        )
        return [replace(chip, global_buffer_kb=g, tile_buffer_kb=t) for g, t in shared]


@dataclass(frozen=True, slots=True)
class PeripheralSolution:
    """The best chip and what it costs.

    Attributes:
        chip: One ArraySpec per static layer.
        value: Objective of the chip as the cost model evaluates it.
        energy_pj, latency_ns, area_um2: Its totals; energy is NaN if the model defines none.
        additive_error: Relative difference between the solver's value and the model's.
    """

    chip: ChipSpec
    value: float
    energy_pj: float
    latency_ns: float
    area_um2: float
    additive_error: float


def best_peripherals(
    network: NetworkSpec,
    chip: ChipSpec,
    cost_model: CostEvaluator,
    choices: PeripheralChoices | None = None,
    objective: ObjectiveName = "edap",
    *,
    max_area_um2: float = np.inf,
) -> ChipSpec:
    """The chip of :func:`solve_peripherals`."""
    return solve_peripherals(network, chip, cost_model, choices, objective, max_area_um2=max_area_um2).chip


def solve_peripherals(
    network: NetworkSpec,
    chip: ChipSpec,
    cost_model: CostEvaluator,
    choices: PeripheralChoices | None = None,
    objective: ObjectiveName = "edap",
    *,
    max_area_um2: float = np.inf,
) -> PeripheralSolution:
    """The peripherals that minimise the objective, everything else kept.

    Args:
        network: The network.
        chip: Fixes device, arrays, bits, hierarchy, and the values of settings that ``choices`` leaves open.
        cost_model: Anything with ``evaluate``; models with ``evaluate_batch`` are asked in batches.
        choices: What may change.
        objective: ``"latency"``, ``"energy"``, ``"area"``, ``"edp"`` or ``"edap"``.
        max_area_um2: Upper limit of the area.

    Raises:
        InputError: An objective that needs an energy from a model that defines none, or a pipelined chip under a
            model that gives no latencies of single layers.
        EvaluationError: No setting meets the area limit, or feature maps have no place under any.
    """
    search = _Search(network, cost_model, Objective(objective), max_area_um2)
    choices = choices or PeripheralChoices()
    layers = network.static_layers
    own = [chip.array(i, len(layers)) for i in range(len(layers))]
    options = [
        [array] if layer.name in chip.digital_layers else choices.of_layer(array)
        for layer, array in zip(layers, own, strict=True)
    ]
    for variant in choices.of_chip(chip):
        search.solve(variant, options)
    if search.best is None:
        raise EvaluationError(search.refusal(), "Raise the area limit, or offer smaller peripherals.")
    return search.best


@dataclass
class _Search:
    network: NetworkSpec
    cost_model: CostEvaluator
    objective: Objective
    max_area_um2: float
    best: PeripheralSolution | None = None
    smallest_um2: float = np.inf
    unplaced: str = ""
    asked: dict[tuple[ChipSpec, tuple[int, ...]], CostBatch] = field(default_factory=dict)

    def solve(self, chip: ChipSpec, options: Options) -> None:
        """Improve on ``best`` within one choice of buffers."""
        periods, picks = self._periods(chip, options)
        if periods is None:
            return
        classes = np.unique(periods[periods >= np.nanmin(periods, axis=1).max()])
        for period in classes:
            slower = replace(chip, clock_ghz=min(chip.clock_ghz, 1.0 / float(period))) if period > 0 else chip
            clocked = slower if len(classes) > 1 else chip
            run = self._solve_pipelined if chip.dataflow == "pipelined" else self._solve_at
            run(chip, clocked, options, periods <= period, picks)

    def _periods(self, chip: ChipSpec, options: Options) -> tuple[Floats | None, Picks]:
        """Clock period that each option needs, layers x options (NaN: no such option), and the fastest picks."""
        picks = np.zeros(len(options), dtype=np.int64)
        for _ in range(_ROUNDS):
            batch, where = self._one_change(chip, options, picks)
            periods = np.full((len(options), max(map(len, options))), np.nan)
            periods[where] = np.where(batch.feasible, batch.period_ns, np.nan)
            if np.isnan(periods).all(axis=1).any():
                self.unplaced = batch.violations(int(np.argmin(batch.feasible)))[0]
                return None, picks
            quicker = np.nanargmin(periods, axis=1)
            if np.array_equal(periods[np.arange(len(picks)), quicker], periods[np.arange(len(picks)), picks]):
                break
            picks = quicker
        return periods, picks

    def _solve_at(
        self, chip: ChipSpec, clocked: ChipSpec, options: Options, allowed: NDArray[np.bool_], picks: Picks
    ) -> None:
        seen: set[tuple[int, ...]] = set()
        for _ in range(_ROUNDS):
            terms = self._terms(clocked, options, allowed, picks)
            self.smallest_um2 = min(self.smallest_um2, terms.least_area())
            found = self._choose(chip, clocked, options, terms)
            if found is None or found[1] <= _ADDITIVE or tuple(found[0]) in seen:
                return
            picks = found[0]
            seen.add(tuple(picks))

    def _choose(
        self, chip: ChipSpec, clocked: ChipSpec, options: Options, terms: _Terms
    ) -> tuple[Picks, float] | None:
        """The best picks under additive terms, if they can improve on ``best``, and how far off the terms were."""
        choice = choose(
            terms.groups,
            self.objective,
            base=terms.base,
            max_area_um2=self.max_area_um2,
            at_most=self.best.value if self.best else np.inf,
        )
        if choice is None:
            return None
        picks = terms.original(choice.picks)
        return picks, self._offer(chip, clocked, options, picks, choice.value)

    def _solve_pipelined(
        self, chip: ChipSpec, clocked: ChipSpec, options: Options, allowed: NDArray[np.bool_], picks: Picks
    ) -> None:
        """One problem per possible latency, which is that of the slowest layer or of what layers share."""
        batch, (layers, numbers) = self._one_change(clocked, options, picks)
        slot_ns = batch.details()["layer"].get("latency_ns")
        if slot_ns is None:
            raise InputError(
                "a pipelined chip under a cost model without latencies of layers",
                "Use dataflow = 'layer_by_layer'.",
            )
        names = slot_names(self.network)
        slots = np.array([names.index(layer.name) for layer in self.network.static_layers])
        own = np.full(allowed.shape, np.inf)
        own[layers, numbers] = slot_ns[np.arange(len(layers)), slots[layers]]
        own[~allowed] = np.inf
        shared = batch.latency_ns[batch.latency_ns > slot_ns.max(axis=1) * (1 + 1e-12)]
        floor = max([float(own.min(axis=1).max()), *shared, *np.delete(slot_ns, slots, axis=1).ravel()])
        for limit in np.unique(np.maximum(own[np.isfinite(own)], floor)):
            terms = self._terms(clocked, options, own <= limit, picks)
            self.smallest_um2 = min(self.smallest_um2, terms.least_area())
            for rows in terms.groups:
                rows[:, LATENCY] = 0.0
            terms.base[LATENCY] = limit
            self._choose(chip, clocked, options, terms)

    def _terms(self, chip: ChipSpec, options: Options, allowed: NDArray[np.bool_], picks: Picks) -> _Terms:
        batch, (layers, numbers) = self._one_change(chip, options, picks)
        totals = _totals(batch, self.objective)
        centre = totals[np.flatnonzero((layers == 0) & (numbers == picks[0]))[0]]
        groups, kept, base = [], [], centre.copy()
        for layer in range(len(options)):
            mine = np.flatnonzero((layers == layer) & allowed[layers, numbers])
            rows = totals[mine] - centre
            least = rows.min(axis=0)
            base += least
            groups.append(rows - least)
            kept.append(numbers[mine])
        return _Terms(groups, kept, np.maximum(base, 0.0))

    def _one_change(
        self, chip: ChipSpec, options: Options, picks: Picks
    ) -> tuple[CostBatch, tuple[Picks, Picks]]:
        """Costs of every design that differs from ``picks`` in at most one layer, and (layer, option) of each."""
        layers = np.repeat(np.arange(len(options)), [len(choices) for choices in options])
        numbers = np.concatenate([np.arange(len(choices)) for choices in options])
        if (chip, tuple(picks)) not in self.asked:
            table = np.tile(picks, (len(layers), 1))
            table[np.arange(len(layers)), layers] = numbers
            self.asked[chip, tuple(picks)] = self._evaluate(chip, options, table)
        return self.asked[chip, tuple(picks)], (layers, numbers)

    def _evaluate(self, chip: ChipSpec, options: Options, table: Picks) -> CostBatch:
        """Costs of designs whose layers take the options in each row of ``table``, n x layers."""
        model = self.cost_model
        if not isinstance(model, CostModel) or isinstance(model, OneByOne):
            chips = [replace(chip, arrays=_arrays(options, row)) for row in table]
            return evaluate_designs(model, [self.network] * len(chips), chips)
        one = Workload.from_designs([self.network], [replace(chip, arrays=_arrays(options, table[0]))])
        slots = np.flatnonzero((one.kind[0] == CROSSBAR) | (one.kind[0] == DIGITAL))
        settings = np.array([[_numbers(choices[i % len(choices)]) for i in range(max(map(len, options)))]
                             for choices in options])  # fmt: skip
        chosen = settings[np.arange(len(options)), table]
        columns: dict[str, Any] = {}
        for i, name in enumerate(("mux", "flash", "duplication")):
            columns[name] = np.tile(getattr(one, name), (len(table), 1))
            columns[name][:, slots] = chosen[:, :, i]
        return model.evaluate_batch(replace(one, **columns))

    def _offer(
        self, chip: ChipSpec, clocked: ChipSpec, options: Options, picks: Picks, predicted: float
    ) -> float:
        """Evaluate picks as a whole, keep them if best; the relative error of the prediction."""
        candidates = [replace(c, arrays=_arrays(options, picks)) for c in dict.fromkeys((chip, clocked))]
        batch = evaluate_designs(self.cost_model, [self.network] * len(candidates), candidates)
        values = self.objective.value(_totals(batch, self.objective))
        errors = np.abs(values - predicted) / np.maximum(np.abs(values), 1e-300)
        for i in np.flatnonzero(batch.feasible & (batch.area_um2 <= self.max_area_um2 * (1 + 1e-12))):
            if self.best is None or values[i] < self.best.value:
                self.best = PeripheralSolution(
                    candidates[i],
                    float(values[i]),
                    float(batch.energy_pj[i]),
                    float(batch.latency_ns[i]),
                    float(batch.area_um2[i]),
                    float(errors.min()),
                )
        return float(errors.min())

    def refusal(self) -> str:
        """Why there is no solution."""
        if self.unplaced:
            return self.unplaced
        return (
            f"no peripherals of {self.network.name!r} fit into {self.max_area_um2 / 1e6:.6g} mm2; "
            f"the smallest take {self.smallest_um2 / 1e6:.6g} mm2"
        )


def _arrays(options: Options, picks: Picks) -> tuple[ArraySpec, ...]:
    return tuple(choices[i] for choices, i in zip(options, picks, strict=True))


def _numbers(array: ArraySpec) -> tuple[float, float, float]:
    return array.mux, array.adc_type == "flash", array.duplication


@dataclass(frozen=True)
class _Terms:
    groups: Sequence[Floats]
    kept: Sequence[Picks]
    base: Floats

    def original(self, picks: Sequence[int]) -> Picks:
        return np.array([numbers[i] for numbers, i in zip(self.kept, picks, strict=True)])

    def least_area(self) -> float:
        return float(self.base[AREA] + sum(rows[:, AREA].min() for rows in self.groups))


def _totals(batch: CostBatch, objective: Objective) -> Floats:
    """Quantities of a batch, n x 4; the leakage power is what makes leakage energy a product."""
    out = np.zeros((len(batch), 4))
    out[:, AREA], out[:, LATENCY] = batch.area_um2, batch.latency_ns
    if np.isfinite(batch.energy_pj).all():
        out[:, ENERGY] = batch.energy_pj - batch.leakage_pj
        out[:, LEAKAGE] = batch.leakage_pj / np.maximum(batch.latency_ns, 1e-300)
    elif objective.name not in ("area", "latency"):
        raise InputError(
            f"the cost model defines no energy, which {objective.name!r} needs",
            "Choose 'latency' or 'area', or another cost model.",
        )
    return out
