"""Compare predicted with measured TOPS/W and TOPS/mm2 of published compute-in-memory macros.

    python benchmarks/silicon_macros.py --macros macros.csv [--leave-out publication] [--json] [--predict-cycle]

One row of the file is one operating point; columns as described by its readme: structure (rows, cols, rows_active,
n_adc, bits), node, supply, cycle time, and the measured figures with the basis on which they are given. Figures
normalised to 1 bit x 1 bit are divided by input bits x weight bits first. The cycle time is an operating point like
the supply: where the file states it, it is used, unless --predict-cycle. Measured energies and shares are never read.

A few constants of the profile were fitted to such rows (silicon_fit.py). --leave-out publication judges them honestly:
each publication is predicted with constants fitted to all others. Medians are over points; "publications" gives the
median of the publications' medians.

What the model does not know, by class:
  charge sram   sense-amplifier converters of small dot products at 28 nm cost a fraction of what is predicted.
  current nvm   read voltage and conductance differ by 10x between devices and are not in the file; test chips carry
                write circuits and pads that dwarf small arrays.
  bitline sram  how input bits reach the cells (pulse widths, DACs, bit by bit); area of digital post-processing.
  digital sram  sparsity, and figures normalised to one bit without saying so.
  all           clocks of test chips differ by 100x for reasons outside structure: --predict-cycle is poor for density.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import statistics
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nax_bo.hardware.pricing.macro import Macro, Mechanism, predict
from nax_bo.hardware.profiles import Profile, load_profile

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Prediction beside measurement of one row, at its own precision; errors are None where nothing was measured.

    ``bit_products`` is input bits x weight bits: figures times this are normalised to 1 bit x 1 bit.
    """

    point: str
    macro: str
    mechanism: str
    tops_w: float
    tops_w_measured: float | None
    tops_mm2: float
    tops_mm2_measured: float | None
    bit_products: float
    assumed: tuple[str, ...]

    @property
    def error_w(self) -> float | None:
        """log2(predicted / measured) of TOPS/W."""
        return math.log2(self.tops_w / self.tops_w_measured) if self.tops_w_measured else None

    @property
    def error_mm2(self) -> float | None:
        """log2(predicted / measured) of TOPS/mm2."""
        return math.log2(self.tops_mm2 / self.tops_mm2_measured) if self.tops_mm2_measured else None


def compare(row: Row, predict_cycle: bool = False, profile: str | Profile = "published") -> Comparison:
    """Predict one row on the basis of its own figures."""
    macro, assumed = read_macro(row, predict_cycle)
    cost = predict(macro, profile)
    one_bit = row.get("efficiency_basis", "").startswith("1b-normalised")
    products = macro.input_bits * macro.weight_bits * macro.input_steps * macro.weight_units
    bits = products if one_bit else 1.0
    whole_chip = "core chip" in row.get("efficiency_basis", "")  # tops of all cores, area of one
    copies = (_number(row.get("n_macros")) or 1.0) if whole_chip else 1.0
    measured_w, measured_mm2 = _number(row.get("tops_per_w")), _number(row.get("tops_per_mm2"))
    tops, area = _number(row.get("tops")), _number(row.get("area_mm2"))
    if measured_mm2 is None and tops and area:
        measured_mm2 = tops / (area * copies)
    return Comparison(
        row["point_id"],
        row.get("macro_id", ""),
        macro.mechanism + (" nvm" if macro.resistive else " sram"),
        cost.tops_w,
        measured_w / bits if measured_w else None,
        cost.tops_mm2,
        measured_mm2 / bits if measured_mm2 else None,
        products,
        tuple(assumed),
    )


def read_macro(row: Row, predict_cycle: bool) -> tuple[Macro, list[str]]:
    """Structure of a row, and the names of the fields that it leaves out and that were assumed."""
    assumed: list[str] = []

    def get(name: str, default: float) -> float:
        value = _number(row.get(name))
        if (
            value is None
            or value < 0
            or (value == 0 and name in {"tech_nm", "vdd", "rows", "cols", "rows_active"})
        ):
            assumed.append(name)
            return default
        return value

    text = " ".join(row.get(k, "") for k in ("compute_model", "cell_type", "memory")).lower()
    memory = _memory(row.get("memory", ""))
    resistive = memory != "sram"
    mechanism = _mechanism(text, resistive)
    pair = re.search(r"(\d)(?: or \d)?(?:/| \w+ per )weight", row.get("cell_type", ""))
    tech = get("tech_nm", 28.0)
    rows, cols = get("rows", 256.0), get("cols", 256.0)
    input_total, weight_total = _number(row.get("in_bits_total")), _number(row.get("w_bits_total"))
    input_step = _number(row.get("in_bits_per_cycle")) or input_total or 1.0
    one_cell = (
        1.0 if (weight_total or 0) > 2 and not resistive else weight_total
    )  # an SRAM cell stores one bit
    weight_unit = _number(row.get("w_bits_per_unit")) or one_cell or 1.0
    stated = re.search(r"\bN=([\d.]+)", row.get("energy_pJ_or_breakdown", ""))
    terms = float(stated.group(1)) if stated else get("rows_active", rows)
    outputs = get("n_adc", cols) or cols / max(weight_unit, 1.0)
    if pair and outputs >= cols:
        outputs = cols / float(pair.group(1))
    cycle = None if predict_cycle else _cycle(row, input_step)
    if cycle is None:
        assumed.append("t_cycle_ns")
    transistors = re.match(r"(\d+)T", row.get("cell_type", ""))
    return Macro(
        mechanism=mechanism,
        tech_nm=min(max(tech, 2.0), 500.0),
        supply_v=min(max(get("vdd", 0.9), 0.2), 5.0),
        memory=memory,
        transistors=float(transistors.group(1)) if transistors else 10.0,
        rows=rows,
        cols=cols,
        terms=terms,
        outputs=outputs,
        adc_bits=0.0 if mechanism == "digital" else get("adc_bits", 6.0),
        input_bits=input_step,
        weight_bits=weight_unit,
        input_steps=math.ceil(input_total / input_step) if input_total else 1.0,
        weight_units=math.ceil(weight_total / weight_unit) if weight_total else 1.0,
        cycle_ns=cycle,
        in_cell="in-cell" in text or "bit-serial" in text,
        groups=max(1.0, _number(row.get("cell_groups_per_unit")) or 1.0),
        processor="processor=Y" in row.get("energy_pJ_or_breakdown", ""),
        cells_per_weight=float(pair.group(1)) if pair else 1.0,
    ), assumed


def _memory(text: str) -> str:
    """Memory of :class:`Macro`; what is not known to be resistive (SRAM, embedded DRAM, latches) counts as SRAM."""
    kinds = {
        "rram": r"rram|reram|memrist|cbram|ecram|oxram",
        "pcm": r"pcm|pram|phase",
        "mram": r"mram|mtj",
        "fefet": r"fefet|feram|fram|ferro",
        "nor-flash": r"flash|sonos|float",
    }
    return next((kind for kind, names in kinds.items() if re.search(names, text.lower())), "sram")


def _mechanism(text: str, resistive: bool) -> Mechanism:
    if "dimc" in text or "digital" in text:
        return "digital"
    if re.search(r"\bis\b", text):
        return "current"
    if (
        re.search(r"charge|voltage|\bqr\b", text)
        and "duration" not in text
        and not re.search(r"\bqs\b", text)
    ):
        return "charge"
    if resistive:
        return "current"
    return "bitline" if re.search(r"\bqs|current", text) else "charge"


def _cycle(row: Row, input_bits: float) -> float | None:
    """Step time in ns: a number, "A ns x B cycles at U V", "A at U V scale (U/V)^k", or the phases of an integrator."""
    text, volt, conditions = row.get("t_cycle_ns", ""), _number(row.get("vdd")), row.get("conditions", "")
    phases = re.search(r"integrate ([\d.]+) us, ADC step ([\d.]+) us, inter-phase ([\d.]+) us", conditions)
    if phases and not text:
        integrate, step, between = (float(x) * 1e3 for x in phases.groups())
        magnitude = max(1, math.ceil(input_bits) - 1)  # unary pulses of a signed input
        halves = (
            [-(-magnitude // 2), magnitude // 2]
            if "two-phase" in row.get("in_bits_per_cycle", "")
            else [magnitude]
        )
        conversion = (_number(row.get("adc_bits")) or 0.0) * step + between
        return sum((2**bits - 1) * integrate + conversion for bits in halves)
    numbers = re.match(r"\s*([\d.]+)(?:\s*ns)?(?:\s*x\s*([\d.]+))?", text)
    if not numbers:
        return None
    time = float(numbers.group(1)) * float(numbers.group(2) or 1)
    law = re.search(r"\(([\d.]+)/V\)\^([\d.]+)", text + " " + conditions)
    return time * (float(law.group(1)) / volt) ** float(law.group(2)) if law and volt else time


def _number(text: str | None) -> float | None:
    match = re.match(r"\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", text or "")
    return float(match.group(1)) if match else None


def summary(results: list[Comparison]) -> dict[str, object]:
    """Median |log2 error| and share within 2x, over all rows and by mechanism; assumed fields."""

    def stats(errors: list[float]) -> dict[str, float]:
        if not errors:
            return {"points": 0}
        size = [abs(e) for e in errors]
        return {
            "points": len(errors),
            "median_abs_log2": round(statistics.median(size), 3),
            "median_log2": round(statistics.median(errors), 3),
            "within_2x": round(sum(e <= 1 for e in size) / len(size), 3),
        }

    out: dict[str, object] = {"rows": len(results)}
    for name in ("error_w", "error_mm2"):
        key = "tops_per_w" if name == "error_w" else "tops_per_mm2"
        out[key] = stats([e for r in results if (e := getattr(r, name)) is not None])
        for mechanism in sorted({r.mechanism for r in results}):
            errors = [e for r in results if r.mechanism == mechanism and (e := getattr(r, name)) is not None]
            if errors:
                out[f"{key} {mechanism}"] = stats(errors)
        by_publication: dict[str, list[float]] = {}
        for r in results:
            if (e := getattr(r, name)) is not None:
                by_publication.setdefault(r.macro or r.point, []).append(abs(e))
        medians = [statistics.median(v) for v in by_publication.values()]
        out[f"{key} publications"] = stats(medians)
    out["assumed_fields"] = dict(Counter(name for r in results for name in r.assumed))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--macros", type=Path, required=True, help="csv file of silicon points")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--predict-cycle", action="store_true", help="predict the cycle time even where it is stated"
    )
    parser.add_argument("--profile", default="published", help="shipped profile or TOML file")
    parser.add_argument(
        "--leave-out", choices=["publication"], help="fit to all other publications before each is predicted"
    )
    args = parser.parse_args()
    profile = load_profile(args.profile)
    with args.macros.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if args.leave_out:
        from silicon_fit import leave_out

        results = leave_out(rows, args.predict_cycle, profile)
    else:
        results = [compare(row, args.predict_cycle, profile) for row in rows]
    if args.json:
        points = [
            {
                **{k: getattr(r, k) for k in r.__slots__},
                "log2_error_tops_w": r.error_w,
                "log2_error_tops_mm2": r.error_mm2,
            }
            for r in results
        ]
        json.dump({"summary": summary(results), "rows": points}, sys.stdout, indent=1)
        return 0
    for r in results:
        errors = ["   -  " if e is None else f"{e:+6.2f}" for e in (r.error_w, r.error_mm2)]
        print(f"{r.point:22s} {r.mechanism:12s} TOPS/W {r.tops_w:10.3f} {errors[0]}", end="")
        print(f"  TOPS/mm2 {r.tops_mm2:10.4f} {errors[1]}")
    print(json.dumps(summary(results), indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
