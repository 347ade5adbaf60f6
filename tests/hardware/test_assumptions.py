"""The manual's page of assumptions against the code, so that neither changes alone."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from nax_bo.hardware.chip import Conditions
from nax_bo.hardware.chip.devices import device

PAGE = Path(__file__).parents[2] / "docs" / "assumptions.md"
ROWS = {
    match[1].strip("`"): [cell.strip() for cell in match[2].split("|")]
    for match in re.finditer(r"^\| (`[\w-]+`) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("name", [f.name for f in fields(Conditions)])
def test_every_condition_stands_on_the_page_with_its_default(name):
    default = getattr(Conditions(), name)
    shown = ROWS[name][0]
    assert (shown == str(default).lower()) if isinstance(default, bool) else (float(shown) == default)


@pytest.mark.parametrize("name", [f.name for f in fields(Conditions) if isinstance(f.default, float)])
def test_defaults_lie_within_their_ranges(name):
    low, high = (float(x) for x in ROWS[name][1].split(" to "))
    assert low <= getattr(Conditions(), name) <= high


@pytest.mark.parametrize("kind", ["rram", "pcm", "fefet", "stt-mram", "sram"])
def test_devices_stand_on_the_page_with_their_access_time_and_its_range(kind):
    known = next(r for r in device(kind).ranges if r.field == "read_pulse_ns")
    assert ROWS[kind][2].startswith(f"{device(kind).read_pulse_ns:g} ns")
    assert ROWS[kind][3] == f"{known.low:g} to {known.high:g}"
    assert known.low <= device(kind).read_pulse_ns <= known.high
