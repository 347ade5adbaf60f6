"""Surrogates: what they must do, how they are found, and how foreign ones are taken in."""

from nax_bo.surrogate.protocol import Column, Surrogate, columns_of

__all__ = ["Column", "Surrogate", "columns_of"]
