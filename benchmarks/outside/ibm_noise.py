"""Noise of PCM and RRAM cells, and of a layer made of them, against IBM's own formulas (aihwkit, MIT).

aihwkit is the user's: ``--aihwkit`` names the ``src`` folder of its unpacked source (``pip download --no-deps
aihwkit``) or the folder it is installed in. Only its noise models are imported, which need no compiled part.

Cells of 32 target conductances are programmed and read many times by both, at several times; so are layers of random
weights, whose output error is compared. Prints standard deviations and means as ratios (1: they agree). At one second
naxbo's RRAM is noisier on purpose: of two published fits it takes the larger one at every level.

Run: ``python benchmarks/outside/ibm_noise.py --aihwkit PATH [--draws N] [--json]``
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from nax_bo.crossbar.physics.drift import drift
from nax_bo.crossbar.physics.programming import program
from nax_bo.crossbar.physics.read_noise import read_sigma
from nax_bo.hardware.chip.devices import device

HOUR_S, DAY_S = 3600.0, 86400.0
CASES = {  # device: their module, class, largest conductance in uS, times in s
    "pcm-joshi": ("pcm", "PCMLikeNoiseModel", 25.0, (0.0, HOUR_S, DAY_S, 365 * DAY_S)),
    "rram-neurram": ("reram", "ReRamWan2022NoiseModel", 40.0, (1.0, DAY_S, 2 * DAY_S)),
}
LEVELS, ROWS, COLS = 32, 64, 16


def their_model(source: Path, module: str, name: str, g_max_us: float) -> Any:
    """A noise model of aihwkit, without the packages around it: those load its compiled part."""
    for package in ("aihwkit", "aihwkit.inference", "aihwkit.inference.noise", "aihwkit.inference.converter"):
        folder = source.joinpath(*package.split("."))
        if not folder.is_dir():
            sys.exit(f"{source} holds no aihwkit: there is no {folder}")
        stand_in = ModuleType(package)
        stand_in.__path__ = [str(folder)]
        sys.modules.setdefault(package, stand_in)
    return getattr(importlib.import_module(f"aihwkit.inference.noise.{module}"), name)(g_max=g_max_us)


def theirs(model: Any, target_us: Tensor, time_s: float) -> Tensor:
    """Conductances that a read at ``time_s`` finds, uS."""
    written = model.apply_programming_noise_to_conductance(target_us)
    drifting = model.generate_drift_coefficients(target_us)
    return model.apply_drift_noise_to_conductance(written, drifting, time_s)


def ours(name: str, target_us: Tensor, g_max_us: float, time_s: float, generator: torch.Generator) -> Tensor:
    """The same by naxbo's models."""
    row = device(name)
    scale = row.g_on_s / g_max_us
    target = target_us * scale
    written = program(target, row, generator, time_s)
    now = drift(written, row, time_s, generator, target)
    noise = torch.randn(now.shape, generator=generator, dtype=now.dtype)
    reading = name.startswith("pcm")  # their model of RRAM has no read noise
    return (now + reading * read_sigma(now, row, time_s, written) * noise).clamp(min=0) / scale


def compare(source: Path, draws: int) -> list[dict[str, Any]]:
    """One row per device and time."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(1)
    rows = []
    for name, (module, kind, g_max_us, times) in CASES.items():
        model = their_model(source, module, kind, g_max_us)
        levels = torch.linspace(0.02, 1.0, LEVELS, dtype=torch.float64) * g_max_us
        cells = levels.repeat(draws, 1)
        weights = torch.rand((ROWS, COLS), generator=generator, dtype=torch.float64) * g_max_us
        inputs = torch.rand(ROWS, generator=generator, dtype=torch.float64)
        for time_s in times:
            a = ours(name, cells, g_max_us, time_s, generator)
            b = theirs(model, cells, time_s)
            layers = weights.repeat(draws // 8, 1, 1)
            y = [
                inputs @ g
                for g in (
                    ours(name, layers, g_max_us, time_s, generator),
                    theirs(model, layers, time_s),
                )
            ]
            spread, mean = a.std(0) / b.std(0), a.mean(0) / b.mean(0)
            rows.append(
                {
                    "device": name,
                    "time_s": time_s,
                    "cell_spread": float(spread.mean()),
                    "worst_level": float(spread[(spread - 1).abs().argmax()]),
                    "cell_mean": float(mean.mean()),
                    "layer_spread": float((y[0].std(0) / y[1].std(0)).mean()),
                    "layer_mean": float((y[0].mean(0) / y[1].mean(0)).mean()),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--aihwkit", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = compare(options.aihwkit, options.draws)
    if options.json:
        print(json.dumps(rows))
        return
    print(
        f"naxbo / aihwkit; a spread of {options.draws} draws is known to {100 / math.sqrt(options.draws):.1g} %"
    )
    for row in rows:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v:13}" for k, v in row.items()))


if __name__ == "__main__":
    main()
