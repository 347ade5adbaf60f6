"""What a cost model is, and how one is found by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec
from nax_bo.hardware.report import CostBatch, CostReport
from nax_bo.hardware.workload import Workload
from nax_bo.network.spec import NetworkSpec


@runtime_checkable
class CostEvaluator(Protocol):
    """The least a user's own cost model must do."""

    def evaluate(self, network: NetworkSpec, chip: ChipSpec) -> CostReport:
        """Price one design."""
        ...


@runtime_checkable
class CostModel(CostEvaluator, Protocol):
    """Prices designs one at a time and in batches."""

    def evaluate_batch(self, workload: Workload) -> CostBatch:
        """Price n designs through the same formulas as :meth:`evaluate`."""
        ...


_EXTERNAL = {
    "neurosim": "nax_bo.hardware.simulators.neurosim.profile:NeuroSimCostModel",
    "xpert-lut": "nax_bo.hardware.simulators.xpert_lut:XpertLutCostModel",
}


def cost_model_names() -> tuple[str, ...]:
    """Names that :func:`cost_model` knows without a path."""
    from nax_bo.hardware.profiles import SHIPPED

    return (*SHIPPED, *_EXTERNAL)


def cost_model(reference: str | Path = "published") -> CostModel:
    """The cost model that a reference names.

    Args:
        reference: ``published``, ``isaac``, ``puma``, ``neurosim`` or ``xpert-lut``; the path of a TOML profile; or
            ``package.module:Class`` or ``file.py:Class``, a class (or factory) that is called without arguments. A
            class that has ``evaluate`` only is accepted: :func:`evaluate_designs` calls it for each design.

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
