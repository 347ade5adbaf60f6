"""What a notebook shows: tables of studies, fronts and what-ifs, and charts as values."""

import re

import pytest

from nax_bo.errors import InputError
from nax_bo.hardware import ArraySpec, ChipSpec
from nax_bo.network import named_network
from nax_bo.notebook import MOST_ROWS, table_html
from nax_bo.report.gallery import QUICK, chart
from nax_bo.report.whatif_chart import chart as whatif_chart
from nax_bo.whatif import Setting, compare, one_at_a_time, parse_sweep, sweep, variants

NETWORK = named_network("vgg8", (3, 32, 32), 10)
CHIP = ChipSpec("sram", arrays=(ArraySpec(bits_per_cell=1),))


def cells(html):
    """Rows of an HTML table."""
    return [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]


def test_a_study_shows_its_front(grown):
    html = grown._repr_html_()
    head, *rows = cells(html)
    assert f"{len(grown.trials())} of 24 designs" in html
    assert [int(row[0]) for row in rows] == [t.number for t in grown.front()]
    for row, trial in zip(rows, grown.front(), strict=True):
        found = dict(zip(head, row, strict=True))
        assert float(found["accuracy (%)"]) == pytest.approx(
            100 * trial.at("full").outcome["mean"], abs=0.051
        )
        assert float(found["area (mm²)"]) == pytest.approx(trial.costs["area_mm2"], rel=0.01)
        assert all("e-" not in text for text in found.values())


def test_a_front_is_a_list_that_shows_itself(grown):
    front = grown.front()
    assert isinstance(front, list)
    assert [front[0], *front[1:]] == list(front)
    assert f"{len(front)} designs on the front" in front._repr_html_()


def test_what_ifs_show_themselves():
    designs = variants(NETWORK, CHIP, [[Setting("adc_bits", 5)], [Setting("adc_bits", 4)]])
    comparison = compare(designs)
    head, *rows = cells(comparison._repr_html_())
    assert [row[0] for row in rows] == ["base", "adc_bits=5", "adc_bits=4"]
    energies = [float(row[head.index("energy (µJ)")]) for row in rows]
    assert energies == pytest.approx([r.energy_pj * 1e-6 for r in comparison.reports], rel=0.05)
    low, high = map(float, rows[0][head.index("energy range")].split(" to "))
    assert (low, high) == pytest.approx([1e-6 * e for e in comparison.reports[0].ends("energy_pj")], rel=0.05)
    swept = sweep(NETWORK, CHIP, [parse_sweep("adc_bits=3:5"), parse_sweep("mux=8,4096")])
    html = swept._repr_html_()
    assert len(cells(html)) == 7
    assert "share a converter" in html  # why half of them are impossible
    assert "swing" in one_at_a_time(NETWORK, CHIP, [parse_sweep("mux=2,4,8")])._repr_html_()


@pytest.mark.parametrize("name", QUICK)
def test_figures_are_values(grown, name):
    assert "vega-lite" in chart(grown, name).to_dict()["$schema"]


def test_a_figure_that_does_not_exist_is_named(grown):
    with pytest.raises(InputError, match="no figure 'frnt'"):
        chart(grown, "frnt")


def test_charts_of_what_ifs_are_values():
    comparison = compare(variants(NETWORK, CHIP, [[Setting("adc_bits", 5)]]))
    swept = sweep(NETWORK, CHIP, [parse_sweep("adc_bits=3:5")])
    for answer in (comparison, swept):
        assert whatif_chart(answer)._repr_mimebundle_() is not None


def test_text_cannot_become_markup_and_long_tables_say_what_is_left():
    html = table_html([{"<b>": "<script>alert(1)</script>"}] * (MOST_ROWS + 3), "<i>")
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "and 3 more" in html
    assert table_html([]).count("<tr>") == 1
