"""What a reproduction found: contenders against baselines, claims, and factors; plain values, JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from nax_bo.outcomes import OUTCOMES
from nax_bo.reproduce.factors import Factor
from nax_bo.reproduce.pairs import Interval
from nax_bo.systems import Claim

BASELINES = ("paper", "homogeneous", "scaled")
TOLERANCE = 0.005
"""Loss of accuracy against the baseline that counts as none: half a point."""


@dataclass(frozen=True)
class Contender:
    """The best design of one search.

    Attributes:
        search: Whose: ``own search``, ``naxbo``, ``union``, ...
        seed: Of the search.
        design: Its choices.
        costs: Priced outcomes by name.
        accuracy: Mean over its trainings.
        lost: Accuracy without noise of devices less that with it, mean.
        difference: Of accuracy, by baseline, paired.
        gains: By baseline and outcome: how many times better.
        factors: Of the first cost claimed, against the paper's baseline.
        designs, images: What its search looked at: designs, and training images that they saw.
    """

    search: str
    seed: int
    design: Mapping[str, Any]
    costs: Mapping[str, float]
    accuracy: float
    lost: float
    difference: Mapping[str, Interval]
    gains: Mapping[str, Mapping[str, float]]
    factors: Sequence[Factor]
    designs: int
    images: int


@dataclass(frozen=True)
class Result:
    """Everything that is reported.

    Attributes:
        system: Name.
        scale, data: Budget and data set.
        claims: Of the system.
        assumptions: Of the system, as plain rows.
        baselines: Name of the chosen design, accuracy and costs, by kind; kinds without a design are missing.
        main: The outcome whose factors are shown.
        contenders: Best designs.
    """

    system: str
    scale: str
    data: str
    claims: Sequence[Claim]
    assumptions: Sequence[Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, Any]]
    main: str
    contenders: Sequence[Contender]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, verdicts included."""
        return {**asdict(self), "verdicts": self.verdicts()}

    def verdicts(self) -> list[dict[str, Any]]:
        """One row per claim and contender: what was claimed, what was obtained against each baseline, and why not."""
        return [self._verdict(claim, c) for claim in self.claims for c in self.contenders]

    def _verdict(self, claim: Claim, found: Contender) -> dict[str, Any]:
        obtained = {kind: _obtained(claim, found, kind) for kind in BASELINES if kind in self.baselines}
        values = {kind: value for kind, value in obtained.items() if value is not None}
        reached = [kind for kind, value in values.items() if self._meets(claim, value, found, kind)]
        return {
            "claim": claim.metric,
            "claimed": claim.value,
            "search": found.search,
            "seed": found.seed,
            **{kind: obtained.get(kind) for kind in BASELINES},
            "reached against": reached,
            "why not": "" if len(reached) == len(values) else self._why(claim, values, found),
        }

    def _meets(self, claim: Claim, value: float, found: Contender, kind: str) -> bool:
        if claim.metric == "accuracy":
            return value >= claim.value
        if claim.metric in OUTCOMES:
            return value >= claim.value and found.difference[kind].mean >= -TOLERANCE
        return value <= claim.value if claim.lost else value >= claim.value

    def _why(self, claim: Claim, values: Mapping[str, float], found: Contender) -> str:
        if not values:
            return "no baseline can be priced so"
        missed = [kind for kind, value in values.items() if not self._meets(claim, value, found, kind)]
        loss = [k for k in missed if found.difference[k].mean < -TOLERANCE and claim.metric != "accuracy"]
        if loss and claim.metric in OUTCOMES:
            points = ", ".join(f"{-100 * found.difference[k].mean:.1f} against {k}" for k in loss)
            return f"accuracy is not held: points lost {points}"
        closest = ", ".join(f"{values[k]:.3g} against {k}" for k in missed)
        largest = max(found.factors, key=lambda f: f.gain, default=None)
        source = f"; most comes from {largest.group} ({largest.gain:.3g} x)" if largest else ""
        return f"obtained {closest} after {found.designs} designs{source}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per contender: accuracy against the paper's baseline with its interval, gains, budget."""
        out = []
        for c in self.contenders:
            d = c.difference["paper"]
            row = {
                "search": c.search,
                "seed": c.seed,
                "accuracy %": round(100 * c.accuracy, 1),
                "points vs paper": round(100 * d.mean, 2),
                "95 % interval": f"{100 * d.low:+.2f} to {100 * d.high:+.2f}",
                "pairs": d.count,
            }
            for kind in BASELINES:
                if kind in c.gains:
                    row[f"vs {kind}"] = round(c.gains[kind][self.main], 2)
            out.append({**row, "designs": c.designs, "images seen": c.images})
        return out

    def factor_rows(self) -> list[dict[str, Any]]:
        """One row per contender: the factors of its gain over the paper's baseline, and their product."""
        names = list(dict.fromkeys(f.group for c in self.contenders for f in c.factors))
        out = []
        for c in self.contenders:
            gains: dict[str, Any] = {f.group: round(f.gain, 3) for f in c.factors}
            total = 1.0
            for f in c.factors:
                total *= f.gain
            out.append({"search": c.search, "seed": c.seed, **{n: gains.get(n, 1.0) for n in names},
                        "total": round(total, 3)})  # fmt: skip
        return out

    def baseline_rows(self) -> list[dict[str, Any]]:
        """The baselines that stand, one row each."""
        return [
            {
                "baseline": kind,
                "design": b["name"],
                "accuracy %": round(100 * fmean(b["accuracies"]), 1),
                **b["costs"],
            }
            for kind, b in self.baselines.items()
        ]


def _obtained(claim: Claim, found: Contender, kind: str) -> float | None:
    """Ratio of a cost, points of accuracy, or what the claim's words ask for; None if that is unknown here."""
    if claim.metric == "accuracy":
        return 100 * found.difference[kind].mean
    if claim.metric in OUTCOMES:
        return found.gains[kind].get(claim.metric)
    if claim.lost:
        return 100 * found.lost
    return 100 * found.accuracy if claim.metric.startswith("accuracy of the design") else None
