"""The general acquisition: BoTorch's qLogNEHVI over learned and exact outcomes (Monte Carlo).

Noisy incumbents and pending designs are integrated over (Daulton et al. 2021, arXiv:2105.08195; Ament et al.
2023, arXiv:2310.20708). It serves correlated beliefs and checks the closed form, which is much faster. Importing
this module does not import BoTorch; building the acquisition does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nax_bo.search.models.learned import Models, learned_constraints
from nax_bo.search.scale import Array, Scale
from nax_bo.search.state import SearchState
from nax_bo.surrogate import AdaptedSurrogate, to_botorch

IndexArray = NDArray[np.int64]

_BLOCK = 64


def _improvement_class() -> Any:
    """BoTorch's acquisition, kept from compiling its fused kernel at first use.

    The kernel spares a quarter of the evaluation (0.34 instead of 0.46 s for 1,024 designs of ``chain24``, measured on
    one core) and takes 40 s to build, in a cache shared by all of the user's processes, behind a lock that a killed
    build leaves for ever. One that is installed as a module is used.
    """
    from botorch.acquisition.multi_objective import logei

    if not getattr(logei, "_load_attempted", True):
        logei._load_attempted = True
        with suppress(ImportError):
            logei._C = import_module("logei_fused_ext")
    return logei.qLogNoisyExpectedHypervolumeImprovement


class _Leading:
    """A surrogate that reads the first ``width`` columns of its input."""

    def __init__(self, model: AdaptedSurrogate, width: int) -> None:
        self.model, self.width = model, width

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> _Leading:
        self.model.fit(X[:, : self.width], Y, Yvar)
        return self

    def predict(self, X: Array) -> tuple[Array, Array]:
        return self.model.predict(X[:, : self.width])

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        return self.model.predict_joint(X[:, : self.width])


@dataclass(frozen=True, eq=False)
class MonteCarloAcquisition:
    """Logarithm of the noisy expected hypervolume improvement, by quasi Monte Carlo.

    Attributes:
        state: The log, pending looks included.
        models: Fitted surrogates (not conditioned on the pending looks).
        incumbents: Designs told so far, ``k x d``.
        samples: Number of Sobol samples.
    """

    state: SearchState
    models: Models
    incumbents: IndexArray
    samples: int = 64

    def log_gain(self, x: IndexArray) -> tuple[Array, Array]:
        """Log expected gain, times the probability of success, and violation of known limits; ``n`` each."""
        import torch

        problem = self.state.problem
        known = problem.known(x)
        violation = problem.violation(known, len(x))
        value = np.full(len(x), -690.0)
        rows = np.flatnonzero(violation <= 0)
        if not len(rows):
            return value, violation
        inputs: Any = torch.as_tensor(self._inputs(x[rows]))
        with torch.no_grad():
            parts = [self._acquisition(part.unsqueeze(1)) for part in inputs.split(_BLOCK)]
        value[rows] = torch.cat(parts).numpy() + np.log(self.models.success_probability(x[rows]))
        value[rows] += np.log(self._units).sum()
        return np.nan_to_num(value, nan=-690.0, neginf=-690.0), violation

    @cached_property
    def _units(self) -> Array:
        """Range of each objective: BoTorch smooths by fixed amounts, which suit outcomes of about one."""
        _, y, _ = self.state.points(self.state.best_looks)
        return _ranges(np.vstack([y, self.state.reference]))

    @cached_property
    def _acquisition(self) -> Any:
        import torch
        from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
        from botorch.models.deterministic import GenericDeterministicModel
        from botorch.models.model import ModelList
        from botorch.sampling.get_sampler import get_sampler
        from botorch.sampling.list_sampler import ListSampler
        from botorch.sampling.normal import IIDNormalSampler

        problem, names = self.state.problem, self._order
        width = self._width
        at = {name: i for i, name in enumerate(names)}
        learned = [
            to_botorch(_Leading(self.models.by_name[n], width)) for n in names if n in self.models.by_name
        ]
        exact = [GenericDeterministicModel(_picks(width + j)) for j, _ in enumerate(self._known_objectives)]
        scales = [(at[o.name], o.scales) for o in problem.objectives]

        def objective(samples: Any, X: Any = None) -> Any:
            found = [-_measured(scale, samples[..., i]) for i, scale in scales]
            return torch.stack(found, dim=-1) / torch.as_tensor(self._units)

        seed = int(self.state.rng("qlognehvi").integers(2**31))
        pending = np.array([i for i, _ in self.state.pending], dtype=np.int64).reshape(-1, len(problem.space))
        model = ModelList(*learned, *exact)
        allowed = problem.violation(problem.known(self.incumbents), len(self.incumbents)) <= 0
        told = self.incumbents[allowed] if allowed.any() else self.incumbents
        baseline = torch.as_tensor(self._inputs(told))
        posteriors = model.posterior(baseline[:1]).posteriors
        shape = torch.Size([self.samples])
        samplers = [
            # scrambled Sobol points of two outcomes would depend on each other, so only the first has them
            IIDNormalSampler(shape, seed=seed + i)
            if 0 < i < len(learned)
            else get_sampler(p, shape, seed=seed + i)
            for i, p in enumerate(posteriors)
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # pruning draws from the global generator
            return _improvement_class()(
                model,
                ref_point=torch.as_tensor(-self.state.reference / self._units),
                X_baseline=baseline,
                sampler=ListSampler(*samplers),
                objective=GenericMCMultiOutputObjective(objective),
                constraints=_constraints(self.state, self.models, at) or None,
                X_pending=torch.as_tensor(self._inputs(pending)) if len(pending) else None,
                prune_baseline=True,
            )

    @property
    def _known_objectives(self) -> list[str]:
        return [o.name for o in self.state.problem.known_objectives]

    @property
    def _order(self) -> list[str]:
        return [*self.models.by_name, *self._known_objectives]

    @cached_property
    def _width(self) -> int:
        return int(self.models.inputs(np.zeros((1, len(self.state.problem.space)), dtype=np.int64)).shape[1])

    def _inputs(self, x: IndexArray) -> Array:
        """Surrogate inputs, then the known objectives in the model scale."""
        problem = self.state.problem
        known = problem.known(x)
        exact = [problem.scale_of(n).to_model(known[n]) for n in self._known_objectives]
        return np.column_stack([self.models.inputs(x), *exact])


def _picks(column: int) -> Callable[[Any], Any]:
    return lambda X: X[..., column : column + 1]


def _measured(scale: Scale, z: Any) -> Any:
    """As ``Scale.model_to_measure``, for tensors."""
    import torch

    if not scale.warped:
        return z
    inverse: dict[str, Any] = {"logit": torch.sigmoid, "log10": lambda v: 10.0**v, "linear": lambda v: v}
    forward: dict[str, Any] = {"logit": torch.logit, "log10": torch.log10, "linear": lambda v: v}
    return scale.sign * forward[scale.measure](inverse[scale.model](scale.sign * z))


def _constraints(state: SearchState, models: Models, at: dict[str, int]) -> list[Callable[[Any], Any]]:
    """Learned limits as functions of the samples, negative where they hold, in units of the outcome's range."""
    out: list[Callable[[Any], Any]] = []
    for constraint, lower, upper in learned_constraints(models.problem):
        scale, i = models.problem.scale_of(constraint.name), at[constraint.name]
        told = [o.outcomes[constraint.name] for o in state.best_looks]
        limits = [limit for limit in (lower, upper) if limit is not None]
        unit = float(_ranges(scale.to_model([*told, *limits])[:, None])[0])
        if upper is not None:
            out.append(_limit(i, scale.sign, float(scale.sign * scale.to_model(upper)), 1 / unit))
        if lower is not None:
            out.append(_limit(i, scale.sign, float(scale.sign * scale.to_model(lower)), -1 / unit))
    return out


def _limit(column: int, sign: int, bound: float, factor: float) -> Callable[[Any], Any]:
    return lambda samples: factor * (sign * samples[..., column] - bound)


def _ranges(values: Array) -> Array:
    """Range of each column of ``values: n x m`` over its finite entries; 1 where there is none."""
    finite = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any
        found = np.nanmax(finite, axis=0) - np.nanmin(finite, axis=0)
    return np.where(np.isfinite(found) & (found > 0), found, 1.0)
