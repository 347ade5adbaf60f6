"""Device variation and training: the effect that NACIM (doi:10.1109/TC.2020.2991575) reports, reproduced.

A network trained without variation loses its accuracy when its weights are written into cells that vary; the same
network trained with the variation keeps it. Cells vary by Gaussian noise on each conductance, a fraction of its range;
the authors' own value is not public, so several are tried. Accuracy is measured in the exact mode, on chips that were
not seen in training. NACIM's abstract puts the losses at 76 points without and below 1 point with variation in mind.
"""

from __future__ import annotations

import argparse
import json
from statistics import fmean, stdev

import torch
from torch import nn
from torch.nn import functional

from nax_bo.accuracy.data import DataSet, load
from nax_bo.crossbar import CrossbarNetwork, accuracy, convert, monte_carlo
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.hardware.chip.devices import device, with_variation

VARIATION_ONLY = Conditions(read_noise=False, faults=False, ir_drop=False)


def network(channels: int, classes: int, size: int, seed: int) -> nn.Module:
    """Three convolutions, wider for larger images, and a linear layer."""
    widths = (16, 32, 32) if size <= 16 else (32, 64, 128)
    layers: list[nn.Module] = []
    for i, width in enumerate(widths):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if i < 2 or size > 16 else []
        channels = width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.reset_parameters()
        side = size // (4 if size <= 16 else 8)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, classes))


def trained(
    data: DataSet, chip: ChipSpec, sigma: float, aware: bool, options: argparse.Namespace
) -> CrossbarNetwork:
    """Trained quantised, with the variation if ``aware``, and calibrated."""
    images, labels = data.train_images[: options.train], data.train_labels[: options.train]
    model = network(images.shape[1], data.num_classes, images.shape[-1], options.seed)
    made = convert(
        model, chip, device=with_variation(device("nacim-gaussian"), sigma), weight_clip=options.clip
    )
    made.set_training_noise(VARIATION_ONLY if aware else None, options.seed)
    made.train()
    generator = torch.Generator().manual_seed(options.seed)
    steps = options.epochs * -(-len(images) // 64)
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for _ in range(options.epochs):
        for index in torch.randperm(len(images), generator=generator).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(made(images[index]), labels[index]).backward()
            optimiser.step()
            schedule.step()
    made.eval()
    made.calibrate(images[:64])
    return made


def measure(options: argparse.Namespace) -> list[dict[str, float | bool]]:
    data = load(options.data)
    images, labels = data.test_images[: options.test], data.test_labels[: options.test]
    chip = ChipSpec(arrays=(ArraySpec(rows=64, weight_bits=options.weight_bits, adc_bits=8),))
    rows: list[dict[str, float | bool]] = []
    for sigma in options.sigmas:
        for aware in (False, True):
            made = trained(data, chip, sigma, aware, options)
            made.mode = "ideal"
            clean = accuracy(made, images, labels)
            made.mode = "exact"
            draws = monte_carlo(made, images, labels, draws=options.draws, seed=1, conditions=VARIATION_ONLY)
            row = {"sigma": sigma, "aware": aware, "clean": clean, "mean": fmean(draws), "std": stdev(draws)}
            rows.append(row)
            if not options.json:
                how = "with" if aware else "without"
                loss = 100 * (row["clean"] - row["mean"])
                print(
                    f"{sigma:8.2f}{how:>12s}{100 * clean:12.2f}{100 * row['mean']:12.2f}"
                    f"{100 * row['std']:8.2f}{loss:12.2f}",
                    flush=True,
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits", help="data set; cifar10:FOLDER for the larger one")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3])
    parser.add_argument("--weight-bits", type=int, default=5)
    parser.add_argument("--clip", type=float, default=2.5, help="clip weights, in root mean squares")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--train", type=int, default=50_000, help="most training images")
    parser.add_argument("--test", type=int, default=1_000, help="most test images")
    parser.add_argument("--draws", type=int, default=8, help="programmed chips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of a table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.json:
        print(
            f"{'sigma':>8s}{'variation':>12s}{'clean':>12s}{'on chips':>12s}{'std':>8s}{'lost points':>12s}"
        )
    rows = measure(options)
    if options.json:
        print(json.dumps({"data": options.data, "rows": rows}))


if __name__ == "__main__":
    main()
