"""What a cost model is, and how one is found by reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.reads import Reads
from nax_bo.hardware.report import CostBatch, CostReport, LayerPrice
from nax_bo.hardware.workload import Workload
from nax_bo.network.spec import NetworkSpec


@runtime_checkable
class CostEvaluator(Protocol):
    """The least a user's own cost model must do.

    One that reads some settings of a chip only may say so in an attribute ``reads``
    (:class:`~nax_bo.hardware.reads.Reads`).
    """

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design."""
        ...


@runtime_checkable
class CostModel(CostEvaluator, Protocol):
    """Prices designs one at a time and in batches."""

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Price n designs through the same formulas as :meth:`evaluate`."""
        ...


@runtime_checkable
class LayerPricing(Protocol):
    """A cost evaluator whose chips are sums of their layers, so that layers can be priced and chosen one by one."""

    def layer_price(self, network: NetworkSpec, chip: ChipSpec, index: int) -> LayerPrice:
        """What static layer ``index`` adds."""
        ...


_EXTERNAL = {
    "neurosim": "nax_bo.hardware.simulators.neurosim.profile:NeuroSimCostModel",
    "xpertsim": "nax_bo.hardware.simulators.neurosim.per_layer:XpertSimCostModel",
    "xpert-lut": "nax_bo.hardware.simulators.xpert_lut:XpertLutCostModel",
}


def cost_model_names() -> tuple[str, ...]:
    """Names that :func:`cost_model` knows without a path."""
    from nax_bo.hardware.profiles import SHIPPED

    return (*SHIPPED, *_EXTERNAL)


def cost_model(reference: str | Path = "published") -> CostModel:
    """The cost model that a reference names.

    Args:
        reference: ``published``, ``isaac``, ``puma``, ``neurosim``, ``xpertsim`` or ``xpert-lut``; the path of a TOML
            profile; or ``package.module:Class`` or ``file.py:Class``, a class (or factory) that is called without
            arguments. A class that has ``evaluate`` only is accepted: :func:`evaluate_designs` calls it per design.

    Raises:
        InputError: The reference names nothing, or what it names cannot evaluate.
    """
    text = str(reference)
    target = _EXTERNAL.get(text, text)
    if ":" in target and not target.endswith(".toml"):
        return _loaded(target)
    from nax_bo.hardware.pricing.cost import AnalyticalCostModel
    from nax_bo.hardware.profiles import SHIPPED, load_profile

    if text not in SHIPPED and not text.endswith(".toml"):
        raise InputError(
            f"there is no cost model {text!r}",
            f"Use {', '.join(cost_model_names())}, a TOML profile, module:Class or file.py:Class.",
        )
    return AnalyticalCostModel(load_profile(reference))


def evaluate_designs(model: CostEvaluator, networks: list[NetworkSpec], chips: list[ChipSpec]) -> CostBatch:
    """Totals of many designs: one batch where the model can, else one design at a time.

    Raises:
        InputError: Lengths differ.
    """
    if isinstance(model, CostModel) and not isinstance(model, OneByOne):
        return model.evaluate_batch(Workload.from_designs(networks, chips))
    if len(networks) != len(chips):
        raise InputError(f"{len(networks)} networks and {len(chips)} chips", "Give one chip per network.")
    return CostBatch.stack([model.evaluate(n, c) for n, c in zip(networks, chips, strict=True)])


def base_chip(model: CostEvaluator) -> ChipSpec:
    """The chip that a cost model starts from: its own, or the default one."""
    reads = _reads(model)
    return reads.base if reads else ChipSpec()


def fitted(model: CostModel, chips: Sequence[ChipSpec]) -> CostModel:
    """The model for designs like these: settings that it does not read and all share are replaced by its own.

    Raises:
        InputError: The designs differ in settings that the model does not read.
    """
    reads = _reads(model)
    if reads is None or not (own := reads.for_designs(chips)).fixed:
        return model
    return OneByOne(_Own(model.evaluator, own)) if isinstance(model, OneByOne) else _OwnBatch(model, own)


def _reads(model: CostEvaluator) -> Reads | None:
    evaluator = model.evaluator if isinstance(model, OneByOne) else model
    reads: Reads | None = getattr(evaluator, "reads", None)
    return reads


class _Own:
    """A model that prices chips with its own values for what it does not read."""

    def __init__(self, model: CostEvaluator, reads: Reads) -> None:
        self.model, self.reads = model, reads

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        return self.model.evaluate(network, self.reads.own_chip(chip))


class _OwnBatch(_Own):
    model: CostModel

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        return self.model.evaluate_batch(self.reads.own_workload(workload))


class OneByOne:
    """A user's evaluator as a :class:`CostModel`; it reads network and chip, so arrays alone cannot be priced."""

    def __init__(self, evaluator: CostEvaluator) -> None:
        self.evaluator = evaluator

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design."""
        report = self.evaluator.evaluate(network, chip)
        values = (report.energy_pj, report.latency_ns, report.area_um2)
        if not all(np.isfinite(v) and v >= 0 for v in values):
            raise InputError(
                f"{type(self.evaluator).__name__} returned energy, latency, area = {values}",
                "A cost model returns finite numbers >= 0.",
            )
        return report

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Refused: the evaluator has no batch form."""
        raise InputError(
            f"{type(self.evaluator).__name__} prices networks and chips, not arrays",
            "Use evaluate_designs, or give the class an evaluate_batch method.",
        )


def _loaded(target: str) -> CostModel:
    from nax_bo.references import load_factory

    factory: Any = load_factory(target, "cost model", ("evaluate",))
    try:
        model = factory()
    except TypeError as ex:
        raise InputError(
            f"{target} cannot be built without arguments: {ex}", "Give its settings defaults."
        ) from ex
    if not isinstance(model, CostEvaluator):
        raise InputError(f"{target} has no method evaluate", "A cost model has evaluate(network, chip).")
    return model if isinstance(model, CostModel) else OneByOne(model)
