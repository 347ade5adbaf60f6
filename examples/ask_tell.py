"""Ask for designs, tell what they gave: a problem that has nothing to do with chips.

A small cache hierarchy is chosen for a processor. Area and access energy follow from formulas (known); the miss rate
has to be measured (here: a formula with noise that the optimiser does not see). Runs in a few seconds:

    python examples/ask_tell.py
"""

import numpy as np

from nax_bo.search import Constraint, Objective, Optimizer, Problem, Proxy
from nax_bo.search.sensitivity import sensitivity
from nax_bo.space import Condition, Space, categorical, ordinal

space = Space(
    [
        ordinal("l1_kib", [8, 16, 32, 64]),
        ordinal("l1_ways", [1, 2, 4, 8]),
        ordinal("line_bytes", [16, 32, 64, 128]),
        categorical("replacement", ["lru", "random", "plru"]),
        categorical("levels", ["one", "two"]),
        ordinal("l2_kib", [128, 256, 512, 1024], when=Condition("levels", ("two",))),
        ordinal("l2_ways", [4, 8, 16], when=Condition("levels", ("two",))),
    ]
)


def costs(columns):
    two = columns["levels"] == "two"
    kib = columns["l1_kib"] * 1.5 + np.where(two, columns["l2_kib"], 0)
    energy = np.sqrt(columns["l1_kib"] * columns["l1_ways"]) + np.where(
        two, 0.1 * np.sqrt(columns["l2_kib"]), 0
    )
    return {"area_mm2": 0.004 * kib + 0.05, "energy_pj": 2.0 * energy * (columns["line_bytes"] / 32) ** 0.3}


def measured_miss_rate(design, rng):
    reach = (
        np.log2(design["l1_kib"]) + 0.4 * np.log2(design["l1_ways"]) + 0.5 * np.log2(design.get("l2_kib", 1))
    )
    stride = 0.3 * abs(np.log2(design["line_bytes"] / 64))
    policy = {"lru": 0.0, "plru": 0.1, "random": 0.35}[design["replacement"]]
    rate = 1.0 / (1.0 + np.exp(0.45 * reach - 1.0 - stride - policy))
    return float(np.clip(rate * (1.0 + 0.03 * rng.standard_normal()), 1e-4, 1.0))


problem = Problem(
    space,
    objectives=[Objective("miss_rate", scale="logit"), Objective("energy_pj", scale="log10")],
    constraints=[Constraint("area_mm2", upper=3.0)],
    proxies=[
        Proxy("log_capacity", lambda c: np.log2(c["l1_kib"]) + (c["levels"] == "two") * np.log2(c["l2_kib"]))
    ],
    known_outcomes=costs,
    reference_point={"miss_rate": 0.5, "energy_pj": 100.0},
)


def main() -> None:
    optimizer = Optimizer(problem, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(8):
        for suggestion in optimizer.ask(4):  # four measurements at a time
            rate = measured_miss_rate(suggestion.design, rng)
            optimizer.tell(suggestion.design, {"miss_rate": rate}, variance={"miss_rate": (0.03 * rate) ** 2})
    print(f"last proposal, because: {suggestion.reason}")
    print(f"hypervolume {optimizer.hypervolume():.3f} below {optimizer.reference_point}")
    for point in sorted(optimizer.front(), key=lambda p: p.outcomes["miss_rate"]):
        rate, energy = point.outcomes["miss_rate"], point.outcomes["energy_pj"]
        print(f"  miss rate {rate:.4f}  {energy:6.1f} pJ  {dict(point.design)}")
    for outcome in sensitivity(optimizer)[:2]:
        first = outcome.ranking()[0]
        print(
            f"{outcome.outcome} depends most on {first} ({outcome.total[first]:.0%} of its variance near the front)"
        )


if __name__ == "__main__":
    main()
