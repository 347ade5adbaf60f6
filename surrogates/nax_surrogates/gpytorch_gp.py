"""GPyTorch and BoTorch as a surrogate: their kernels, likelihoods and models, chosen by reference.

What is fitted is a BoTorch model: ``SingleTaskGP`` with a Matern-5/2 kernel, one with a kernel or a likelihood of one's
own, or any class of models that is constructed from training inputs and outcomes. Predicted spreads are put right by
held-out errors, as those of the default surrogate are.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nax_bo.errors import InputError, NaxboError, SurrogateError
from nax_bo.references import load_object
from nax_bo.surrogate.encoding import Encoding, check_observations, learn_encoding
from nax_bo.surrogate.protocol import Array, Column
from nax_surrogates.calibration import Spread
from nax_surrogates.gpytorch_fit import LEAST, has_fixed_noise, learn, learned_noise, spread_of


@dataclass(frozen=True)
class _Outcome:
    """One fitted model in standardised units, and what puts its spread right."""

    model: Any
    centre: float
    scale: float
    spread: Spread


class GPyTorchSurrogate:
    """A Gaussian process of BoTorch for each outcome, over ordinals, one-hot categories, proxies and the fidelity.

    Args:
        columns: Description of the columns of ``X``; all ordinal if left out.
        seed: Seed of torch while fitting.
        kernel: Reference to a function of the number of features that returns a GPyTorch kernel; Matern-5/2 with a
            length scale for each feature and BoTorch's prior if left out.
        likelihood: Reference to a function without arguments that returns a Gaussian likelihood of GPyTorch. If left
            out, noise variances are used where all are given, and one is learned where not.
        model: Reference to a class or function that makes a BoTorch model of ``(train_X: n x p, train_Y: n x 1)``, and
            of ``train_Yvar`` where it takes that and all variances are given. Excludes ``kernel`` and ``likelihood``.
        iterations: Optimiser steps per fit.
        warm_start: Start from the hyperparameters of the last fit on this object, which is faster.
    """

    def __init__(
        self,
        columns: Sequence[Column] | None = None,
        seed: int = 0,
        *,
        kernel: str | None = None,
        likelihood: str | None = None,
        model: str | None = None,
        iterations: int = 60,
        warm_start: bool = False,
    ) -> None:
        if model is not None and (kernel or likelihood):
            raise InputError(
                f"model = {model!r} beside a kernel or a likelihood", "Give the model one of its own."
            )
        if iterations < 1:
            raise InputError(f"iterations = {iterations}", "Give at least 1.")
        self.columns, self.seed = columns, seed
        self.kernel, self.likelihood, self.model = kernel, likelihood, model
        self.iterations, self.warm_start = iterations, warm_start
        self._encoding: Encoding | None = None
        self._outcomes: tuple[_Outcome, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments (``deep`` is there for scikit-learn)."""
        names = ("columns", "seed", "kernel", "likelihood", "model", "iterations", "warm_start")
        return {name: getattr(self, name) for name in names}

    def fit(self, X: Array, Y: Array, Yvar: Array | None = None) -> GPyTorchSurrogate:
        """Learn from ``X: n x d``, ``Y: n x m`` and known noise variances ``Yvar: n x m``.

        Raises:
            InputError: Shapes that do not match, NaN in ``Y`` or in a column that is not a proxy.
            SurrogateError: A reference does not give what it should, or the model cannot be fitted.
        """
        x, y, noise = check_observations(X, Y, Yvar)
        self._encoding = learn_encoding(x, self.columns)
        features = self._encoding.transform(x)
        last = (
            self._outcomes if self.warm_start and len(self._outcomes) == y.shape[1] else (None,) * y.shape[1]
        )
        self._outcomes = tuple(
            self._fitted_outcome(features, y[:, j], noise[:, j], last[j]) for j in range(y.shape[1])
        )
        return self

    def _fitted_outcome(self, features: Array, y: Array, noise: Array, last: _Outcome | None) -> _Outcome:
        import torch

        centre, scale = float(y.mean()), float(y.std())
        if not scale > 1e-9 * float(np.abs(y).max()):  # a constant outcome: nothing to scale by
            scale = max(1e-3 * abs(centre), 1e-6)
        values, known = (y - centre) / scale, noise / scale**2
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about scaling, jitter and iterations: none is the user's to mend
            torch.manual_seed(self.seed)
            try:
                model = self._made(features, values, known if (noise > 0).all() else None)
                learn(model, self.iterations, last.model.state_dict() if last else None)
            except NaxboError:
                raise
            except Exception as ex:
                raise SurrogateError(
                    f"the BoTorch model cannot be fitted: {type(ex).__name__}: {ex}",
                    f"It was made by {self.model or self.kernel or 'SingleTaskGP'}.",
                ) from ex
        return _Outcome(model, centre, scale, spread_of(model, values))

    def _made(self, features: Array, y: Array, noise: Array | None) -> Any:
        import torch
        from botorch.models import SingleTaskGP
        from botorch.models.model import Model

        x, values = torch.as_tensor(features), torch.as_tensor(y)[:, None]
        variance = None if noise is None else torch.as_tensor(noise)[:, None]
        if self.model is None:
            kernel, likelihood = self._kernel(features.shape[1]), self._likelihood()
            variance = variance if likelihood is None else None
            return SingleTaskGP(
                x, values, variance, likelihood=likelihood, covar_module=kernel, outcome_transform=None
            )
        make = _loaded("model", self.model)
        options: dict[str, Any] = {}
        if variance is not None and _takes(make, "train_Yvar"):
            options["train_Yvar"] = variance
        if _takes(make, "outcome_transform"):
            options["outcome_transform"] = None  # outcomes are standardised already
        made = make(x, values, **options)
        if not isinstance(made, Model) or made.num_outputs != 1:
            raise SurrogateError(f"{self.model} makes no BoTorch model of one outcome", "Return a Model.")
        return made

    def _kernel(self, features: int) -> Any:
        import torch
        from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
        from gpytorch.kernels import Kernel, ScaleKernel

        if self.kernel is None:
            matern = get_covar_module_with_dim_scaled_prior(ard_num_dims=features, use_rbf_kernel=False)
            return ScaleKernel(matern)
        made = _loaded("kernel", self.kernel)(features)
        if not isinstance(made, Kernel):
            raise SurrogateError(f"{self.kernel} makes no GPyTorch kernel", "Return gpytorch.kernels.Kernel.")
        return made.to(torch.float64)

    def _likelihood(self) -> Any:
        import torch
        from gpytorch.likelihoods.gaussian_likelihood import _GaussianLikelihoodBase

        if self.likelihood is None:
            return None
        made = _loaded("likelihood", self.likelihood)()
        if not isinstance(made, _GaussianLikelihoodBase):
            raise SurrogateError(
                f"{self.likelihood} makes no Gaussian likelihood",
                "Others need a model of their own: model=...",
            )
        return made.to(torch.float64)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free outcomes at ``X: n x d``, each ``n x m``."""
        parts = []
        for outcome, posterior in self._posteriors(X, joint=False):
            mean, std = (t.reshape(-1).numpy() for t in (posterior.mean, posterior.variance.sqrt()))
            std = np.maximum(std, np.sqrt(LEAST))
            parts.append(
                (outcome.centre + outcome.scale * mean, outcome.scale * outcome.spread.factor(std) * std)
            )
        return np.stack([m for m, _ in parts], axis=1), np.stack([s for _, s in parts], axis=1)

    def predict_joint(self, X: Array) -> tuple[Array, Array]:
        """Mean ``n x m`` and covariance ``m x n x n`` of the noise-free outcomes at ``X: n x d``."""
        means, covs = [], []
        for outcome, posterior in self._posteriors(X, joint=True):
            normal = posterior.distribution if hasattr(posterior, "distribution") else None
            cov = (
                (normal.covariance_matrix if normal is not None else posterior.covariance_matrix)
                .numpy()
                .copy()
            )
            std = np.sqrt(np.maximum(np.diagonal(cov), LEAST))
            cov[np.diag_indices(len(cov))] = std**2
            factor = outcome.scale * outcome.spread.factor(std)
            means.append(outcome.centre + outcome.scale * posterior.mean.reshape(-1).numpy())
            covs.append(np.multiply.outer(factor, factor) * cov)
        return np.stack(means, axis=1), np.stack(covs)

    def _posteriors(self, X: Array, *, joint: bool) -> list[tuple[_Outcome, Any]]:
        import torch

        if self._encoding is None:
            raise SurrogateError("the Gaussian process has not been fitted", "Call fit(X, Y) first.")
        x = torch.as_tensor(self._encoding.transform(X))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            at = x if joint else x.unsqueeze(1)
            return [(o, o.model.posterior(at)) for o in self._outcomes]

    def noise_variance(self, X: Array) -> Array:
        """Learned variance of the measurement noise at ``X: n x d``, ``n x m``; known noise is not in it."""
        learned = [o.scale**2 * learned_noise(o.model) for o in self._outcomes]
        return np.broadcast_to(np.array(learned), (len(X), len(learned))).copy()

    def condition(self, X: Array, Y: Array) -> GPyTorchSurrogate:
        """A new surrogate that has also seen ``Y: k x m`` at ``X: k x d``; hyperparameters stay as they are."""
        other = copy.copy(self)
        other._outcomes = self._extended(X, Y, None)
        return other

    def update(self, X: Array, Y: Array, Yvar: Array | None = None) -> GPyTorchSurrogate:
        """Append observations; hyperparameters stay, those of the spread too."""
        self._outcomes = self._extended(X, Y, Yvar)
        return self

    def _extended(self, X: Array, Y: Array, Yvar: Array | None) -> tuple[_Outcome, ...]:
        import torch

        x, y, noise = check_observations(X, Y, Yvar)
        if self._encoding is None:
            raise SurrogateError("the Gaussian process has not been fitted", "Call fit(X, Y) first.")
        if y.shape[1] != len(self._outcomes):
            raise InputError(f"Y has {y.shape[1]} outcomes, not {len(self._outcomes)}", "Give those of fit.")
        features = torch.as_tensor(self._encoding.transform(x))
        out = []
        for j, o in enumerate(self._outcomes):
            values = torch.as_tensor((y[:, j] - o.centre) / o.scale)[:, None]
            options = {}
            if has_fixed_noise(o.model):
                given = noise[:, j] / o.scale**2
                options["noise"] = torch.as_tensor(np.where(given > 0, given, 1e-6))[:, None]
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                o.model.posterior(features[:1])  # what is extended are the caches of a prediction
                model = o.model.condition_on_observations(features, values, **options)
            out.append(replace(o, model=model))
        return tuple(out)


def _loaded(what: str, reference: str) -> Any:
    try:
        found = load_object(reference)
    except InputError as ex:
        raise SurrogateError(f"{what}: {ex.message}", ex.hint) from ex
    if not callable(found):
        raise SurrogateError(f"{what} {reference} is not a class or function", "Name what makes it.")
    return found


def _takes(make: Any, name: str) -> bool:
    from nax_bo.surrogate.reference import accepts

    return accepts(make, name)
