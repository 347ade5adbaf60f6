"""Designs of VGG16 size priced per second: in batches, one prepared design at a time, and from network and chip.

    python benchmarks/cost_speed.py [--json] [--profile published] [--designs 20000]

Designs per second of processor time on one core; best and median of several repetitions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from nax_bo.hardware import ArraySpec, ChipSpec, Workload, cost_model
from nax_bo.network.named import named_network

REPEATS = 15


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


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--profile", default="published", help="cost model: name or TOML profile")
    parser.add_argument("--designs", type=int, default=20_000, help="designs in the batch")
    args = parser.parse_args()
    model, many = cost_model(args.profile), population(args.designs)
    one = many.take(slice(0, 1))
    network, chip = named_network("vgg16", (3, 32, 32), 10), ChipSpec(arrays=(ArraySpec(),))
    results = {
        "slots_per_design": many.shape[1],
        "batch": rate(lambda: model.evaluate_batch(many), args.designs, 1),
        "one_prepared": rate(lambda: model.evaluate_batch(one), 1, 50),
        "one_from_specs_with_breakdown": rate(lambda: model.evaluate(network, chip), 1, 50),
    }
    print(json.dumps(results, indent=None if args.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
