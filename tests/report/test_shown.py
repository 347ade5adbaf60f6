"""Nothing that is shown contradicts the store: every figure of page and tables, recomputed from a real study's file.

The file is read as what it is, a database of JSON, and not through the code that shows it.
"""

import csv
import io
import json
import math
import re
import sqlite3
from collections import namedtuple
from html.parser import HTMLParser

import numpy as np
import pytest
from nax_cli.pareto import pareto
from nax_cli.trials import trials
from nax_cli.whatif_study import answer

from nax_bo.accuracy.intervals import accuracy_intervals
from nax_bo.hardware import ChipSpec, cost_model
from nax_bo.network import NetworkSpec
from nax_bo.units import PLAIN

SIZES = {
    "pJ": 1.0, "nJ": 1e3, "µJ": 1e6, "ns": 1.0, "µs": 1e3, "ms": 1e6, "µm²": 1.0, "mm²": 1e6,
    "pJ·µs·mm²": 1e-9, "nJ·µs·mm²": 1e-6, "µJ·µs·mm²": 1e-3, "µJ·ms·mm²": 1.0,
}  # fmt: skip
SIZES |= {name.translate(PLAIN): size for name, size in SIZES.items()}
"""Units as shown, in pJ, ns, µm² and µJ·ms·mm²."""

FIELDS = {
    "EDAP": ("edap_uj_ms_mm2", "edap_low_uj_ms_mm2", "edap_high_uj_ms_mm2"),
    "energy": ("energy_pj", "energy_low_pj", "energy_high_pj"),
    "latency": ("latency_ns", "latency_low_ns", "latency_high_ns"),
    "area": ("area_um2", "area_low_um2", "area_high_um2"),
}

Held = namedtuple("Held", "design outcome fidelity report network chip seconds")


@pytest.fixture(scope="module")
def held(real) -> dict[int, Held]:
    """What the file holds of each design: the look that counts, its cost, what it is."""
    found = {}
    with sqlite3.connect(real.store.path) as file:
        done = {}
        for trial, fidelity, outcome, seconds in file.execute(
            "SELECT trial, fidelity, outcome, seconds FROM evaluations WHERE state = 'done'"
        ):
            done.setdefault(trial, {})[fidelity] = json.loads(outcome), seconds
        for number, design, network, chip, report in file.execute(
            "SELECT number, design, network, chip, report FROM trials JOIN specs ON number = trial"
        ):
            looks = done[number]
            fidelity = "full" if "full" in looks else "short"
            found[number] = Held(
                json.loads(design), looks[fidelity][0], fidelity, *map(json.loads, (report, network, chip)),
                sum(s for _, s in looks.values()),
            )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def front(held) -> list[int]:
    """Numbers of the fully trained designs within 10 points of the best that no other beats; most accurate first."""
    points = {n: (accuracy(h), h.report["edap_uj_ms_mm2"]) for n, h in held.items() if h.fidelity == "full"}
    reach = max(a for a, _ in points.values()) - 0.1
    kept = undominated({n: p for n, p in points.items() if p[0] >= reach})
    return sorted(kept, key=lambda n: -points[n][0])


def accuracy(h: Held) -> float:
    return math.fsum(h.outcome["draws"]) / len(h.outcome["draws"])


def undominated(points: dict[int, tuple[float, float]]) -> set[int]:
    return {
        n
        for n, (a, c) in points.items()
        if not any(b >= a and d <= c and (b, d) != (a, c) for b, d in points.values())
    }


def between(h: Held, what: str) -> float:
    """Standard deviation in percentage points, by the textbook: draws take turns among trainings."""
    k, draws = h.outcome["trainings"], h.outcome["draws"]
    groups = [np.array(draws[turn::k]) for turn in range(k)]
    chips = sum(((g - g.mean()) ** 2).sum() for g in groups) / (len(draws) - k)
    if what == "chips":
        return 100 * math.sqrt(chips)
    trainings = np.var([g.mean() for g in groups], ddof=1) - chips / (len(draws) / k)
    return 100 * math.sqrt(max(0.0, trainings))


def close(text: str, value: float) -> bool:
    """Whether a number as shown is the value, rounded to the digits that are shown (two at least)."""
    whole, _, decimals = text.partition(".")
    step = 10.0 ** -len(decimals) if decimals else 10.0 ** max(0, len(whole) - 2)
    return abs(float(text) - value) <= 0.5001 * step


class Table(HTMLParser):
    """Rows of the front's table: texts by cell, notes after a newline."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        if tag == "table":
            self.inside = ("id", "front-table") in attrs
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("td", "th"):
            self.rows[-1].append("")
        if self.inside and tag == "small":
            self.rows[-1][-1] += "\n"

    def handle_data(self, text) -> None:
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += text.strip()


@pytest.fixture(scope="module")
def content(real_page):
    return json.loads(
        re.search(r'id="content">(.*?)</script>', real_page.read_text(encoding="utf-8"), re.DOTALL)[1]
    )


def check_costs(row: dict[str, str], h: Held) -> None:
    """Cells under headings such as ``energy (nJ)``, with ranges below them or under ``energy range``."""
    for label, (field, low, high) in FIELDS.items():
        (heading,) = (name for name in row if name.startswith(f"{label} ("))
        unit = re.search(r"\((.*)\)", heading)[1]
        size = (
            SIZES.get(unit)
            or SIZES[unit.replace("u", "µ").replace(" ", "·").replace("mm2", "mm²").replace("m2", "m²")]
        )
        value, _, ends = row[heading].partition("\n")
        ends = row.get(f"{label} range", ends)
        assert close(value, h.report[field] / size), (heading, row[heading])
        if h.report[low] is None:
            assert ends in ("", "-")
        else:
            shown = ends.split(" to ")
            assert close(shown[0], h.report[low] / size), (heading, ends)
            assert close(shown[1], h.report[high] / size), (heading, ends)


@pytest.fixture(scope="module")
def kept(held) -> dict[str, set[int]]:
    """Fully trained designs that no other beats, by cost model."""
    full = {n: h for n, h in held.items() if h.fidelity == "full"}
    found = {}
    for name in ("published", "isaac", "puma"):
        price = cost_model(name).evaluate
        costs = {
            n: price(NetworkSpec.from_dict(h.network), ChipSpec.from_dict(h.chip)) for n, h in full.items()
        }
        found[name] = undominated({n: (accuracy(h), costs[n].edap_uj_ms_mm2) for n, h in full.items()})
    return found


@pytest.fixture(scope="module")
def intervals(held):
    full = {n: h.outcome for n, h in held.items() if h.fidelity == "full"}
    return dict(zip(full, accuracy_intervals(list(full.values())), strict=True))


def ties(held, front) -> set[int]:
    best = held[front[0]]
    return {
        n
        for n in front
        if accuracy(best) - accuracy(held[n])
        <= 2 * math.hypot(best.outcome["standard_error"], held[n].outcome["standard_error"])
    }


def test_the_fronts_table(real_page, held, front, kept, intervals) -> None:
    heading, *rows = Table(real_page.read_text(encoding="utf-8")).rows
    assert [int(row[0]) for row in rows] == front
    for cells in rows:
        row = dict(zip(heading, cells, strict=True))
        h, number = held[int(row["design"])], int(row["design"])
        mean, interval = row["accuracy (%)"].split("\n")
        assert close(mean.rstrip(" ="), 100 * accuracy(h))
        assert mean.endswith("=") == (number in ties(held, front))
        assert all(close(a, 100 * b) for a, b in zip(interval.split(" to "), intervals[number], strict=True))
        assert close(row["± trainings"], between(h, "trainings"))
        assert close(row["± chips"], between(h, "chips"))
        check_costs(row, h)
        assert row["undominated under"].split(", ") == [m for m in kept if number in kept[m]]


def test_every_design_that_can_be_picked(content, held, kept, intervals) -> None:
    units = {c["label"]: SIZES[c["unit"]] for c in content["costs"]}
    assert {d["number"] for d in content["designs"]} == set(held)
    for d in content["designs"]:
        h, texts = held[d["number"]], d["texts"]
        assert d["accuracy"] == pytest.approx(100 * accuracy(h))
        assert d["choices"] == {k.replace("_", " "): v for k, v in h.design.items()}
        assert close(re.match(r"[\d.]+", texts["accuracy"])[0], 100 * accuracy(h))
        for label, (field, low, high) in FIELDS.items():
            name = next(c["name"] for c in content["costs"] if c["label"] == label)
            assert d[name] * units[label] == pytest.approx(h.report[field])
            assert close(texts[label].split()[0], h.report[field] / units[label])
            assert (f"{label} by source" in texts) == (h.report[low] is not None)
            if h.report[low] is not None:
                ends = re.findall(r"[\d.]+", texts[f"{label} by source"])
                assert close(ends[0], h.report[low] / units[label])
                assert close(ends[1], h.report[high] / units[label])
        if h.fidelity == "full":
            assert texts["undominated under"] == (
                ", ".join(m for m in kept if d["number"] in kept[m]) or "no cost model"
            )
            ends = re.findall(r"[\d.]+", texts["95 % interval"])
            assert all(close(a, 100 * b) for a, b in zip(ends, intervals[d["number"]], strict=True))


def test_points_of_the_front_picture(content, held) -> None:
    size = SIZES[next(c["unit"] for c in content["costs"] if c["label"] == "EDAP")]
    (rows,) = (
        layer["data"]["values"]
        for layer in content["charts"]["front-0"]["layer"]
        if layer["data"].get("name") == "designs"
    )
    assert len(rows) == len(held)
    for row in rows:
        h = held[row["number"]]
        assert row["cost"] * size == pytest.approx(h.report["edap_uj_ms_mm2"])
        assert row["cost_low"] * size == pytest.approx(h.report["edap_low_uj_ms_mm2"])
        assert row["cost_high"] * size == pytest.approx(h.report["edap_high_uj_ms_mm2"])
        assert row["error"] == pytest.approx(max(100 * (1 - accuracy(h)), 50 / 898))


def test_layers_of_every_design(content, held) -> None:
    assert set(map(int, content["layers"])) == set(held)
    fields = {"energy": "energy_pj", "latency": "latency_ns", "area": "area_um2"}
    for number, rows in content["layers"].items():
        layers = {x["name"]: x for x in held[int(number)].report["layers"]}
        assert len(rows) == 3 * len(layers)
        for row in rows:
            what, unit = re.match(rf"{number}: (\w+) \((.+)\)", row["what"]).groups()
            value = layers[row["layer"]][fields[what]]
            assert close(row["text"], value / SIZES[unit])
            assert row["share"] == pytest.approx(value / sum(x[fields[what]] for x in layers.values()))
            assert row["waits"] == layers[row["layer"]]["bound_by"]


def test_components_of_the_chosen_design(real_data, held) -> None:
    parts = {c["name"]: c for c in held[real_data.number].report["components"]}
    assert {c.component for c in real_data.components} == {
        n for n, c in parts.items() if c["energy_pj"] > 0 or c["area_um2"] > 0
    }
    for c in real_data.components:
        assert (c.energy_pj, c.area_um2) == (parts[c.component]["energy_pj"], parts[c.component]["area_um2"])


def test_the_survivors_picture(content, front, kept) -> None:
    (rows,) = content["charts"]["survivors-0"]["datasets"].values()
    assert len(rows) == 3 * len(front)
    for row in rows:
        assert (row["holds"] == "stays") == (int(row["design"]) in kept[row["model"]])


def test_the_hypervolume_is_the_area_below_the_front(real_data, real, held, front) -> None:
    worst = real.reference_point()
    area, top = 0.0, worst["accuracy"]
    for number in sorted(front, key=lambda n: held[n].report["edap_uj_ms_mm2"]):  # the cheapest first
        wide = math.log10(worst["edap_uj_ms_mm2"]) - math.log10(held[number].report["edap_uj_ms_mm2"])
        if wide > 0 and accuracy(held[number]) > top:
            area += wide * (accuracy(held[number]) - top)
            top = accuracy(held[number])
    assert real_data.history[-1].hypervolume == pytest.approx(area, rel=1e-6)
    assert dict(real_data.facts)["hypervolume"].startswith(f"{area:.4g} ")


def test_what_was_run(real_data, held) -> None:
    facts = dict(real_data.facts)
    full = sum(h.fidelity == "full" for h in held.values())
    assert facts["designs"] == f"{len(held)} of 200, {full} trained in full, 0 failed"
    minutes = sum(h.seconds for h in held.values()) / 60
    assert close(facts["training time"].removesuffix(" min"), minutes)
    assert "898 test images" in facts["data"]


def parsed(table: str) -> list[dict[str, str]]:
    """Rows of a table at the terminal."""
    heading, rule, *lines = table.splitlines()
    spans = [m.span() for m in re.finditer("-+", rule)]
    ends = [start for start, _ in spans[1:]] + [None]
    cut = [slice(start, end) for (start, _), end in zip(spans, ends, strict=True)]
    names = [heading[c].strip() for c in cut]
    return [dict(zip(names, (line[c].strip() for c in cut), strict=True)) for line in lines]


def test_pareto_at_the_terminal(real, capsys, held, front, kept, intervals) -> None:
    pareto(study=str(real.store.path))
    rows = parsed(capsys.readouterr().out)
    assert [int(row["design"]) for row in rows] == front
    for row in rows:
        number, h = int(row["design"]), held[int(row["design"])]
        assert close(row["accuracy (%)"].rstrip("="), 100 * accuracy(h))
        assert row["accuracy (%)"].endswith("=") == (number in ties(held, front))
        ends = row["95 % interval"].split(" to ")
        assert all(close(a, 100 * b) for a, b in zip(ends, intervals[number], strict=True))
        assert close(row["+- trainings"], between(h, "trainings"))
        assert close(row["+- chips"], between(h, "chips"))
        check_costs(row, h)
        holds = [m for m in kept if number in kept[m]]
        assert row["undominated under"] == ("all" if len(holds) == 3 else ", ".join(holds) or "none")


def test_pareto_as_data(real, capsys, held, front) -> None:
    pareto(study=str(real.store.path), as_json=True)
    rows = json.loads(capsys.readouterr().out)["front"]
    pareto(study=str(real.store.path), csv=True)
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["number"] for row in rows] == [int(line["number"]) for line in lines] == front
    for row, line in zip(rows, lines, strict=True):
        h = held[row["number"]]
        assert row["design"] == h.design
        assert {k: line[k] for k in h.design} == {k: str(v) for k, v in h.design.items()}
        assert row["accuracy"] == pytest.approx(accuracy(h))
        for name, field, factor in (
            ("energy_uj", "energy_pj", 1e-6),
            ("energy_high_uj", "energy_high_pj", 1e-6),
            ("latency_ms", "latency_ns", 1e-6),
            ("area_mm2", "area_um2", 1e-6),
            ("edap_low_uj_ms_mm2", "edap_low_uj_ms_mm2", 1.0),
        ):
            assert row[name] == float(line[name]) == pytest.approx(factor * h.report[field])


def test_trials_as_a_table(real, capsys, held) -> None:
    trials(study=str(real.store.path), csv=True)
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(line["number"]) for line in lines] == sorted(held)
    for line in lines:
        h = held[int(line["number"])]
        assert float(line["accuracy"]) == pytest.approx(accuracy(h))
        assert float(line["edap_uj_ms_mm2"]) == pytest.approx(h.report["edap_uj_ms_mm2"])
        assert {k: line[k] for k in h.design} == {k: str(v) for k, v in h.design.items()}


def test_a_design_as_it_is_in_what_if(real, capsys, held, front) -> None:
    answer(str(real.store.path), front[0], [], [], as_json=False, trust=False)
    out, err = capsys.readouterr()
    (row,) = parsed(out)
    check_costs(row, held[front[0]])
    assert close(re.search(r"([\d.]+) % ± [\d.]+ \(full training\)", err)[1], 100 * accuracy(held[front[0]]))
