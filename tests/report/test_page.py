"""The page: what it shows is what the store holds, and (where a browser is installed) what a reader can do with it."""

import json
import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from nax_bo.outcomes import MAIN_COSTS
from nax_bo.report.charts import designs
from nax_bo.report.page import page, write_report
from nax_bo.units import unit_for


@pytest.fixture(scope="module")
def text(data):
    return page(data)


@pytest.fixture(scope="module")
def content(text):
    return json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])


def test_every_value_of_every_design_is_the_stores(grown, data, content) -> None:
    units = designs.units(data)
    looked = {t.number: t for t in grown.trials() if t.at("full") or t.at("short")}
    assert {d["number"] for d in content["designs"]} == set(looked)
    for d in content["designs"]:
        trial = looked[d["number"]]
        assert d["accuracy"] == pytest.approx(100 * grown.accuracy(trial.at("full") or trial.at("short")))
        for name in MAIN_COSTS:
            assert d[name] * units[name].size == pytest.approx(trial.costs[name])
        assert d["choices"] == {k.replace("_", " "): v for k, v in trial.design.items()}
    front = {d["number"] for d in content["designs"] if d["kind"] == "front"}
    assert front == {t.number for t in grown.front()}


def test_layers_of_every_design_add_up_to_it(content) -> None:
    by_number = {d["number"]: d for d in content["designs"]}
    for number, rows in content["layers"].items():
        for what in ("energy", "latency"):
            shares = [r["share"] for r in rows if f": {what} (" in r["what"]]
            assert sum(shares) == pytest.approx(1.0)
        assert int(number) in by_number


def test_points_stand_where_the_store_puts_them(grown, data) -> None:
    unit = designs.units(data)["edap_uj_ms_mm2"]
    for row in designs.front_rows(data):
        trial = grown.trial(row["number"])
        accuracy = grown.accuracy(trial.at("full") or trial.at("short"))
        assert row["error"] == pytest.approx(max(100 * (1 - accuracy), 50 / data.test_images))
        assert row["cost"] * unit.size == pytest.approx(trial.costs["edap_uj_ms_mm2"])


def test_numbers_stand_at_their_own_points(data) -> None:
    chart = designs.front(data).to_dict()
    (name,) = (layer["data"]["name"] for layer in chart["layer"] if layer["mark"]["type"] == "text")
    labels, rows = chart["datasets"][name], {r["number"]: r for r in designs.front_rows(data)}
    assert labels
    assert all(math.isclose(r["cost"], rows[r["number"]]["cost"]) for r in labels)


def test_the_sentences_name_what_the_rows_say(grown, data) -> None:
    best = max(grown.accuracy(t.at("full")) for t in grown.front())
    near = [t for t in grown.front() if grown.accuracy(t.at("full")) >= best - 0.005]
    cheapest = min(near, key=lambda t: t.costs["edap_uj_ms_mm2"])
    assert any(f"cheapest is design {cheapest.number} " in sentence for sentence in data.answer)


def test_every_number_in_the_sentences_is_the_stores(grown, data) -> None:
    cost = data.cost
    unit = unit_for(cost.unit, [t.costs[cost.name] for t in grown.front()])
    said = " ".join(data.answer)
    shown = re.findall(
        r"design (\d+) \(([\d.]+) %, EDAP ([\d.]+) \S+?(?:, ([\d.]+) to ([\d.]+) by source)?\)", said
    )
    assert shown
    for number, accuracy, edap, low, high in shown:
        trial = grown.trial(int(number))
        measured = np.mean(trial.at("full").outcome["draws"])
        assert abs(100 * measured - float(accuracy)) <= 0.51 * 10.0 ** -len(accuracy.partition(".")[2])
        assert float(edap) * unit.size == pytest.approx(trial.costs[cost.name], rel=0.06)
        report = grown.cost_report(trial)
        for text, factor in ((low, report.spread.edap[0]), (high, report.spread.edap[1])):
            assert float(text) * unit.size == pytest.approx(trial.costs[cost.name] * factor, rel=0.06)
    best = max(grown.front(), key=lambda t: np.mean(t.at("full").outcome["draws"]))
    tied = set()
    for trial in grown.front():
        a, b = best.at("full").outcome, trial.at("full").outcome
        gap = np.mean(a["draws"]) - np.mean(b["draws"])
        if gap <= 2 * math.hypot(a["standard_error"], b["standard_error"]):
            tied.add(trial.number)
    last = data.answer[-1].partition(":")[0]
    assert set(map(int, re.findall(r"\b\d+\b", last))) == tied


def test_the_page_forbids_itself_everything_but_itself(text) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"|@import|url\(", own)
    assert len(text.encode()) < 3e6


def test_text_of_a_study_cannot_become_markup(grown, data) -> None:
    hostile = replace(data, title="</script><script>alert(1)</script>", answer=("<b>x</b>",))
    assert "<script>alert" not in page(hostile)


@pytest.fixture(scope="module")
def many(data):
    """The same study with 10,000 designs: others like its own, at other costs, the best of which can be taken apart."""
    random, points = np.random.default_rng(0), []
    for i in range(10_000):
        p = data.points[i % len(data.points)]
        row = {**p.row, "number": i, **{n: p.row[n] * random.uniform(0.5, 2.0) for n in data.costs}}
        first = i < len(data.points)
        kind = row["fidelity"] if i < 500 else "short"
        points.append(
            replace(
                p,
                row={**row, "fidelity": kind},
                on_front=p.on_front and first,
                layers=p.layers if i < 1000 else (),
            )
        )
    return replace(data, points=tuple(points))


def test_a_page_of_10_000_designs_is_written_soon_and_small_enough(many) -> None:
    start = time.process_time()
    text = page(many)
    assert time.process_time() - start < 20  # 3 s on a quiet machine; it took 45
    assert len(text.encode()) < 20e6
    content = json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])
    assert len(content["designs"]) == 10_000


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_page_of_10_000_designs_opens_and_filters(many, tmp_path, browse) -> None:
    (tmp_path / "index.html").write_text(page(many), encoding="utf-8")
    with browse(tmp_path / "index.html", 1400) as driver:
        found = driver.find_element("id", "found")
        assert found.text.startswith("10000 of 10000 designs remain")
        field = driver.find_element("id", "limit-area_mm2")
        middle = sorted(p.row["area_mm2"] for p in many.points)[5000] / designs.units(many)["area_mm2"].size
        field.send_keys(repr(middle))
        assert 4900 < int(found.text.split(" of ")[0]) < 5100
        assert driver.get_log("browser") == []


@pytest.fixture(scope="module")
def path(data, tmp_path_factory):
    return write_report(data, tmp_path_factory.mktemp("written"))


def _soon(holds) -> bool:
    """Whether something holds within some seconds: pictures are drawn when the browser finds time."""
    deadline = time.monotonic() + 20
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, False), (1400, True)])
def test_a_reader_finds_compares_and_sees_layers(path, content, browse, width, dark) -> None:
    actions_of = pytest.importorskip("selenium.webdriver").ActionChains
    with browse(path, width, dark) as driver:
        found = driver.find_element("id", "found")
        total = len(content["designs"])
        assert found.text.startswith(f"{total} of {total} designs remain")

        # the cheapest design above an accuracy and below an area
        limit = sorted(d["area_mm2"] for d in content["designs"])[total // 2]
        least = sorted(d["accuracy"] for d in content["designs"])[total // 3]
        for name, value in (("accuracy", least), ("area_mm2", limit)):
            field = driver.find_element("id", f"limit-{name}")
            field.clear()
            field.send_keys(repr(value))
        passing = [d for d in content["designs"] if d["accuracy"] >= least and d["area_mm2"] <= limit]
        assert found.text.startswith(f"{len(passing)} of {total} designs remain")
        full = [d for d in passing if d["kind"] != "short training only"] or passing
        assert f"design {min(full, key=lambda d: d['edap_uj_ms_mm2'])['number']}:" in found.text

        # a brush over half of the chart, through both linked charts
        driver.find_element("id", "reset").click()
        assert _soon(lambda: found.text.startswith(f"{total} of {total} designs remain"))
        plot = driver.find_element("css selector", "#front-0 svg")
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
        wide = plot.size["width"]
        actions = actions_of(driver).move_to_element_with_offset(plot, round(-0.3 * wide), -120)
        actions.click_and_hold().move_by_offset(round(0.4 * wide), 100).move_by_offset(
            5, 100
        ).release().perform()

        def left() -> int:
            return int(found.text.split(" of ")[0])

        assert _soon(lambda: 0 < left() < total)
        faint = "return [...document.querySelectorAll('#parallel-0 path[stroke-opacity=\"0.02\"]')].length"
        assert _soon(lambda: driver.execute_script(faint) >= total - left())

        # two designs side by side, and their layers
        driver.find_element("id", "reset").click()
        assert _soon(lambda: found.text.startswith(f"{total} of {total} designs remain"))
        rows = driver.find_elements("css selector", "#front-table tbody tr")
        pair = [int(row.get_attribute("data-number")) for row in rows[:2]]
        for row in rows[:2]:
            driver.execute_script("arguments[0].click()", row)
        table = driver.find_element("id", "compare-table").text
        assert all(f"design {number}" in table for number in pair)
        a, b = (next(d for d in content["designs"] if d["number"] == n) for n in pair)
        differing = {
            s for s in {**a["choices"], **b["choices"]} if a["choices"].get(s) != b["choices"].get(s)
        }
        marked = driver.find_elements("css selector", "#compare-table tr.differs td:first-child")
        assert {cell.get_attribute("textContent") for cell in marked} == differing
        assert f"Of design {pair[0]} and design {pair[1]}" in driver.find_element("id", "layers-of").text

        # nothing sticks out, nothing was fetched, nothing complained
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        log = [json.loads(e["message"])["message"] for e in driver.get_log("performance")]
        asked = [m["params"]["request"]["url"] for m in log if m["method"] == "Network.requestWillBeSent"]
        assert [url for url in asked if not url.startswith("file://")] == []
        assert driver.get_log("browser") == []
