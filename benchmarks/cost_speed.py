"""Designs priced per second: of VGG16 size, and from the choices of joint spaces.

VGG16: in batches, one prepared design at a time, and from network and chip. Spaces: built-in ones and the example of a
user's own, described and priced 2,000 designs at a time.

    python benchmarks/cost_speed.py [--json] [--profile published] [--designs 20000]

Designs per second of processor time on one core; best and median of several repetitions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nax_bo.hardware import ArraySpec, ChipSpec, CostModel, Workload, cost_model
from nax_bo.network.named import named_network
from nax_bo.systems import System, load_system

REPEATS = 15
CHOICES = 2000
"""Designs of a joint space described and priced at a time."""
OWN = f"{Path(__file__).parents[1] / 'examples' / 'my_space.py'}:MySpace"


def rate(action: Callable[[], object], per_call: int, calls: int) -> dict[str, float]:
    """Designs per second of the best and of the median repetition."""
    action()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(calls):
            action()
        seconds.append((time.process_time() - start) / calls)
    return {"best_per_s": per_call / min(seconds), "median_per_s": per_call / statistics.median(seconds)}


def population(designs: int, seed: int = 0) -> Workload:
    """VGG16 with random per-layer crossbars, converters and column sharing."""
    rng = np.random.default_rng(seed)
    base = Workload.from_designs([named_network("vgg16", (3, 32, 32), 10)], [ChipSpec()])
    shape = (designs, base.shape[1])
    side = rng.choice([32.0, 64.0, 128.0, 256.0], shape)
    network = {name: getattr(base, name) for name in ("kind", "matrix_rows", "matrix_cols", "groups", "vectors",
               "in_elements", "out_elements", "residual_elements", "kernel_area", "digital_ops")}  # fmt: skip
    return Workload.from_arrays(
        ("rram", "pcm", "fefet"),
        **network,
        rows=side,
        cols=side,
        adc_bits=rng.integers(4, 9, shape),
        flash=rng.integers(0, 2, shape),
        mux=rng.choice([2.0, 4.0, 8.0, 16.0, 32.0], shape),
        device=rng.integers(0, 3, (designs, 1)),
        technology_nm=rng.choice([14.0, 22.0, 32.0, 65.0], (designs, 1)),
        global_buffer_kb=rng.choice([128.0, 512.0, 2048.0], (designs, 1)),
    )


def from_choices(model: CostModel, system: System) -> object:
    """Decode and price designs of a space."""
    return model.evaluate_batch(system.workload(system.space.columns(_designs(system))))


@lru_cache
def _designs(system: System) -> NDArray[np.int64]:
    return system.space.sample(CHOICES, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--profile", default="published", help="cost model: name or TOML profile")
    parser.add_argument("--designs", type=int, default=20_000, help="designs in the batch")
    args = parser.parse_args()
    model, many = cost_model(args.profile), population(args.designs)
    one = many.take(slice(0, 1))
    network, chip = named_network("vgg16", (3, 32, 32), 10), ChipSpec(arrays=(ArraySpec(),))
    references = {"space_vgg": "vgg", "space_resnet": "resnet", "space_of_own": OWN}
    spaces = {name: load_system(text, (3, 32, 32), 10) for name, text in references.items()}
    results = {
        "slots_per_design": many.shape[1],
        "batch": rate(lambda: model.evaluate_batch(many), args.designs, 1),
        "one_prepared": rate(lambda: model.evaluate_batch(one), 1, 50),
        **{name: rate(partial(from_choices, model, space), CHOICES, 1) for name, space in spaces.items()},
        "one_from_specs_with_breakdown": rate(lambda: model.evaluate(network, chip), 1, 50),
    }
    print(json.dumps(results, indent=None if args.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
