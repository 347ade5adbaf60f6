"""IR drop: error of the fast effective conductances against exact ones, and time per array.

Random four-level conductances of on/off 50, random binary inputs with 50 % ones; error is the relative L2 error of the
output currents. Times are on one core; ``sparse`` is scipy's nodal solution, timed in the same process for the ratio.

Run: ``python benchmarks/ir_drop.py [--json] [--arrays N] [--skip-sparse]``
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from nax_bo.crossbar.physics.ir_drop import exact_effective_conductance, operating_point
from nax_bo.crossbar.physics.nodal import solve_nodal

CASES = (  # rows = cols, r_on_ohm, r_row_ohm, r_col_ohm
    (64, 20_000, 1.5, 4.4),
    (128, 100_000, 2.8, 2.8),
    (128, 20_000, 1.5, 4.4),
    (128, 6_000, 2.1, 6.4),
)
ON_OFF = 50


def conductances(size: int, r_on_ohm: float, arrays: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    level = torch.randint(4, (arrays, size, size), generator=generator) / 3
    return (1 / ON_OFF + (1 - 1 / ON_OFF) * level) / r_on_ohm


def best_ms(call: Callable[[], object], arrays: int, repeats: int = 3) -> float:
    """Least time per array of a few calls: the machine may be shared."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times) / arrays


def measure(
    size: int, r_on_ohm: float, r_row: float, r_col: float, *, arrays: int, sparse: bool
) -> dict[str, float]:
    g = conductances(size, r_on_ohm, arrays)
    one = g[:1].double()
    x = (torch.rand((64, size), generator=torch.Generator().manual_seed(1)) < 0.5).double()
    want = x @ exact_effective_conductance(one, r_row, r_col)[0]

    def error_pct(g_eff: Tensor) -> float:
        return 100 * float((x @ g_eff.double() - want).norm() / want.norm())

    result: dict[str, float] = {"size": size, "r_on_ohm": r_on_ohm, "r_row_ohm": r_row, "r_col_ohm": r_col}
    result["ignored_pct"] = error_pct(one[0])
    for sweeps in (2, 4, 8):
        result[f"sweeps{sweeps}_pct"] = error_pct(operating_point(g[0], r_row, r_col, sweeps=sweeps))
    result["sweeps4_ms"] = best_ms(lambda: operating_point(g, r_row, r_col), arrays)
    result["sweeps4_single_ms"] = best_ms(lambda: operating_point(g[0], r_row, r_col), 1)
    result["exact_ms"] = best_ms(lambda: exact_effective_conductance(one, r_row, r_col), 1)
    if sparse:
        result["sparse_ms"] = best_ms(lambda: solve_nodal(one[0].numpy(), r_row, r_col), 1, repeats=1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of the table")
    parser.add_argument("--arrays", type=int, default=32, help="arrays per batch")
    parser.add_argument("--skip-sparse", action="store_true", help="leave out the slow reference")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(*case, arrays=arguments.arrays, sparse=not arguments.skip_sparse) for case in CASES]
    if arguments.json:
        print(json.dumps({"benchmark": "ir_drop", "arrays": arguments.arrays, "cases": rows}))
        return
    print(" ".join(f"{name:>17}" for name in rows[0]))
    for row in rows:
        print(" ".join(f"{value:>17.4g}" for value in row.values()))


if __name__ == "__main__":
    main()
