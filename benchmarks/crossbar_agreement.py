"""How well the fast and the adaptive mode agree with the exact one, over hardware settings.

Each setting trains a small network noise-aware for its own chip (digits, or CIFAR-10 with ``--data``), programs the
same chips in all three modes and compares mean accuracies. Prints one row per setting, the mean and the largest gap,
and Kendall's tau between each cheap mode and the exact one.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from statistics import fmean

import torch
from torch import nn
from torch.nn import functional

from nax_bo.accuracy.data import load
from nax_bo.crossbar import monte_carlo, noise_aware
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions

CHEAP = ("fast", "adaptive")


def settings() -> list[tuple[str, ArraySpec, Conditions]]:
    """Hardware settings from harmless to ruinous: converters, slicing, array height, encoding, devices."""
    base = {"rows": 64, "adc_bits": 5}
    changes = [
        {},
        *({"adc_bits": bits} for bits in (2, 3, 4, 6, 8)),
        *({"adc_bits": bits, "adc_range": 1.0} for bits in (4, 5, 6, 8)),
        *({"adc_bits": 4, "adc_range": fraction} for fraction in (0.0625, 0.125, 0.25, 0.5)),
        *({"rows": rows, "adc_bits": 4} for rows in (16, 32, 128, 256)),
        *({"bits_per_cell": bits} for bits in (1, 4)),
        *({"dac_bits": bits} for bits in (2, 4)),
        *({"weight_bits": w, "input_bits": i} for w, i in ((4, 4), (3, 3), (6, 4))),
        *({"encoding": "offset", "adc_bits": bits} for bits in (5, 6, 7)),
    ]
    found = [(_label(c), ArraySpec(**(base | c)), Conditions()) for c in changes]
    for scale in (0.0, 0.5, 2.0, 3.0):
        found.append((f"variation_scale={scale:g}", ArraySpec(**base), Conditions(variation_scale=scale)))
    return found


def _label(change: dict[str, object]) -> str:
    return " ".join(f"{k}={v}" for k, v in change.items()) or "base"


def network(channels: int, classes: int, seed: int) -> nn.Module:
    """Three convolutions and a linear layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            *_stage(channels, 16),
            nn.MaxPool2d(2),
            *_stage(16, 32),
            nn.MaxPool2d(2),
            *_stage(32, 32),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(128, classes),
        )


def _stage(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int, seed: int) -> None:
    """Adam with a one-cycle learning rate."""
    generator = torch.Generator().manual_seed(seed)
    batches = -(-len(images) // 64)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=epochs * batches)
    model.train()
    for _ in range(epochs):
        for index in torch.randperm(len(images), generator=generator).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(model(images[index]), labels[index]).backward()
            optimiser.step()
            schedule.step()
    model.eval()


def kendall_tau(a: list[float], b: list[float]) -> float:
    """Kendall's tau-b of two rankings, ties counted as in Kendall (1945)."""

    def sign(x: float) -> int:
        return (x > 0) - (x < 0)

    pairs = [(sign(a[i] - a[j]), sign(b[i] - b[j])) for i, j in combinations(range(len(a)), 2)]
    agree = sum(x * y for x, y in pairs)
    untied = sum(x != 0 for x, _ in pairs) * sum(y != 0 for _, y in pairs)
    return agree / untied**0.5 if untied else 1.0


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    data = load(options.data)
    images, labels = data.train_images[: options.train], data.train_labels[: options.train]
    tests, answers = data.test_images[: options.test], data.test_labels[: options.test]
    rows: list[dict[str, object]] = []
    for i, (label, array, conditions) in enumerate(settings()):
        model = network(images.shape[1], data.num_classes, seed=i)
        crossbars = noise_aware(model, ChipSpec(arrays=(array,)), conditions, seed=i)
        train(crossbars, images, labels, options.epochs, seed=i)
        crossbars.calibrate(images[:64])
        row: dict[str, object] = {"setting": label}
        for mode in ("ideal", "exact", *CHEAP):
            crossbars.mode = mode
            draws = 1 if mode == "ideal" else options.draws
            row[mode] = fmean(
                monte_carlo(crossbars, tests, answers, draws=draws, seed=i, conditions=conditions)
            )
        rows.append(row)
        if not options.json:
            print(
                f"{label:40s}" + "".join(f"{100 * row[m]:9.2f}" for m in ("ideal", "exact", *CHEAP)),
                flush=True,
            )
    return rows


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    exact = [float(row["exact"]) for row in rows]
    found: dict[str, object] = {"settings": len(rows)}
    for mode in CHEAP:
        cheap = [float(row[mode]) for row in rows]
        gaps = [100 * abs(c - e) for c, e in zip(cheap, exact, strict=True)]
        found[f"{mode}_mean_gap_points"] = round(fmean(gaps), 3)
        found[f"{mode}_largest_gap_points"] = round(max(gaps), 3)
        found[f"{mode}_kendall_tau"] = round(kendall_tau(cheap, exact), 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits", help="data set; cifar10:FOLDER for the larger one")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--train", type=int, default=10_000, help="most training images")
    parser.add_argument("--test", type=int, default=1_000, help="most test images")
    parser.add_argument("--draws", type=int, default=4, help="programmed chips per setting")
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of a table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.json:
        print(f"{'setting':40s}{'ideal':>9s}{'exact':>9s}{'fast':>9s}{'adaptive':>9s}   accuracy in percent")
    rows = measure(options)
    found = summary(rows)
    if options.json:
        print(json.dumps({**found, "rows": rows}))
    else:
        print("\n".join(f"{key:32s}{value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
