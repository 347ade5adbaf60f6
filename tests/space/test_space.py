"""Spaces: counting, sampling, neighbours, encoding and JSON, against enumeration by brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.space import Condition, Design, Space, Variable, categorical, ordinal
from nax_bo.space.rows import distinct_rows, row_keys


@st.composite
def spaces(draw: st.DrawFn, max_variables: int = 6) -> Space:
    """Random small spaces whose variables may depend on up to two earlier ones."""
    variables: list[Variable] = []
    for i in range(draw(st.integers(1, max_variables))):
        k = draw(st.integers(1, 4))
        conditions = []
        for parent in (
            draw(st.lists(st.sampled_from(variables), max_size=2, unique=True)) if variables else []
        ):
            allowed = draw(st.lists(st.sampled_from(parent.values), min_size=1, unique=True))
            conditions.append(Condition(parent.name, tuple(allowed)))
        make = draw(st.sampled_from([ordinal, categorical]))
        variables.append(make(f"v{i}", [10 * j for j in range(k)], when=conditions))
    return Space(variables)


def brute_force(space: Space) -> set[tuple[int, ...]]:
    found = set()
    for index in itertools.product(*(range(v.cardinality) for v in space.variables)):
        active: dict[str, int] = {}
        row = []
        for variable, i in zip(space.variables, index, strict=True):
            on = all(c.variable in active and active[c.variable] in c.values for c in variable.active_when)
            if on:
                active[variable.name] = variable.values[i]
            row.append(i if on else 0)
        found.add(tuple(row))
    return found


@given(spaces())
@settings(max_examples=60, deadline=None)
def test_size_and_enumeration_equal_brute_force(space: Space) -> None:
    expected = brute_force(space)
    assert space.size == len(expected)
    assert set(map(tuple, space.enumerate().tolist())) == expected


@given(spaces(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_samples_are_distinct_canonical_designs(space: Space, seed: int) -> None:
    n = min(space.size, 20)
    for draw in (space.sample, space.sobol):
        rows = draw(n, seed)
        assert len({tuple(r) for r in rows.tolist()}) == n
        assert np.array_equal(space.canonical(rows), rows)
        assert np.array_equal(draw(n, seed), rows)


@given(spaces(), st.data())
@settings(max_examples=40, deadline=None)
def test_neighbours_are_the_designs_one_choice_away(space: Space, data: st.DataObject) -> None:
    all_designs = space.enumerate()
    centre = all_designs[data.draw(st.integers(0, len(all_designs) - 1))]
    active = space.active_mask(centre[None])[0]
    expected = set()
    for column in np.flatnonzero(active):
        for value in range(space.variables[column].cardinality):
            changed = centre.copy()
            changed[column] = value
            expected.add(tuple(space.canonical(changed[None])[0].tolist()))
    expected.discard(tuple(centre.tolist()))
    assert set(map(tuple, space.neighbours(centre).tolist())) == expected


@given(spaces())
@settings(max_examples=40, deadline=None)
def test_json_round_trip(space: Space) -> None:
    again = Space.from_json(space.to_json())
    assert again == space
    assert again.to_json() == space.to_json()


@given(spaces(), st.data())
@settings(max_examples=40, deadline=None)
def test_inactive_variables_do_not_matter(space: Space, data: st.DataObject) -> None:
    row = np.array([data.draw(st.integers(0, v.cardinality - 1)) for v in space.variables])
    other = row.copy()
    inactive = ~space.active_mask(row[None])[0]
    other[inactive] = [
        data.draw(st.integers(0, v.cardinality - 1)) for v in np.array(space.variables)[inactive]
    ]
    a, b = space.design(row), space.design(other)
    assert a == b
    assert hash(a) == hash(b)
    assert a.id == b.id
    assert np.array_equal(space.encode([a]), space.encode([b]))
    assert dict(a) == dict(b)


@given(spaces())
@settings(max_examples=30, deadline=None)
def test_designs_and_values_round_trip(space: Space) -> None:
    for row in space.sample(min(space.size, 5), 0):
        design = space.design(row)
        assert space.design(dict(design)) == design
        assert np.array_equal(space.indices([design])[0], row)


def depth_space(depth: int = 3) -> Space:
    return Space(
        [
            ordinal("depth", range(1, depth + 1)),
            *(
                ordinal(f"width_{i}", (8, 16, 32), when=Condition("depth", tuple(range(i, depth + 1))))
                for i in range(1, depth + 1)
            ),
            categorical("device", ("rram", "pcm")),
        ]
    )


def test_size_of_a_depth_space() -> None:
    assert depth_space().size == 2 * (3 + 9 + 27)


def test_size_of_a_huge_space_is_exact() -> None:
    assert Space([ordinal(f"x{i}", range(10)) for i in range(60)]).size == 10**60


def test_encoding_ranks_ordinals_and_indexes_categoricals() -> None:
    space = depth_space()
    design = space.design({"depth": 2, "width_1": 32, "width_2": 16, "device": "pcm"})
    assert space.encode([design]).tolist() == [[0.5, 1.0, 0.5, 0.0, 1.0]]
    assert "width_3" not in design
    assert space.columns(space.indices([design]))["width_2"].tolist() == [16]


def test_sobol_is_more_even_than_chance() -> None:
    space = Space([ordinal(f"x{i}", range(16)) for i in range(4)])
    counts = np.stack([np.bincount(c, minlength=16) for c in space.sobol(64, 0).T])
    assert counts.std() < np.stack([np.bincount(c, minlength=16) for c in space.sample(64, 0).T]).std()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Space([]), "at least one variable"),
        (lambda: Space([ordinal("a", [1]), ordinal("a", [2])]), "defined twice"),
        (
            lambda: Space([ordinal("a", [1], when=Condition("b", (1,))), ordinal("b", [1])]),
            "not defined before",
        ),
        (
            lambda: Space([ordinal("a", [1]), ordinal("b", [1], when=Condition("a", (7,)))]),
            "a = 7 is not a value",
        ),
        (lambda: ordinal("a", []), "has no values"),
        (lambda: ordinal("a", [1, 1.0]), "lists a value twice"),
        (lambda: depth_space().design({"widht_1": 8}), "no variable 'widht_1'"),
        (lambda: depth_space().design({"depth": 9}), "depth = 9 is not a value"),
        (lambda: depth_space().design([0, 0]), "is not an index vector"),
        (lambda: depth_space().sample(10_000, 0), "10000 different designs"),
        (lambda: Space.from_json("[]"), "not the JSON form"),
        (lambda: Space([ordinal(f"x{i}", range(10)) for i in range(9)]).enumerate(), "too many to list"),
    ],
)
def test_bad_input_is_named(make, match) -> None:
    with pytest.raises(InputError, match=match):
        make()


def test_unknown_variable_suggests_the_closest() -> None:
    with pytest.raises(InputError, match="Did you mean width_1"):
        depth_space().position("widht_1")


def test_values_are_parsed_from_text() -> None:
    space = depth_space()
    assert space["width_1"].parse("16") == 16
    assert space["width_1"].parse("16.0") == 16
    assert space["device"].parse("pcm") == "pcm"
    with pytest.raises(InputError, match="Choose one of: 8, 16, 32"):
        space["width_1"].parse("wide")


def test_a_design_is_a_mapping() -> None:
    design = depth_space().design({"depth": 1, "width_1": 8, "device": "rram"})
    assert isinstance(design, Design)
    assert {**design} == {"depth": 1, "width_1": 8, "device": "rram"}


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 60), st.integers(1, 9), st.integers(0, 10_000))
def test_rows_are_distinct_where_comparing_them_says_so(d, n, values, seed):
    rows = np.random.default_rng(seed).integers(0, values, (n, d))
    first = {}
    for i, row in enumerate(map(tuple, rows.tolist())):
        first.setdefault(row, i)
    assert distinct_rows(rows).tolist() == sorted(first.values())


def test_keys_of_neighbours_and_shuffled_rows_differ():
    space = Space([ordinal(f"v{i}", range(5)) for i in range(30)])
    centre = space.sample(1, 0)[0]
    rows = np.vstack([centre[None], space.neighbours(centre), [np.roll(centre, k) for k in range(1, 30)]])
    assert len(np.unique(row_keys(rows))) == len({tuple(r) for r in rows.tolist()})
    assert (row_keys(rows) == row_keys(rows.copy())).all()


def test_numpy_values_become_plain_ones_and_mixed_ones_stay_apart():
    space = Space(
        [
            ordinal("n", np.array([8, 16, 32])),
            categorical("m", [1, "x", True]),
            ordinal("k", [1, 2], when=Condition("m", "x")),
        ]
    )
    assert space == Space.from_json(space.to_json())
    assert space.design({"n": np.int64(16)}).indices == (1, 0, 0)
    column = space.columns([[0, 0, 0], [0, 1, 0], [0, 2, 0]])["m"]
    assert [type(value) for value in column] == [int, str, bool]
    assert space.size == 3 * (1 + 2 + 1)


@pytest.mark.parametrize("values", ["abc", None, 5, np.ones((2, 2)), [1, None], [float("nan")]])
def test_values_that_are_none_are_refused(values):
    with pytest.raises(InputError):
        ordinal("a", values)


def test_many_switches_listed_before_what_they_switch_are_counted_at_once():
    switches = [categorical(f"on_{i}", ["no", "yes", "maybe"]) for i in range(20)]
    choices = [ordinal(f"choice_{i}", range(4), when=Condition(f"on_{i}", ("yes",))) for i in range(20)]
    assert Space([*switches, *choices]).size == (1 + 4 + 1) ** 20


def test_designs_deep_below_conditions_are_sampled_though_draws_hardly_reach_them():
    outer = [ordinal("r0", range(10))]
    outer += [ordinal(f"r{i}", range(10), when=Condition(f"r{i - 1}", (9,))) for i in range(1, 4)]
    space = Space([*outer, *(ordinal(f"z{i}", range(4), when=Condition("r3", (9,))) for i in range(12))])
    rows = space.sample(300, 0)
    assert len(set(map(tuple, rows.tolist()))) == 300
    np.testing.assert_array_equal(space.canonical(rows), rows)
