"""What a surrogate needs of an exact process of GPyTorch: to be fitted, and its noise and held-out errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from nax_bo.errors import SurrogateError
from nax_bo.surrogate.protocol import Array
from nax_surrogates.calibration import Spread, fit_spread

LEAST = 1e-10
"""Least variance, standardised."""


def learn(model: Any, iterations: int, start: dict[str, Any] | None) -> None:
    """Hyperparameters of highest posterior density, from ``start`` if it fits the model."""
    from botorch.fit import fit_gpytorch_mll
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.models import ExactGP

    if not isinstance(model, ExactGP):
        raise SurrogateError(
            f"{type(model).__name__} is no exact process", "Fit other models in a surrogate of your own."
        )
    if start is not None:
        own = model.state_dict()
        same = {
            k: v
            for k, v in start.items()
            if k in own and own[k].shape == v.shape and k != "noise_covar.noise"
        }
        model.load_state_dict({**own, **same})
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": iterations}})
    model.eval()


def spread_of(model: Any, y: Array) -> Spread:
    """The correction that the later half of the outcomes asks for, each predicted from those before."""
    import torch

    n = len(y)
    if n < 10:
        return Spread()
    with torch.no_grad():
        model.train()
        prior = model(*model.train_inputs)
        total = model.likelihood(prior, *model.train_inputs).covariance_matrix.numpy()
        mean, own = prior.mean.numpy(), prior.covariance_matrix.numpy()
        model.eval()
    try:
        factor = cholesky(total, lower=True)
    except LinAlgError:
        return Spread()
    scale, rows = np.diagonal(factor), slice(n // 2, n)
    error = solve_triangular(factor, y - mean, lower=True) * scale
    noise = np.maximum(np.diagonal(total) - np.diagonal(own), 0.0)
    return fit_spread(error[rows], np.maximum(scale**2 - noise, LEAST)[rows], noise[rows])


def has_fixed_noise(model: Any) -> bool:
    """Whether it was given its noise variances."""
    from gpytorch.likelihoods import FixedNoiseGaussianLikelihood

    return isinstance(model.likelihood, FixedNoiseGaussianLikelihood)


def learned_noise(model: Any) -> float:
    """Noise variance that it has learned; 0 where it was given."""
    return 0.0 if has_fixed_noise(model) else float(model.likelihood.noise.detach().mean())
