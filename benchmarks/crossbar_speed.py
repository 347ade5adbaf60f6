"""Time of each crossbar mode relative to plain torch float on the same convolutional network, one thread.

Float and crossbar runs alternate in one process and each ratio is between medians of processor time, so that other load
on the machine cancels. The network is 3 -> 32 -> 64 -> 128 channels, 3 x 3 kernels, 32 x 32 images, batch 64, with
batch normalisation and 2 x 2 pooling after each layer. The chip slices weights into 4 cells, streams inputs in 8 pulses
and converts each partial sum of 128 rows with 8 bits, calibrated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch
from torch import nn
from torch.nn import functional

from nax_bo.crossbar import CrossbarNetwork, convert, noise_aware
from nax_bo.crossbar.arithmetic import compiled
from nax_bo.crossbar.physics.cells import NOMINAL
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions

GOALS = {
    "exact": 6.0,
    "exact, read noise / exact": 1.3,
    "adaptive": 3.5,
    "adaptive, read noise / adaptive": 1.3,
    "fast": 1.25,
    "training": 2.0,
}


def network(classes: int = 10) -> nn.Module:
    stages: list[nn.Module] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        stages += [
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(*stages, nn.Flatten(), nn.Linear(2048, classes))


def times(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median processor seconds of each run, interleaved."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(repeats + 2):
        for name, run in runs.items():
            start = time.thread_time()
            run()
            if i >= 2:  # the first rounds warm caches up
                found[name].append(time.thread_time() - start)
    return {name: median(seconds) for name, seconds in found.items()}


def reading(crossbars: CrossbarNetwork, mode: str, images: torch.Tensor) -> Callable[[], object]:
    def run() -> object:
        crossbars.mode = mode  # type: ignore[assignment]
        with torch.no_grad():
            return crossbars(images)

    return run


def step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], object]:
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)

    def run() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimiser.step()

    return run


def measure(options: argparse.Namespace) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(options.batch, 3, 32, 32, generator=generator)
    labels = torch.randint(10, (options.batch,), generator=generator)
    chip = ChipSpec(arrays=(ArraySpec(rows=128, bits_per_cell=2, adc_bits=8),))
    quiet = replace(Conditions(), read_noise=False)
    plain, trained = network().eval(), network().train()
    runs: dict[str, Callable[[], object]] = {"float": lambda: _no_grad(plain, images)}
    for name, conditions in (("", NOMINAL if options.nominal else quiet), (", read noise", Conditions())):
        crossbars = convert(network(), chip).eval()
        crossbars.calibrate(images)
        crossbars.program(0, conditions)
        for mode in ("exact", "adaptive", "fast"):
            runs[mode + name] = reading(crossbars, mode, images)
    runs["float training"] = step(trained, images, labels)
    runs["training"] = step(noise_aware(network(), chip, Conditions()), images, labels)
    seconds = times(runs, options.repeats)
    ratios = {name: seconds[name] / seconds["float"] for name in ("exact", "adaptive", "fast")}
    for mode in ("exact", "adaptive", "fast"):
        ratios[f"{mode}, read noise / {mode}"] = seconds[f"{mode}, read noise"] / seconds[mode]
    ratios["training"] = seconds["training"] / seconds["float training"]
    return ratios


def _no_grad(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = model(images)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--nominal", action="store_true", help="cells as intended, instead of programmed ones"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of a table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ratios = measure(options)
    if options.json:
        print(json.dumps({"compiled": compiled.available(), **{k: round(v, 3) for k, v in ratios.items()}}))
        return
    print(f"compiled kernel: {'yes' if compiled.available() else 'no'}")
    for name, ratio in ratios.items():
        goal = f"goal {GOALS[name]:g}" if name in GOALS else ""
        print(f"{name:36s}{ratio:8.2f}   {goal}")


if __name__ == "__main__":
    main()
