"""Conditional columns that do not matter: a level of their own, not their lowest value."""

import numpy as np
import pytest
from nax_surrogates import GaussianProcess
from nax_surrogates.kernel import FeatureMap

from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.space import Condition, Space, categorical, ordinal
from nax_bo.surrogate import Column, columns_of
from nax_bo.surrogate.encoding import learn_encoding


def without(columns):
    return [Column(c.name, c.kind, c.cardinality) for c in columns]


def nested():
    return Space(
        [
            categorical("kind", ["a", "b", "c"]),
            ordinal("deep", [1, 2, 3, 4], when=Condition("kind", ("b",))),
            ordinal("deeper", [1, 2, 3], when=Condition("deep", (2, 4))),
            categorical("deepest", ["x", "y"], when=Condition("deeper", (3,))),
        ]
    )


@pytest.mark.parametrize("space", [nested(), synthetic_problem("deep64").space], ids=["nested", "deep64"])
def test_what_matters_is_told_from_the_inputs_as_the_space_tells_it(space):
    x = space.sample(min(60, space.size), 0)
    inputs = space.encode(x)
    encoding = learn_encoding(inputs, columns_of(space.variables))
    np.testing.assert_array_equal(encoding.active(inputs), space.active_mask(x))


def test_inactive_columns_have_no_main_effect():
    space = nested()
    inputs = space.encode(space.enumerate())
    features = FeatureMap(learn_encoding(inputs, columns_of(space.variables)))
    off = features(inputs[inputs[:, 0] != 1]).h  # only "kind" matters
    assert np.count_nonzero(np.abs(off).sum(axis=0)) == 3
    plain = FeatureMap(learn_encoding(inputs, without(columns_of(space.variables))))
    on = (inputs[:, 0] == 1) & (inputs[:, 2] == 1) & np.isin(inputs[:, 1], [1 / 3, 1.0])
    np.testing.assert_array_equal(features(inputs[on]).h, plain(inputs[on]).h)


def test_columns_whose_deciding_column_is_hidden_always_matter():
    columns = columns_of([v for v in nested().variables if v.name != "kind"])
    assert columns[0].active_when == ()
    assert columns[1].active_when == (("deep", (1 / 3, 1.0)),)


def test_the_effect_of_a_low_value_is_not_seen_where_there_is_none():
    """A bad lowest value of a setting says nothing of designs without that setting."""
    space = Space(
        [
            categorical("kind", ["plain", "tuned"]),
            *(ordinal(f"x{i}", range(5), when=Condition("kind", ("tuned",))) for i in range(6)),
            *(ordinal(f"y{i}", range(5)) for i in range(6)),
        ]
    )
    errors = []
    for seed in range(4):
        x = space.sample(240, seed)
        told, unseen = x[:40], x[40:]

        def outcome(rows):
            tuned = rows[:, 0] == 1
            return rows[:, 7:].sum(axis=1) * 0.3 + tuned * (rows[:, 1:7] - 2.0).sum(axis=1)

        columns = columns_of(space.variables)
        error = []
        for given in (columns, without(columns)):
            gp = GaussianProcess(given).fit(space.encode(told), outcome(told)[:, None])
            error.append(np.sqrt(np.mean((gp.predict(space.encode(unseen))[0][:, 0] - outcome(unseen)) ** 2)))
        errors.append(error)
    aware, blind = np.mean(errors, axis=0)
    assert aware < blind
