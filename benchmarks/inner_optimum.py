"""Cost-only choices of every layer, solved inside an acquisition: designs per second, distance to the optimum.

    python benchmarks/inner_optimum.py [--json] [--layers 12] [--designs 2048] [--exact 40]

Spaces are chains of convolutions whose layers choose converter type (2) and column sharing (6) for themselves, and
optionally copies and the chip's buffers. Designs per second of processor time on one core, best of three.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nax_bo.hardware import cost_model
from nax_bo.hardware.chip import ChipPlan
from nax_bo.hardware.optimum.goal import Goal
from nax_bo.hardware.optimum.inner import InnerOptimum
from nax_bo.network import Graph
from nax_bo.network.spec import INPUT
from nax_bo.space import Condition, Space, Variable, categorical, ordinal
from nax_bo.systems.system import System


@dataclass(frozen=True)
class Chain:
    """Up to ``layers`` convolutions, each with converters of its own."""

    layers: int
    copies: tuple[int, ...] = ()
    buffers: tuple[float, ...] = ()
    name: str = "chain"
    summary: str = "cost-only choices of every layer"

    @property
    def space(self) -> Space:
        """Networks, and the cost-only choices of each layer."""
        variables: list[Variable] = [
            ordinal("depth", range(2, self.layers + 1)),
            ordinal("adc_bits", (4, 5, 6, 7, 8)),
            ordinal("weight_bits", (4, 8)),
        ]
        for i in range(1, self.layers + 1):
            when = () if i <= 2 else Condition("depth", tuple(range(i, self.layers + 1)))
            variables += [
                ordinal(f"width_{i}", (16, 32, 64, 128), when=when),
                ordinal(f"side_{i}", (64, 128, 256), when=when),
                categorical(f"adc_type_{i}", ("sar", "flash"), when=when, affects="cost"),
                ordinal(f"mux_{i}", (1, 2, 4, 8, 16, 32), when=when, affects="cost"),
            ]
            if self.copies:
                variables.append(ordinal(f"copies_{i}", self.copies, when=when, affects="cost"))
        if self.buffers:
            variables.append(ordinal("global_buffer_kb", self.buffers, affects="cost"))
        return Space(variables)

    def build(self, graph: Graph, choices: Mapping[str, Any]) -> None:
        """The chain and its classifier."""
        source = INPUT
        for i in range(1, self.layers + 1):
            with graph.present(choices["depth"] >= i):
                source = graph.conv(source, choices[f"width_{i}"], kernel=3, activation="relu", name=f"c{i}")
        graph.linear(graph.flatten(graph.global_avgpool(source)), 10, name="classifier")

    def chip(self, choices: Mapping[str, Any]) -> ChipPlan:
        """Crossbars and converters of each layer."""
        own = {
            f"c{i}": {
                "rows": choices[f"side_{i}"],
                "cols": choices[f"side_{i}"],
                "adc_type": choices[f"adc_type_{i}"],
                "mux": choices[f"mux_{i}"],
                **({"duplication": choices[f"copies_{i}"]} if self.copies else {}),
            }
            for i in range(1, self.layers + 1)
        }
        shared = {"global_buffer_kb": choices["global_buffer_kb"]} if self.buffers else {}
        return ChipPlan(own, adc_bits=choices["adc_bits"], weight_bits=choices["weight_bits"], **shared)


def measure(chain: Chain, designs: int, exact: int) -> dict[str, float]:
    """Speed and gap of one space."""
    system, model = System(chain, (3, 16, 16)), cost_model("published")
    space, describer = system.space, system.describer()

    def describe(x: np.ndarray) -> Any:
        return describer(space.columns(x))

    goal = Goal(lambda batch: np.log(batch.edap_uj_ms_mm2))
    hidden = tuple(i for i, v in enumerate(space.variables) if v.affects == "cost")
    inner = InnerOptimum(
        lambda x: goal.score(model.evaluate_batch(describe(x))),
        model,  # type: ignore[arg-type]
        describe,
        space.cardinalities,
        hidden,
        space.sobol(64, 0),
        goal,
    )
    x = space.sample(designs, np.random.default_rng(1))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        quick = inner.solve(x)
        seconds.append(time.process_time() - start)
    start = time.process_time()
    best = inner.exact(x[:exact])
    exact_s = (time.process_time() - start) / exact
    gap = np.exp(inner.scores(quick[:exact]) - inner.scores(best)) - 1
    return {
        "variables": len(hidden),
        "log10_combinations": float(np.log10(space.cardinalities[list(hidden)].astype(float)).sum()),
        "designs_per_s": designs / min(seconds),
        "exact_designs_per_s": 1 / exact_s,
        "within_1_percent": float((gap <= 0.01).mean()),
        "largest_gap": float(gap.max()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--layers", type=int, default=12, help="most layers")
    parser.add_argument("--designs", type=int, default=2048, help="designs solved quickly")
    parser.add_argument("--exact", type=int, default=40, help="designs solved exactly")
    args = parser.parse_args()
    spaces = {
        "converters": Chain(args.layers),
        "converters, copies, buffer": Chain(args.layers // 2, (1, 2, 4), (64.0, 256.0, 1024.0)),
    }
    results = {name: measure(chain, args.designs, args.exact) for name, chain in spaces.items()}
    print(json.dumps(results, indent=None if args.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
