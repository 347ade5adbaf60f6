"""Tables come back: what pandas, csv and people make of designs."""

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.space import Condition, Space, categorical, ordinal, read_design, read_designs

SPACE = Space(
    [
        ordinal("depth", (1, 2)),
        ordinal("width", (8, 16, 32), when=Condition("depth", (2,))),
        categorical("device", ("sram", "rram")),
        ordinal("rate", (0.1, 0.3, 0.7)),
        categorical("bias", (True, False)),
    ]
)
ROW = {"depth": 2, "width": 16, "device": "rram", "rate": 0.3, "bias": True}


def same(row) -> bool:
    return read_design(SPACE, row) == SPACE.design(ROW)


def test_values_are_found_however_they_are_written() -> None:
    assert same(ROW)
    assert same({**ROW, "rate": 0.1 + 0.2})
    assert same({k: str(v) for k, v in ROW.items()})
    assert same({**ROW, "depth": 2.0, "width": np.int64(16), "rate": np.float64(0.3), "bias": np.True_})
    assert same({**ROW, "width": " 16.0 "})


@pytest.mark.parametrize("nothing", [None, math.nan, np.nan, "", " "])
def test_what_does_not_matter_may_be_empty_or_anything(nothing) -> None:
    flat = SPACE.design({**ROW, "depth": 1})
    assert read_design(SPACE, {**ROW, "depth": 1, "width": nothing}) == flat
    assert read_design(SPACE, {**ROW, "depth": 1, "width": 999}) == flat


@given(st.lists(st.integers(0, SPACE.size - 1), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_a_csv_table_of_designs_and_results_comes_back(rows) -> None:
    designs = SPACE.designs(SPACE.enumerate()[rows])
    file = io.StringIO()
    writer = csv.DictWriter(file, ["number", *(v.name for v in SPACE.variables), "accuracy"])
    writer.writeheader()
    writer.writerows({"number": i, **d, "accuracy": 0.9} for i, d in enumerate(designs))
    file.seek(0)
    assert read_designs(SPACE, csv.DictReader(file)) == designs


def test_pandas_gives_the_designs_back() -> None:
    pandas = pytest.importorskip("pandas")
    designs = SPACE.designs(SPACE.enumerate())
    frame = pandas.DataFrame([{"number": i, **d} for i, d in enumerate(designs)])
    assert frame["width"].isna().any()
    assert read_designs(SPACE, frame) == designs
    again = pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert read_designs(SPACE, again) == designs
    assert read_design(SPACE, frame.convert_dtypes().iloc[0], others=True) == designs[0]


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({k: v for k, v in ROW.items() if k != "width"}, "width is missing"),
        ({**ROW, "width": math.nan}, "width is missing"),
        ({**ROW, "width": 17}, "width = 17"),
        ({**ROW, "rate": 0.3001}, "rate = 0.3001"),
        ({**ROW, "bias": 1}, "bias = 1"),
        ({**ROW, "colour": "red"}, "no variable 'colour'"),
        ([2, 16], "list is not a design"),
    ],
)
def test_what_is_missing_or_misspelt_is_refused(row, match) -> None:
    with pytest.raises(InputError, match=match):
        read_design(SPACE, row)


def test_a_misspelt_column_of_a_table_is_named() -> None:
    row = {("widht" if k == "width" else k): v for k, v in ROW.items()}
    with pytest.raises(InputError, match="row 1: width is missing") as ex:
        read_designs(SPACE, [ROW, row])
    assert "widht" in ex.value.hint
