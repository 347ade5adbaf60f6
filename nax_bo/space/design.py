"""One point of a space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from nax_bo.space.variable import Value, Variable


class SpaceLike(Protocol):
    """What a design needs to know of its space (:class:`~nax_bo.space.space.Space`)."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Its variables, in the order of index vectors."""
        ...

    def active_mask(self, indices: Any) -> NDArray[np.bool_]:
        """Which variables are active, ``n x d``."""
        ...


@dataclass(frozen=True, eq=False)
class Design(Mapping[str, Value]):
    """A frozen index vector with a dict view of its active variables.

    Two designs are equal when their canonical index vectors are: inactive variables do not matter.
    """

    space: SpaceLike
    indices: tuple[int, ...]

    @cached_property
    def _values(self) -> dict[str, Value]:
        active = self.space.active_mask([self.indices])[0]
        return {
            v.name: v.values[i]
            for v, i, on in zip(self.space.variables, self.indices, active, strict=True)
            if on
        }

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits that name the design in its space."""
        return hashlib.sha256(repr(self.indices).encode()).hexdigest()[:10]

    @override
    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Design):
            return NotImplemented
        return self.indices == other.indices and self.space == other.space

    @override
    def __hash__(self) -> int:
        return hash(self.indices)

    @override
    def __repr__(self) -> str:
        return f"Design({', '.join(f'{k}={v}' for k, v in self.items())})"
