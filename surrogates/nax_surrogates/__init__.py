"""Surrogates that come with naxbo. They reach the engine through its registry, as anyone's do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nax_surrogates.blend import Blend
    from nax_surrogates.gbt import GradientBoosting
    from nax_surrogates.gp import GaussianProcess
    from nax_surrogates.gpytorch_gp import GPyTorchSurrogate

__all__ = ["Blend", "GPyTorchSurrogate", "GaussianProcess", "GradientBoosting"]

_HOMES = {
    "Blend": "blend",
    "GPyTorchSurrogate": "gpytorch_gp",
    "GaussianProcess": "gp",
    "GradientBoosting": "gbt",
}


def __getattr__(name: str) -> Any:
    """Load scipy, scikit-learn or torch only when a surrogate that needs them is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nax_surrogates.{_HOMES[name]}"), name)
