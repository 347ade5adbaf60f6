"""A finite mixed space of ordinal, categorical and conditional variables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nax_bo.errors import InputError
from nax_bo.space.design import Design
from nax_bo.space.rows import distinct_rows
from nax_bo.space.variable import Value, Variable

Indices = NDArray[np.int64]

_SAMPLE_ROUNDS = 200
_MOST_LISTED = 1_000_000


@dataclass(frozen=True)
class Space:
    """An ordered set of variables; a design picks one value of each that is active.

    Batches of designs are index arrays ``n x d`` (``d`` variables); single designs are
    :class:`~nax_bo.space.Design`. An inactive variable is stored as index 0, so equal designs have equal
    index vectors and equal encodings.

    Raises:
        InputError: Names repeat, or a condition names an unknown, later or non-matching variable.
    """

    variables: tuple[Variable, ...]

    def __init__(self, variables: Iterable[Variable]) -> None:
        object.__setattr__(self, "variables", tuple(variables))
        self._check()

    def _check(self) -> None:
        if not self.variables:
            raise InputError(
                "a space needs at least one variable", "Add variables with ordinal(...) or categorical(...)."
            )
        seen: dict[str, Variable] = {}
        for variable in self.variables:
            if variable.name in seen:
                raise InputError(f"variable {variable.name!r} is defined twice", "Names must be unique.")
            for condition in variable.active_when:
                if condition.variable not in seen:
                    raise InputError(
                        f"{variable.name!r} depends on {condition.variable!r}, which is not defined before it",
                        "List a variable after those that decide whether it is active.",
                    )
                for value in condition.values:
                    seen[condition.variable].index(value)
            seen[variable.name] = variable

    # lookup

    @cached_property
    def _position(self) -> dict[str, int]:
        return {v.name: i for i, v in enumerate(self.variables)}

    @cached_property
    def cardinalities(self) -> Indices:
        """Number of values of each variable, ``d``."""
        return np.array([v.cardinality for v in self.variables], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.variables)

    def __getitem__(self, name: str) -> Variable:
        return self.variables[self.position(name)]

    def position(self, name: str) -> int:
        """Column of variable ``name``; raises InputError with the closest names if unknown."""
        try:
            return self._position[name]
        except KeyError:
            import difflib

            near = difflib.get_close_matches(name, self._position, n=3)
            raise InputError(
                f"this space has no variable {name!r}",
                f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(self._position)}.",
            ) from None

    # activity

    @cached_property
    def _conditions(self) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """(child column, parent column, parent index -> allowed), in the order of the variables."""
        out = []
        for column, variable in enumerate(self.variables):
            for condition in variable.active_when:
                parent = self._position[condition.variable]
                allowed = np.zeros(self.variables[parent].cardinality, dtype=bool)
                allowed[[self.variables[parent].index(v) for v in condition.values]] = True
                out.append((column, parent, allowed))
        return out

    def active_mask(self, indices: ArrayLike) -> NDArray[np.bool_]:
        """Which variables matter, ``n x d`` for index vectors ``n x d``."""
        x = np.asarray(indices, dtype=np.int64)
        mask = np.ones(x.shape, dtype=bool)
        for child, parent, allowed in self._conditions:
            mask[:, child] &= mask[:, parent] & allowed[x[:, parent]]
        return mask

    def canonical(self, indices: ArrayLike) -> Indices:
        """Index vectors ``n x d`` with every inactive variable set to 0."""
        x = np.array(indices, dtype=np.int64)
        if self._conditions:
            x[~self.active_mask(x)] = 0
        return x

    @cached_property
    def size(self) -> int:
        """Exact number of different designs.

        Counts assignments of the deciding variables that others still depend on, taking variables in an order that
        keeps these few, so the work grows with the number of *live* deciding variables, not with the size of the space.
        """
        order = self._few_live()
        last_use = {
            parent: max(place for place, c in enumerate(order) if c in children)
            for parent, children in self._children.items()
        }
        states: dict[tuple[tuple[int, int], ...], int] = {(): 1}  # live (column, index or -1) -> count
        for place, column in enumerate(order):
            cardinality = self.variables[column].cardinality
            grown: dict[tuple[tuple[int, int], ...], int] = {}
            for state, count in states.items():
                known = dict(state)
                active = all(
                    known[parent] >= 0 and allowed[known[parent]]
                    for child, parent, allowed in self._conditions
                    if child == column
                )
                kept = tuple((c, i) for c, i in state if last_use[c] > place)
                if column not in last_use:
                    grown[kept] = grown.get(kept, 0) + count * (cardinality if active else 1)
                    continue
                for index in range(cardinality) if active else (-1,):
                    key = (*kept, (column, index))
                    grown[key] = grown.get(key, 0) + count
            states = grown
        return sum(states.values())

    @cached_property
    def _children(self) -> dict[int, set[int]]:
        """Columns that each deciding column decides on."""
        out: dict[int, set[int]] = {}
        for child, parent, _ in self._conditions:
            out.setdefault(parent, set()).add(child)
        return out

    def _few_live(self) -> list[int]:
        """Columns, parents before children, each time one that leaves fewest deciding columns with children to come."""
        parents: dict[int, set[int]] = {}
        for parent, children in self._children.items():
            for child in children:
                parents.setdefault(child, set()).add(parent)
        waiting = {parent: set(children) for parent, children in self._children.items()}
        order = [c for c in range(len(self)) if c not in parents and c not in waiting]
        missing = {c: len(parents.get(c, ())) for c in {*parents, *waiting}}
        while missing:
            ready = [c for c in sorted(missing) if not missing[c]]
            chosen = min(
                ready, key=lambda c: (c in waiting) - sum(waiting[p] == {c} for p in parents.get(c, ()))
            )
            for parent in parents.get(chosen, ()):
                waiting[parent].discard(chosen)
            for child in self._children.get(chosen, ()):
                missing[child] -= 1
            del missing[chosen]
            order.append(chosen)
        return order

    # designs and columns

    def design(self, values: Mapping[str, Value] | Sequence[int] | NDArray[np.int64]) -> Design:
        """A design from ``{name: value}`` (missing variables take their first value) or an index vector.

        Raises:
            InputError: Unknown variable, value not in the space, index out of range.
        """
        if isinstance(values, Mapping):
            vector = [0] * len(self)
            for name, value in values.items():
                column = self.position(name)
                vector[column] = self.variables[column].index(value)
        else:
            vector = [int(i) for i in values]
            if len(vector) != len(self) or any(
                not 0 <= i < v.cardinality for i, v in zip(vector, self.variables, strict=False)
            ):
                raise InputError(
                    f"{vector} is not an index vector of this space",
                    f"It needs {len(self)} indices, each below the variable's number of values.",
                )
        return Design(self, tuple(self.canonical([vector])[0].tolist()))

    def designs(self, indices: ArrayLike) -> list[Design]:
        """Designs of index vectors ``n x d``."""
        return [Design(self, tuple(row)) for row in self.canonical(indices).tolist()]

    def indices(self, designs: Iterable[Design]) -> Indices:
        """Index vectors ``n x d`` of designs."""
        rows = [design.indices for design in designs]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self))

    @cached_property
    def _value_arrays(self) -> list[NDArray[Any]]:
        return [np.array(v.values, dtype=object if v.mixed else None) for v in self.variables]

    def columns(self, indices: ArrayLike) -> dict[str, NDArray[Any]]:
        """Values by variable name, each of length ``n``: what vectorised objectives take.

        An inactive variable shows its first value, or its ``idle`` one.
        """
        x = self.canonical(indices)
        out = {
            v.name: a[x[:, i]]
            for i, (v, a) in enumerate(zip(self.variables, self._value_arrays, strict=True))
        }
        if idle := [(i, v) for i, v in enumerate(self.variables) if v.idle is not None]:
            active = self.active_mask(x)
            for i, v in idle:
                out[v.name] = np.where(active[:, i], out[v.name], np.array(v.idle))
        return out

    def encode(self, designs: ArrayLike | Iterable[Design]) -> NDArray[np.float64]:
        """Model inputs ``n x d``: ordinals as rank in [0, 1], categoricals as their index."""
        x = self.canonical(self._as_indices(designs)).astype(np.float64)
        scale = np.array(
            [v.cardinality - 1 if v.kind == "ordinal" and v.cardinality > 1 else 1 for v in self.variables],
            dtype=float,
        )
        return np.asarray(x / scale)

    def _as_indices(self, designs: Any) -> ArrayLike:
        if isinstance(designs, np.ndarray):
            return designs
        rows = list(designs)
        if rows and isinstance(rows[0], Design):
            return self.indices(rows)
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self))

    # sampling

    def sample(self, n: int, seed: int | np.random.Generator) -> Indices:
        """``n`` different designs, each variable uniform over its values.

        Raises:
            InputError: The space has fewer than ``n`` designs.
        """
        rng = np.random.default_rng(seed)
        return self._distinct(n, lambda m: rng.integers(0, self.cardinalities, size=(m, len(self))), rng)

    def sobol(self, n: int, seed: int) -> Indices:
        """``n`` different designs that fill the space evenly (scrambled Sobol sequence, Owen 1998).

        Raises:
            InputError: The space has fewer than ``n`` designs.
        """
        from scipy.stats import qmc

        engine = qmc.Sobol(len(self), scramble=True, rng=np.random.default_rng(seed))

        def draw(m: int) -> Indices:
            points = (
                engine.random_base2(max(0, int(np.ceil(np.log2(m)))))
                if engine.num_generated == 0
                else engine.random(m)
            )
            rows: Indices = np.minimum((points * self.cardinalities).astype(np.int64), self.cardinalities - 1)
            return rows

        return self._distinct(n, draw, np.random.default_rng(seed))

    def _distinct(self, n: int, draw: Any, rng: np.random.Generator) -> Indices:
        if n > self.size:
            raise InputError(
                f"{n} different designs were asked of a space with {self.size}",
                "Ask for fewer, or enlarge the space.",
            )
        found: dict[tuple[int, ...], None] = {}
        for _ in range(_SAMPLE_ROUNDS):
            if len(found) >= n or self.size <= 4 * n:
                break
            for row in self.canonical(draw(max(n, 1))).tolist():
                found.setdefault(tuple(row))
        if len(found) < n and self.size > _MOST_LISTED:
            self._add_neighbours(found, n, rng)
        if len(found) < n:  # a small space: draw what is missing from the list of all designs
            rest = [row for row in map(tuple, self.enumerate().tolist()) if row not in found]
            for i in rng.permutation(len(rest))[: n - len(found)]:
                found[rest[i]] = None
        return np.array(list(found)[:n], dtype=np.int64).reshape(n, len(self))

    def _add_neighbours(self, found: dict[tuple[int, ...], None], n: int, rng: np.random.Generator) -> None:
        """Go on to designs that draws hardly reach, deep below conditions, one choice at a time."""
        open_ends = list(found)
        while len(found) < n:
            at = int(rng.integers(len(open_ends)))
            new = [row for row in map(tuple, self.neighbours(open_ends[at]).tolist()) if row not in found]
            if new:
                row = new[rng.integers(len(new))]
                found[row] = None
                open_ends.append(row)
            else:
                open_ends[at] = open_ends[-1]
                open_ends.pop()

    def enumerate(self) -> Indices:
        """All designs, ``size x d`` (for small spaces).

        Raises:
            InputError: The space has more than a million designs.
        """
        if self.size > _MOST_LISTED:
            raise InputError(f"{self.size} designs are too many to list", "Sample instead.")
        rows = np.zeros((1, 0), dtype=np.int64)
        full = np.zeros((1, len(self)), dtype=np.int64)
        for column, variable in enumerate(self.variables):
            full = np.repeat(full, variable.cardinality, axis=0)
            full[:, column] = np.tile(np.arange(variable.cardinality), len(rows))
            full = self.canonical(full)
            full = full[distinct_rows(full)]
            rows = full[:, : column + 1]
        return full

    def neighbours(self, design: Design | ArrayLike) -> Indices:
        """All designs that differ in one choice, ``k x d``, without repeats and without ``design`` itself.

        When the changed choice activates others, those start at their first value.
        """
        centre = np.asarray(design.indices if isinstance(design, Design) else design, dtype=np.int64)
        active = self.active_mask(centre[None])[0]
        columns = np.flatnonzero(active & (self.cardinalities > 1))
        counts = self.cardinalities[columns] - 1
        rows = np.repeat(centre[None], int(counts.sum()), axis=0)
        changed = np.repeat(columns, counts)
        step = np.concatenate([np.arange(1, c + 1) for c in counts]) if len(counts) else np.zeros(0, np.int64)
        rows[np.arange(len(rows)), changed] = (centre[changed] + step) % self.cardinalities[changed]
        rows = self.canonical(rows)
        return rows[distinct_rows(rows)]

    # JSON

    def to_json(self) -> str:
        """One JSON document; equal spaces give equal text."""
        return json.dumps({"variables": [v.to_dict() for v in self.variables]}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Space:
        """Inverse of :meth:`to_json`; raises InputError if the text is not a space."""
        try:
            data = json.loads(text)
            return cls(Variable.from_dict(v) for v in data["variables"])
        except (json.JSONDecodeError, KeyError, TypeError) as ex:
            raise InputError(
                f"this is not the JSON form of a space: {ex}", "Write it with Space.to_json()."
            ) from ex
