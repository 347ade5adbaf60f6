"""Surrogates: what they must do, how they are found, and how foreign ones are taken in."""

from nax_bo.surrogate.adapt import AdaptedSurrogate, build
from nax_bo.surrogate.botorch_adapter import to_botorch
from nax_bo.surrogate.protocol import Column, Surrogate, columns_of
from nax_bo.surrogate.reference import SurrogateReference, parse_reference, resolve
from nax_bo.surrogate.registry import describe_surrogates, register_surrogate, surrogate_names

__all__ = [
    "AdaptedSurrogate",
    "Column",
    "Surrogate",
    "SurrogateReference",
    "build",
    "columns_of",
    "describe_surrogates",
    "parse_reference",
    "register_surrogate",
    "resolve",
    "surrogate_names",
    "to_botorch",
]
