"""The plain form of a cost is read back as it was, breakdowns and ranges of costs included."""

import json

import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import CostReport, cost_model
from nax_bo.systems import load_system


def report() -> CostReport:
    system = load_system("vgg", (1, 8, 8), 10)
    return cost_model("published").evaluate(
        *system.decode(system.space.designs(system.space.sample(1, 0))[0])
    )


def test_plain_form_is_read_back() -> None:
    made = report()
    read = CostReport.from_dict(json.loads(json.dumps(made.to_dict())))
    assert read.layers == made.layers
    assert read.components == made.components
    assert read.edap_uj_ms_mm2 == made.edap_uj_ms_mm2
    for name, factors in made.spread.factors.items():
        assert read.spread.factors[name] == pytest.approx(factors)


@pytest.mark.parametrize(
    "change", [{"energy_pj": "much"}, {"layers": [3]}, {"components": [{"name": "adc"}]}]
)
def test_what_is_no_cost_is_refused(change) -> None:
    with pytest.raises(InputError, match="not the plain form of a cost"):
        CostReport.from_dict({**report().to_dict(), **change})
