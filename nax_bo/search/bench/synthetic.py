"""Synthetic co-design problems with the structure of real ones, for comparing search strategies.

A design picks a network (depth, widths, kernels) and a crossbar chip (rows, ADC, cell and input bits, device). The
error is learned from noisy evaluations; it falls with capacity until it saturates, and rises with the noise that
ADC clipping, cell variation and input quantisation add in every layer, weighted by a fixed random sensitivity.
Energy, latency and area are closed forms over several decades. None of it is calibrated against silicon: only
rankings of search strategies are meant to carry over, and even those are to be checked on a real evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.errors import InputError
from nax_bo.search.problem import Constraint, Objective, Problem, Proxy
from nax_bo.space import Condition, Design, Space, Variable, categorical, ordinal

Array = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

DEVICES = {"rram": (0.10, 1.0), "pcm": (0.06, 1.6), "fefet": (0.04, 2.2), "sram": (0.01, 4.0)}
"""Relative cell variation and relative cell cost, in invented but ordered numbers."""


@dataclass(frozen=True)
class Shape:
    """Size of a synthetic problem.

    Attributes:
        layers: Most layers; the depth is a variable, and variables of absent layers are inactive.
        shallowest: Fewest layers.
        per_layer: Choices made per layer (of ``rows``, ``adc_bits``, ``weight_bits``, ``skip``), else per chip.
        objectives: Known objectives besides the error (of ``edap``, ``energy``, ``latency``, ``area``).
        area_limit: Upper limit on area.
        error_limit: Upper limit on the error; None for none.
        noise: Standard deviation of a told error at an error of one half.
        seed: Draws the sensitivities.
    """

    layers: int
    shallowest: int
    per_layer: tuple[str, ...]
    objectives: tuple[str, ...]
    area_limit: float
    error_limit: float | None
    noise: float
    seed: int


SHAPES = {
    "chip16": Shape(4, 2, (), ("energy", "latency"), 0.1, None, 0.01, 11),
    "chain24": Shape(6, 4, ("rows",), ("edap",), 0.15, 0.5, 0.015, 12),
    "mixed40": Shape(8, 5, ("rows", "adc_bits"), ("energy", "latency"), 0.2, None, 0.01, 13),
    "deep64": Shape(
        10, 6, ("rows", "adc_bits", "weight_bits", "skip"), ("edap", "area"), 0.4, None, 0.02, 14
    ),
}

_CHOICES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "rows": ("ordinal", (32, 64, 128, 256)),
    "adc_bits": ("ordinal", (3, 4, 5, 6, 7, 8)),
    "weight_bits": ("ordinal", (2, 4, 6, 8)),
    "skip": ("categorical", ("none", "add", "concat")),
}


@dataclass(frozen=True)
class Synthetic:
    """A problem with a known truth.

    Attributes:
        name: Its name.
        shape: Its size.
        proxy: Which proxy is offered: ``useful``, ``random``, ``adverse`` or ``none``.
    """

    name: str
    shape: Shape
    proxy: str = "none"

    @cached_property
    def space(self) -> Space:
        """Network and chip choices."""
        return Space(_variables(self.shape))

    @cached_property
    def problem(self) -> Problem:
        """The search problem; the error is told, all else is known."""
        proxies = () if self.proxy == "none" else (Proxy("score", self.score),)
        limits = [Constraint("area", upper=self.shape.area_limit)]
        if self.shape.error_limit is not None:
            limits.append(Constraint("error", upper=self.shape.error_limit))
        return Problem(
            self.space,
            [
                Objective("error", scale="logit"),
                *(Objective(n, scale="log10") for n in self.shape.objectives),
            ],
            constraints=limits,
            proxies=proxies,
            known_outcomes=self.costs,
            reference_point={"error": 0.6, **{n: _WORST[n] for n in self.shape.objectives}},
        )

    def costs(self, columns: Columns) -> dict[str, Array]:
        """Known outcomes: ``energy``, ``latency``, ``area`` and their product ``edap`` (arbitrary units)."""
        layers = _Layers(self.shape, columns)
        arrays = np.ceil(layers.fan_in / layers.rows) * np.ceil(
            layers.width * layers.weight_bits / layers.cell_bits / 64
        )
        streams = np.ceil(layers.input_bits / 2.0)
        convert = 2.0 ** (0.8 * layers.adc_bits) * (1.0 + 0.2 * layers.column_sharing**-0.5)
        energy = (
            np.sum(layers.on * layers.pixels * arrays * streams * (convert + 0.05 * layers.rows), axis=0)
            * 1e-6
        )
        latency = (
            np.sum(layers.on * layers.pixels * streams * layers.column_sharing * layers.adc_bits, axis=0)
            * 1e-5
        )
        cell = layers.device_cost * layers.rows * 64 * 1e-6
        area = (
            np.sum(layers.on * arrays * (cell + convert * 4e-5 * 16 / layers.column_sharing), axis=0) * 0.1
            + 0.05
        )
        return {"energy": energy, "latency": latency, "area": area, "edap": energy * latency * area}

    def error(self, columns: Columns) -> Array:
        """The noiseless error of each design, in (0, 1)."""
        layers = _Layers(self.shape, columns)
        rng = np.random.default_rng(self.shape.seed)
        sensitivity = rng.gamma(2.0, 0.5, self.shape.layers)[:, None]
        taste = rng.normal(0.0, 0.25, (self.shape.layers, 4))
        growth = np.log2(layers.width / 8.0) + 0.7 * (layers.kernel > 1) + 0.2 * (layers.kernel > 3)
        capacity = np.sum(layers.on * growth * (0.6 + 0.4 * sensitivity), axis=0) / self.shape.layers
        gaps = np.abs(np.diff(np.log2(layers.width), axis=0)) * layers.on[1:]
        bottleneck = 0.12 * np.sum(np.maximum(gaps - 1.0, 0.0), axis=0)
        habit = np.sum(layers.on * taste[np.arange(self.shape.layers)[:, None], layers.style], axis=0) * 0.5
        noise = np.sum(layers.on * sensitivity * layers.noise(), axis=0) / layers.depth**0.7
        damage = 1.1 * np.log1p(10.0 * noise) * (1.0 - 0.15 * np.tanh(capacity - 1.5))
        z = 0.3 - 2.6 * np.tanh(0.55 * capacity) - 0.15 * (layers.depth - self.shape.shallowest) ** 0.5
        z = z + bottleneck + habit + damage - 0.25 * layers.wide_input
        return np.asarray(0.02 + 0.88 / (1.0 + np.exp(-z)))

    def score(self, columns: Columns) -> Array:
        """The proxy: a rough guess of the error, noise without meaning, or the guess turned round."""
        layers = _Layers(self.shape, columns)
        if self.proxy == "random":
            weight = np.random.default_rng(self.shape.seed + 1).normal(size=len(columns))
            mixed = sum(
                w * np.unique(c, return_inverse=True)[1]
                for w, c in zip(weight, columns.values(), strict=True)
            )
            return np.asarray(np.sin(1e3 * np.asarray(mixed, dtype=float)))
        count = np.maximum(layers.on.sum(axis=0), 1)
        capacity = np.sum(layers.on * np.log2(layers.width), axis=0) / count
        noise = np.log(np.sum(layers.on * layers.noise(), axis=0) + 0.05)
        guess = noise - 0.4 * capacity
        return np.asarray(-guess if self.proxy == "adverse" else guess)

    def noise_std(self, error: Array) -> Array:
        """Standard deviation of a told error: largest for middling designs."""
        return np.asarray(self.shape.noise * 2.0 * np.sqrt(error * (1.0 - error)))

    def truth(self, indices: NDArray[np.int64]) -> dict[str, Array]:
        """Noiseless learned outcomes of designs ``n x d``."""
        return {"error": self.error(self.space.columns(indices))}

    def evaluate(self, design: Design, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Noisy learned outcomes of a design and their noise variances, as an evaluation would tell them."""
        error = self.error(self.space.columns([design.indices]))
        std = self.noise_std(error)
        rng = np.random.default_rng([seed, *design.indices])
        told = float(np.clip(error[0] + std[0] * rng.standard_normal(), 1e-3, 0.999))
        return {"error": told}, {"error": float(std[0] ** 2)}


_WORST = {"energy": 3.0, "latency": 4.0, "area": 0.3, "edap": 1.0}


def synthetic_problem(name: str, proxy: str = "none") -> Synthetic:
    """A synthetic problem by name: ``chip16``, ``chain24``, ``mixed40`` or ``deep64`` (about as many variables)."""
    if name not in SHAPES:
        raise InputError(f"there is no synthetic problem {name!r}", f"There are: {', '.join(SHAPES)}.")
    if proxy not in ("none", "useful", "random", "adverse"):
        raise InputError(f"proxy {proxy!r}", "Use none, useful, random or adverse.")
    return Synthetic(name, SHAPES[name], proxy)


def with_area_limit(synthetic: Synthetic, area: float) -> Synthetic:
    """The same problem with another limit on area."""
    return replace(synthetic, shape=replace(synthetic.shape, area_limit=area))


def _variables(shape: Shape) -> list[Variable]:
    depths = tuple(range(shape.shallowest, shape.layers + 1))
    out = [ordinal("depth", depths)]
    for i in range(shape.layers):
        when = [Condition("depth", tuple(d for d in depths if d > i))] if i >= shape.shallowest else []
        scope = f"layer:{i}"
        out.append(ordinal(f"width_{i}", (8, 16, 24, 32, 48, 64, 96), scope=scope, when=when))
        out.append(ordinal(f"kernel_{i}", (1, 3, 5), scope=scope, when=when))
        for name in shape.per_layer:
            kind, values = _CHOICES[name]
            out.append(Variable(f"{name}_{i}", values, kind, scope, tuple(when)))  # type: ignore[arg-type]
    for name, (kind, values) in _CHOICES.items():
        if name not in shape.per_layer:
            out.append(Variable(name, values, kind))  # type: ignore[arg-type]
    out += [
        categorical("device", tuple(DEVICES)),
        ordinal("cell_bits", (1, 2, 4)),
        ordinal("input_bits", (2, 4, 6, 8)),
        ordinal("column_sharing", (1, 4, 8, 16)),
    ]
    return out


class _Layers:
    """Per-layer arrays ``layers x n`` of a batch of designs."""

    def __init__(self, shape: Shape, columns: Columns) -> None:
        layers = range(shape.layers)

        def stacked(name: str) -> NDArray[Any]:
            return np.array([columns[f"{name}_{i}" if f"{name}_{i}" in columns else name] for i in layers])

        self.depth = columns["depth"].astype(float)
        self.on = (np.arange(shape.layers)[:, None] < self.depth).astype(float)
        self.width, self.kernel = stacked("width").astype(float), stacked("kernel").astype(float)
        self.rows, self.adc_bits = stacked("rows").astype(float), stacked("adc_bits").astype(float)
        self.weight_bits = stacked("weight_bits").astype(float)
        self.style = np.searchsorted(("add", "concat", "none"), stacked("skip"))
        before = np.vstack([np.full((1, len(self.depth)), 3.0), self.width[:-1]])
        self.fan_in = before * self.kernel**2
        self.pixels = 1024.0 / 4.0 ** np.minimum(np.arange(shape.layers)[:, None] // 2, 3)
        self.cell_bits = columns["cell_bits"].astype(float)
        self.input_bits = columns["input_bits"].astype(float)
        self.column_sharing = columns["column_sharing"].astype(float)
        device = np.array([DEVICES[str(d)] for d in columns["device"]], dtype=float)
        self.variation, self.device_cost = device[:, 0], device[:, 1]
        self.wide_input = np.tanh(self.input_bits - 4.0)

    def noise(self) -> Array:
        """Relative noise power per layer: ADC range over its levels, cell variation, quantised weights and inputs."""
        range_used = self.rows * 2.0**self.cell_bits / 2.0**self.adc_bits
        adc = 0.004 * range_used**1.2
        cells = (
            self.variation**2
            * 2.0 ** (1.5 * self.cell_bits)
            * np.sqrt(np.minimum(self.fan_in, self.rows) / 32.0)
        )
        return np.asarray(adc + cells + 4.0 ** (-0.8 * self.weight_bits) + 4.0 ** (-0.9 * self.input_bits))
