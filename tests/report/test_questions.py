"""A designer who has only the page, of a real study of 200 designs: five questions, answered by what can be seen there.

The reader types into fields, clicks headings and rows, and reads text; every answer is checked against the store.
"""

import math
import re
import time
from collections import Counter
from itertools import combinations

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Reader:
    """What a person can do with the page and read on it."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def press(self, element) -> None:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def limit(self, label: str, value: float) -> str:
        """Types a limit into the field of that label; returns the label with its unit."""
        (found,) = (x for x in self.driver.find_elements("tag name", "label") if x.text.startswith(label))
        field = self.driver.find_element("id", found.get_attribute("for"))
        field.clear()
        field.send_keys(f"{value:g}")
        return found.text

    def found(self) -> str:
        return self.driver.find_element("id", "found").text

    def reset(self) -> None:
        self.press(self.driver.find_element("id", "reset"))

    def headings(self) -> list[str]:
        return self.texts("#front-table thead tr")[0]

    def rows(self) -> list[list[str]]:
        return self.texts("#front-table tbody tr")

    def texts(self, rows: str) -> list[list[str]]:
        """What stands in the cells of these rows, as shown."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(r => [...r.children].map(c => c.innerText))",
            rows,
        )

    def sort(self, heading: str) -> None:
        """Largest first."""
        (found,) = (
            h
            for h in self.driver.find_elements("css selector", "#front-table th")
            if h.text.startswith(heading)
        )
        while found.get_attribute("aria-sort") != "descending":
            self.press(found)

    def compare(self, *numbers: str) -> tuple[str, list[list[str]]]:
        """Picks designs in the table; returns what is said of them, and the table that appears."""
        self.reset()
        lines = self.driver.find_elements("css selector", "#front-table tbody tr")
        for row, line in zip(self.rows(), lines, strict=True):
            if row[0] in numbers:
                self.press(line)
        return self.driver.find_element("id", "compare").text, self.texts("#compare-table tr")

    def heat_map(self, number: str) -> dict[str, dict[str, float]]:
        """Values of the layers' picture of a design by row and column, each text put where it stands."""
        deadline, texts = time.monotonic() + 30, self.picture()
        while not any(text.startswith(f"{number}:") for text, *_ in texts):
            assert time.monotonic() < deadline, texts
            time.sleep(0.05)
            texts = self.picture()
        names = [t for t in texts if not re.fullmatch(r"[\d.]+", t[0])]
        costs = [t for t in names if ":" in t[0]]
        layers = [t for t in names if ":" not in t[0]]
        table: dict[str, dict[str, float]] = {}
        for text, x, y in texts:
            if re.fullmatch(r"[\d.]+", text):
                cost = min(costs, key=lambda t: abs(t[2] - y))[0]
                table.setdefault(cost, {})[min(layers, key=lambda t: abs(t[1] - x))[0]] = float(text)
        return table

    def picture(self) -> list[tuple[str, float, float]]:
        """Texts of the layers' picture and their middles."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#layers-0 svg text')].map(t => { const r = "
            "t.getBoundingClientRect(); return [t.textContent, r.x + r.width / 2, r.y + r.height / 2]; })"
        )


@pytest.fixture(scope="module")
def reader(real_page, browse):
    assert real_page.stat().st_size < 3e6
    with browse(real_page, 1400) as driver:
        yield Reader(driver)


def measured(study, number) -> tuple[float, float]:
    """Accuracy in percent and its standard error, of a design trained in full."""
    outcome = study.trial(int(number)).at("full").outcome
    draws = outcome["draws"]
    return 100 * math.fsum(draws) / len(draws), 100 * outcome["standard_error"]


def test_which_chip_is_the_cheapest_that_is_good_and_small_enough(reader, real) -> None:
    full = [t for t in real.trials() if t.at("full")]
    best = max(float(row[1].split()[0]) for row in reader.rows())
    for least, area in ((98.0, 1.0), (round(best - 2, 1), 3.0), (round(best - 8, 1), 1.2)):
        reader.reset()
        assert "(%)" in reader.limit("accuracy at least", least)
        assert "(mm²)" in reader.limit("area at most", area)
        fit = [t for t in full if measured(real, t.number)[0] >= least and t.costs["area_mm2"] <= area]
        if not fit:
            assert reader.found() == "0 of 200 designs remain."
            continue
        number = re.search(r"the cheapest trained in full is design (\d+):", reader.found())[1]
        assert int(number) == min(fit, key=lambda t: t.costs["edap_uj_ms_mm2"]).number
        assert float(re.search(r": ([\d.]+) %", reader.found())[1]) == pytest.approx(
            measured(real, number)[0], abs=0.06
        )


def test_what_differs_between_two_designs(reader, real) -> None:
    a, b = (row[0] for row in reader.rows()[:2])
    said, table = reader.compare(a, b)
    same = said.partition("The same in both: ")[2]
    assert table[0] == ["", f"design {a}", f"design {b}"]
    first, second = (real.trial(int(n)).design for n in (a, b))
    rows = {line[0].replace(" ", "_"): line[1:] for line in table}
    for name in {**first, **second}:
        values = [str(d.get(name, "none")) for d in (first, second)]
        if values[0] != values[1]:
            assert rows[name] == values
        else:
            assert name not in rows
            assert f"{name.replace('_', ' ')} {values[0]}" in same


def test_which_layer_burns_the_energy(reader, real) -> None:
    for row in (reader.rows()[0], reader.rows()[-1]):
        number = row[0]
        reader.compare(number)
        (energies,) = (v for k, v in reader.heat_map(number).items() if k.startswith(f"{number}: energy"))
        layers = real.cost_report(real.trial(int(number))).layers
        assert set(energies) == {layer.name for layer in layers}
        assert max(energies, key=energies.get) == max(layers, key=lambda x: x.energy_pj).name
        total = sum(layer.energy_pj for layer in layers)
        for layer in layers:
            share = energies[layer.name] / sum(energies.values())
            assert share == pytest.approx(layer.energy_pj / total, abs=0.005)


def test_whether_the_three_most_accurate_differ(reader, real) -> None:
    reader.sort("accuracy")
    top = [row[0] for row in reader.rows()[:3]]
    full = sorted((t.number for t in real.front()), key=lambda n: -measured(real, n)[0])
    assert list(map(int, top)) == full[:3]
    said = Counter()
    for a, b in combinations(top, 2):
        (one, its), (other, error) = measured(real, a), measured(real, b)
        tie = abs(one - other) <= 2 * math.hypot(its, error)
        assert ("Their accuracies tie" in reader.compare(a, b)[0]) == tie
        said[tie] += 1
    answer = reader.driver.find_element("css selector", ".answer").text
    named = re.search(r"most accurate designs ([\d, and]+) tie", answer)
    assert said[True] == 0 or set(top) & set(re.findall(r"\d+", named[1]))


def test_how_sure_the_edap_is(reader, real) -> None:
    reader.reset()
    headings = reader.headings()
    column = next(i for i, h in enumerate(headings) if h.startswith("EDAP"))
    assert "µJ·µs·mm²" in headings[column]
    for row in reader.rows():
        value, low, high = map(float, re.findall(r"[\d.]+", row[column]))
        cost = real.cost_report(real.trial(int(row[0])))
        ends = cost.ends("edap_uj_ms_mm2")
        for shown, held in zip((value, low, high), (cost.edap_uj_ms_mm2, *ends), strict=True):
            assert shown == pytest.approx(1e3 * held, rel=0.051)  # two digits
        models = row[headings.index("undominated under")].split(", ")
        assert set(models) <= {"published", "isaac", "puma"}
