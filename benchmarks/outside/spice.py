"""IR drop against a circuit simulator: the arrays of shipped devices as netlists, solved by ngspice.

ngspice is the user's (``apt-get install ngspice``; ``--ngspice`` names the program). Each array is written as resistors
(cells, row and column wires) and voltage sources, and its column currents are compared with those of the effective
conductances: exact, and as naxbo chooses them (:func:`nax_bo.crossbar.physics.ir_drop.effective_conductance`).
Single-ended currents, and differences of the two columns of a pair, which are what is converted.

Run: ``python benchmarks/outside/spice.py [--ngspice PROGRAM] [--size N] [--json]``
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nax_bo.crossbar.physics.ir_drop import effective_conductance, exact_effective_conductance
from nax_bo.crossbar.physics.wires import wire_of_cell
from nax_bo.hardware.chip.devices import device

DEVICES = ("rram", "pcm", "fefet", "stt-mram")
NODE_NM = 22.0


def netlist(g_s: Tensor, r_row_ohm: float, r_col_ohm: float, inputs_v: Tensor) -> str:
    """Rows driven at their left ends, columns held at 0 V at their bottom ends through a source that measures."""
    rows, cols = g_s.shape
    lines = ["* crossbar"]
    for i in range(rows):
        lines.append(f"vin{i} r{i}_in 0 {float(inputs_v[i]):.9g}")
        for j in range(cols):
            left = f"r{i}_in" if j == 0 else f"r{i}_{j - 1}"
            below = f"c{i + 1}_{j}" if i + 1 < rows else f"out{j}"
            lines += [
                f"rr{i}_{j} {left} r{i}_{j} {r_row_ohm:.12g}",
                f"rc{i}_{j} c{i}_{j} {below} {r_col_ohm:.12g}",
                f"rg{i}_{j} r{i}_{j} c{i}_{j} {1 / float(g_s[i, j]):.12g}",
            ]
    lines += [f"vout{j} out{j} 0 0" for j in range(cols)]
    prints = "\n".join(f"print i(vout{j})" for j in range(cols))
    return "\n".join([*lines, ".control", "set numdgt=12", "op", prints, ".endc", ".end", ""])


def spice_currents_a(program: str, text: str, cols: int) -> Tensor:
    """Column currents that the simulator finds, A."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "array.cir"
        path.write_text(text, encoding="ascii")
        done = subprocess.run([program, "-b", str(path)], capture_output=True, text=True, check=False)
    found = dict(re.findall(r"i\(vout(\d+)\) = (\S+)", done.stdout))
    if len(found) != cols:
        sys.exit(f"{program} gave {len(found)} of {cols} currents:\n{done.stderr[-500:]}")
    return torch.tensor([float(found[str(j)]) for j in range(cols)], dtype=torch.float64)


def compare(program: str, name: str, size: int) -> dict[str, Any]:
    """One array of one device: random levels, half of the rows on; errors as relative L2 norms, in percent."""
    row = device(name)
    generator = torch.Generator().manual_seed(size)
    level = torch.rand((size, size), generator=generator, dtype=torch.float64)
    g = row.g_off_s + (row.g_on_s - row.g_off_s) * level
    wire = wire_of_cell(NODE_NM, row.cell_area_f2)
    r_row, r_col = wire.r_row_ohm, wire.r_col_ohm
    x = (torch.rand(size, generator=generator, dtype=torch.float64) < 0.5).double()
    want = spice_currents_a(program, netlist(g, r_row, r_col, x), size)

    def error_pct(g_eff: Tensor, pairs: bool) -> float:
        got, right = x @ g_eff, want
        if pairs:
            got, right = got[::2] - got[1::2], right[::2] - right[1::2]
        return 100 * float((got - right).norm() / right.norm())

    exact, used = exact_effective_conductance(g, r_row, r_col), effective_conductance(g, r_row, r_col)
    return {
        "device": name,
        "size": size,
        "ignored_pct": error_pct(g, pairs=True),
        "exact_pct": error_pct(exact, pairs=False),
        "exact_pairs_pct": error_pct(exact, pairs=True),
        "used_pct": error_pct(used, pairs=False),
        "used_pairs_pct": error_pct(used, pairs=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ngspice", default="ngspice")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which(options.ngspice) is None:
        sys.exit(f"there is no program {options.ngspice}: install ngspice, or name it with --ngspice")
    rows = [compare(options.ngspice, name, options.size) for name in DEVICES]
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
