"""A fitted surrogate as a BoTorch model, for qLogNEHVI and its kin. Imports torch and BoTorch when called."""

from __future__ import annotations

from typing import Any

import numpy as np

from nax_bo.surrogate.protocol import Array, BotorchNative, JointSurrogate, Surrogate

_ROWS = 512
"""Rows per joint prediction: covariances beyond the blocks that are needed are computed and thrown away."""


def to_botorch(surrogate: Surrogate, outcome: int = 0) -> Any:
    """One outcome of a fitted surrogate as a ``botorch.models.model.Model`` with one output.

    Its posterior is normal, with the joint covariance if the surrogate predicts one, and uncorrelated if not.
    It has no gradient with respect to ``X``: use discrete maximisers. A BoTorch model is returned as it is.

    Args:
        surrogate: Fitted.
        outcome: Column of ``Y`` that the model is about.
    """
    from botorch.models.model import Model

    inner = getattr(surrogate, "inner", surrogate)
    if isinstance(inner, Model) and isinstance(inner, BotorchNative):
        return inner
    return _model_class()(surrogate, outcome)


def _moments(surrogate: Surrogate, x: Array, outcome: int) -> tuple[Array, Array]:
    """Mean ``b x q`` and covariance ``b x q x q`` at ``x: b x q x d``."""
    b, q, d = x.shape
    if q == 1 or not isinstance(surrogate, JointSurrogate):
        mean, std = (a[:, outcome].reshape(b, q) for a in surrogate.predict(x.reshape(-1, d)))
        return mean, np.asarray(std[:, :, None] ** 2 * np.eye(q))
    means, covs = np.empty((b, q)), np.empty((b, q, q))
    step = max(1, _ROWS // q)
    for start in range(0, b, step):
        part = x[start : start + step]
        k = len(part)
        mean, cov = surrogate.predict_joint(part.reshape(-1, d))
        means[start : start + k] = mean[:, outcome].reshape(k, q)
        block = np.arange(k)
        covs[start : start + k] = cov[outcome].reshape(k, q, k, q)[block, :, block, :]
    return means, covs


def _model_class() -> Any:
    import torch
    from botorch.models.model import Model
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from gpytorch.distributions import MultivariateNormal

    class SurrogateModel(Model):  # type: ignore[misc]
        """BoTorch's view of one outcome of a surrogate."""

        def __init__(self, surrogate: Surrogate, outcome: int) -> None:
            super().__init__()
            self.surrogate = surrogate
            self.outcome = outcome

        @property
        def num_outputs(self) -> int:
            return 1

        @property
        def batch_shape(self) -> Any:
            return torch.Size()

        def posterior(
            self,
            X: Any,
            output_indices: Any = None,
            observation_noise: Any = False,
            posterior_transform: Any = None,
            **_: Any,
        ) -> Any:
            """Posterior at ``X: batch x q x d``; with ``observation_noise=True`` of noisy outcomes."""
            x = X.detach().cpu().double().numpy()
            flat = x.reshape(-1, *x.shape[-2:])
            mean, cov = _moments(self.surrogate, flat, self.outcome)
            q = flat.shape[1]
            variance = np.diagonal(cov, axis1=1, axis2=2)
            jitter = 1e-6 * np.maximum(variance, 1e-8 * (float(variance.max()) or 1.0))
            noise = getattr(self.surrogate, "noise_variance", None)
            if observation_noise is True and noise is not None:
                jitter = jitter + noise(flat.reshape(-1, flat.shape[-1]))[:, self.outcome].reshape(-1, q)
            cov = cov + jitter[:, :, None] * np.eye(q)
            options = {"dtype": X.dtype, "device": X.device}
            normal = MultivariateNormal(
                torch.as_tensor(mean.reshape(x.shape[:-1]), **options),
                torch.as_tensor(cov.reshape(*x.shape[:-1], q), **options),
            )
            posterior = GPyTorchPosterior(normal)
            return posterior if posterior_transform is None else posterior_transform(posterior)

    return SurrogateModel
