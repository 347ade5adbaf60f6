"""How designs that inherit their weights from a super-network rank, beside short trainings and full ones.

Random designs of a joint space are looked at in full, shortly, and with weights inherited from the space's
super-network, which is trained once. Kendall's tau-b compares the rankings with the full one, over all designs and
within the half that the full one finds better. Seconds are processor time of one thread; those of the super-network's
training are given apart and are not part of an inherited look.

What is done is kept in a file (``--out``) and not repeated: ``--minutes`` ends a run, the next one goes on, and the
figures are those of the designs that are done. After a change of the training delete the file.

    python benchmarks/supernet.py [--system vgg] [--data cluttered-digits] [--choose width=16,32]... [--designs 30]
        [--minutes 8] [--recipe auto] [--out out/supernet.json]

For 16 x 16 images of CIFAR-10: ``--data cifar10:PATH,train=2000,test=2000,size=16``, with ``--choose width=16,32,48
--choose kernel=1,3`` (CNN) or ``--system vit`` (transformers of this file). Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluate import evaluate
from nax_bo.accuracy.fidelity import FULL, INHERIT, SHORT
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.supernet.inherit import super_network
from nax_bo.files import write_whole
from nax_bo.hardware.chip import ChipPlan, Conditions
from nax_bo.network import Graph
from nax_bo.network.spec import Shape
from nax_bo.network.vit import vit_layers
from nax_bo.space import Condition, Space, ordinal, restrict
from nax_bo.systems import load_system
from nax_bo.systems.chip_choices import chip_settings, chip_variables, shared_settings
from nax_bo.systems.system import Choices

MOST_LAYERS = 4
RUNGS = (INHERIT.name, SHORT.name, FULL.name)
Kept = dict[str, list[float]]


def tau(a: Any, b: Any) -> float:
    return round(float(kendalltau(a, b).statistic), 3)


class VitSystem:
    """Small transformers on chips with the choices of the built-in ``vgg``."""

    name, summary = "vit", "width, depth, heads and MLP of a small transformer, on a shared chip"

    def __init__(self, input_shape: Shape, num_classes: int) -> None:
        self.input_shape, self.num_classes = input_shape, num_classes
        depth = ordinal("depth", range(1, MOST_LAYERS + 1), scope="network")
        variables = [ordinal("width", (16, 24, 32, 48), scope="network"), depth]
        for i in range(1, MOST_LAYERS + 1):
            when = () if i == 1 else Condition("depth", tuple(range(i, MOST_LAYERS + 1)))
            variables.append(ordinal(f"heads_{i}", (1, 2, 4), scope=f"layer:{i}", when=when))
            variables.append(ordinal(f"mlp_{i}", (16, 32, 64, 96), scope=f"layer:{i}", when=when))
        self.space = Space([*variables, ordinal("crossbar", (32, 64, 128)), *chip_variables()])

    def build(self, graph: Graph, choices: Choices) -> None:
        """The encoder."""
        layers = range(1, MOST_LAYERS + 1)
        heads, widths = ([choices[f"{what}_{i}"] for i in layers] for what in ("heads", "mlp"))
        patch = min(self.input_shape[1:]) // 4
        vit_layers(
            graph, self.num_classes, choices["width"], heads, widths, depth=choices["depth"], head_width=8, patch=patch
        )  # fmt: skip

    def chip(self, choices: Choices) -> ChipPlan:
        """One kind of crossbar for all layers."""
        side = choices["crossbar"]
        return ChipPlan(rows=side, cols=side, **chip_settings(choices), **shared_settings(self.input_shape))


class Bench:
    """The looks of some designs, kept in a file."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.data = parse_data(args.data).load()
        reference = f"{__file__}:VitSystem" if args.system == "vit" else args.system
        self.system = load_system(reference, self.data.input_shape, self.data.num_classes)
        choices = dict(text.split("=", 1) for text in args.choose)
        chosen = {name: values.split(",") for name, values in choices.items()}
        self.space = restrict(self.system.space, chosen) if chosen else self.system.space
        self.designs = self.space.designs(self.space.sample(args.designs, args.seed))
        self.name = f"{args.system} {self.data.fingerprint[:12]} {sorted(args.choose)} {args.recipe}"
        everything = json.loads(args.out.read_text()) if args.out.exists() else {}
        self.kept: Kept = everything.get(self.name, {})
        self.everything = {**everything, self.name: self.kept}
        self.until = time.monotonic() + 60 * args.minutes

    def run(self) -> None:
        """Take looks, one design after the other, until all are taken or the time is up."""
        shared = self._super_network()
        for design in self.designs:
            network, chip = self.system.decode(design)
            for rung in RUNGS:
                if (key := f"{design.id} {rung}") in self.kept:
                    continue
                if time.monotonic() > self.until:
                    return
                start = time.process_time()
                report = evaluate(
                    network, chip, self.data, fidelity=rung, recipe=self.args.recipe, seed=1, shared=shared
                )
                self._keep(key, [report.mean, time.process_time() - start])

    def _super_network(self) -> Any:
        start = time.process_time()
        shared = super_network(
            Family(self.space, self.system.decode),
            self.data,
            recipe=self.args.recipe,
            seed=0,
            conditions=Conditions(),
            folder=self.args.out.parent,
        )
        if "trained" not in self.kept:
            self._keep("trained", [time.process_time() - start])
        return shared

    def _keep(self, key: str, values: list[float]) -> None:
        self.kept[key] = values
        write_whole(self.args.out, json.dumps(self.everything))
        print(key, [round(v, 4) for v in values], file=sys.stderr, flush=True)

    def summary(self) -> dict[str, Any]:
        """The figures, of the designs of which all looks are taken."""
        done = [d.id for d in self.designs if all(f"{d.id} {rung}" in self.kept for rung in RUNGS)]
        found: dict[str, Any] = {
            "system": self.args.system,
            "data": self.args.data,
            "choose": self.args.choose,
        }
        found |= {"designs": len(done), "train_seconds": round(self.kept["trained"][0], 1)}
        looks = {rung: np.array([self.kept[f"{i} {rung}"] for i in done]).reshape(-1, 2) for rung in RUNGS}
        if len(done) < 2:
            return found
        full = looks[FULL.name][:, 0]
        better = full >= np.median(full)
        for rung, values in looks.items():
            found[f"{rung}_seconds"] = round(float(values[:, 1].mean()), 3)
            found[f"{rung}_mean_accuracy"] = round(float(values[:, 0].mean()), 3)
            if rung != FULL.name:
                found[f"tau_{rung}"] = tau(values[:, 0], full)
                found[f"tau_{rung}_better_half"] = tau(values[better, 0], full[better])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--system", default="vgg")
    parser.add_argument("--data", default="cluttered-digits")
    parser.add_argument("--choose", action="append", default=[], metavar="NAME=VALUES")
    parser.add_argument("--designs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="which random designs")
    parser.add_argument("--recipe", default="auto")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no look after so many")
    parser.add_argument("--out", type=Path, default=Path("out/supernet.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    bench.run()
    print(json.dumps(bench.summary()))


if __name__ == "__main__":
    main()
