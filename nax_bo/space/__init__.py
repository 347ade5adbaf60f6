"""Mixed discrete spaces: variables, conditional activity, sampling, neighbours, encoding."""

from nax_bo.space.design import Design
from nax_bo.space.reading import read_design, read_designs
from nax_bo.space.restrict import restrict
from nax_bo.space.space import Space
from nax_bo.space.variable import Condition, Value, Variable, categorical, ordinal

__all__ = [
    "Condition",
    "Design",
    "Space",
    "Value",
    "Variable",
    "categorical",
    "ordinal",
    "read_design",
    "read_designs",
    "restrict",
]
