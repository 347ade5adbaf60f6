"""A design space of one's own: inverted-residual networks on a chip with crossbars per block.

    naxbo spaces examples/my_space.py:MySpace --shape 3x32x32
    naxbo optimize --system examples/my_space.py:MySpace --budget 40

``build`` and ``chip`` are written once. They see the choices of one design, or arrays of thousands, so the search
prices this space as fast as the built-in ones. They must not branch on a choice; layers that only some designs have
stand in ``with graph.present(...)`` blocks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from nax_bo.hardware import cost_model
from nax_bo.hardware.chip import ChipPlan
from nax_bo.network import Graph, InvertedBlock
from nax_bo.network.mobilenet import inverted_block
from nax_bo.space import Space, categorical, ordinal
from nax_bo.systems import load_system

BLOCKS = 4


class MySpace:
    """Up to four blocks; each has its width, expansion, kernel, gate and crossbar."""

    name, summary = "my-space", "inverted residuals, per-block width, expansion, kernel, gate and crossbar"

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        self.num_classes = num_classes
        self.space = Space(
            [ordinal("blocks", range(1, BLOCKS + 1), scope="network")]
            + [
                ordinal(f"{name}_{i}", values, scope=f"layer:{i}")
                for i in range(1, BLOCKS + 1)
                for name, values in (("width", (8, 16, 24)), ("expansion", (1, 2, 4)), ("kernel", (3, 5)),
                                     ("gate", (False, True)), ("crossbar", (32, 64, 128)))
            ]
            + [categorical("device", ("rram", "sram")), ordinal("adc_bits", (4, 5, 6, 7)),
               ordinal("mux", (4, 8, 16), affects="cost")]
        )  # fmt: skip

    def build(self, graph: Graph, choices: Mapping[str, Any]) -> None:
        """Stem, blocks up to the chosen number, classifier."""
        x = graph.conv("input", 16, norm="batch", activation="relu6", name="stem")
        for i in range(1, BLOCKS + 1):
            width = choices[f"width_{i}"]
            block = InvertedBlock(
                expanded=choices[f"expansion_{i}"] * graph.shape(x)[0],
                width=width,
                kernel=choices[f"kernel_{i}"],
                stride=2 if i in (2, 4) else 1,
                squeeze=choices[f"gate_{i}"],
            )
            with graph.present(choices["blocks"] >= i):
                x = inverted_block(graph, x, block, f"b{i}")
        graph.linear(graph.flatten(graph.global_avgpool(x)), self.num_classes, name="classifier")

    def chip(self, choices: Mapping[str, Any]) -> ChipPlan:
        """One device and converter; crossbars of each block, 64 x 64 for stem and classifier."""
        sides = {f"b{i}": choices[f"crossbar_{i}"] for i in range(1, BLOCKS + 1)}
        layers = {block: {"rows": side, "cols": side} for block, side in sides.items()}
        return ChipPlan(layers, device=choices["device"], bits_per_cell=1, rows=64, cols=64,
                        adc_bits=choices["adc_bits"], mux=choices["mux"])  # fmt: skip


def main() -> int:
    """Price 5,000 designs at once, and the best of them by itself."""
    system, model = load_system(f"{__file__}:MySpace", (3, 32, 32), 10), cost_model()
    columns = system.space.columns(designs := system.space.sample(5000, 0))
    start = time.perf_counter()
    edap = model.evaluate_batch(system.workload(columns)).edap_uj_ms_mm2
    seconds = time.perf_counter() - start
    best = system.space.design(designs[edap.argmin()])
    report = model.evaluate(*system.decode(best))
    print(f"{len(edap) / seconds:,.0f} designs/s; best {best}")
    print(f"EDAP {report.edap_uj_ms_mm2:.3g} uJ ms mm2, layers: {', '.join(x.name for x in report.layers)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
