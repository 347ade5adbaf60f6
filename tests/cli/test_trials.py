"""``naxbo trials``: filters, sorting, and tables that come back as designs to start with."""

from __future__ import annotations

import csv
import io
import json
import platform
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest
from nax_cli.main import app
from typer.testing import CliRunner

from nax_bo.errors import InputError
from nax_bo.space import read_designs
from nax_bo.study import Study, StudyConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_accuracy.py"
SETTINGS = {"accuracy": f"{EXAMPLE}:Formula", "strategy": "random", "workers": 1}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trials") / "s.naxbo"
    with Study(path, StudyConfig(budget=15, **SETTINGS)) as study, ThreadPoolExecutor(1) as pool:
        study.run(executor=pool)
    return path


def rows(path: Path, *options: str) -> list[dict]:
    return json.loads(CliRunner().invoke(app, ["trials", "-s", str(path), "--json", *options]).stdout)[
        "trials"
    ]


def refusal(path: Path, *options: str) -> InputError:
    error = CliRunner().invoke(app, ["trials", "-s", str(path), *options]).exception
    assert isinstance(error, InputError)
    return error


def test_every_design_is_a_row_with_what_the_study_knows(grown: Path) -> None:
    found = rows(grown)
    with Study(grown) as study:
        assert [r["number"] for r in found] == [t.number for t in study.trials()]
        assert {r["number"] for r in found if r["on_front"]} == {t.number for t in study.front()}
        for row, trial in zip(found, study.trials(), strict=True):
            assert row["energy_uj"] == trial.costs["energy_uj"]
            assert row["accuracy"] == study.row(trial)["accuracy"]
            assert {k: row[k] for k in trial.design} == dict(trial.design)
            assert row["made_host"] == platform.node()
            assert row["made_naxbo"] == version("naxbo")
            assert row["attempts"] == len(trial.evaluations)


def test_filters_and_sorting(grown: Path) -> None:
    everything = rows(grown)
    limit = sorted(r["energy_uj"] for r in everything)[7]
    some = rows(grown, "--max", f"energy={limit!r}", "--sort", "accuracy")
    assert len(some) == 8
    assert [r["accuracy"] for r in some] == sorted((r["accuracy"] for r in some), reverse=True)
    assert [r["area_mm2"] for r in rows(grown, "--sort", "area")] == sorted(r["area_mm2"] for r in everything)
    device = everything[0]["device"]
    assert {r["device"] for r in rows(grown, "--where", f"device={device}")} == {device}
    assert all(r["fidelity"] == "full" for r in rows(grown, "--where", "fidelity=full"))
    assert rows(grown, "--min", "accuracy=2") == []
    assert refusal(grown, "--sort", "energi").hint == "Did you mean 'energy_uj'?"
    assert "no numbers" in refusal(grown, "--max", "device=3").message
    assert "three forms" in refusal(grown, "--csv", "--json").message


def test_a_table_comes_back_as_designs_and_starts_another_study(grown: Path, tmp_path: Path) -> None:
    text = CliRunner().invoke(app, ["trials", "-s", str(grown), "--csv"]).stdout
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with Study(grown) as study:
        designs = [t.design for t in study.trials()]
        assert read_designs(study.store.space, csv.DictReader(io.StringIO(text))) == designs
    with Study(tmp_path / "new", StudyConfig(budget=6, **SETTINGS)) as new, ThreadPoolExecutor(1) as pool:
        assert new.add(designs[:4]) == 4
        assert new.add(designs[:4]) == 0
        new.run(executor=pool)
        assert [t.design for t in new.trials()][:4] == designs[:4]
        assert len(new.trials()) == 6


def test_what_is_no_table_of_designs_is_refused(grown: Path, tmp_path: Path) -> None:
    def start(text: str, name: str = "t.csv") -> str:
        (tmp_path / name).write_text(text)
        arguments = [
            "optimize",
            "-s",
            str(tmp_path / "x.naxbo"),
            "--no-report",
            "--start",
            str(tmp_path / name),
        ]
        error = CliRunner().invoke(app, arguments).exception
        assert isinstance(error, InputError)
        return f"{error.message} {error.hint}"

    assert "row 0: depth is missing" in start("depht,device\n2,rram\n")
    assert "Is it 'depht'?" in start("depht,device\n2,rram\n")
    assert "holds no rows" in start("depth,device\n")
    assert "cannot read" in start("{", "t.json")


def test_a_frame_of_all_designs(grown: Path) -> None:
    pytest.importorskip("pandas")
    with Study(grown) as study:
        table = study.frame()
        assert len(table) == 15
        assert read_designs(study.store.space, table) == [t.design for t in study.trials()]


def test_an_empty_front_says_why(tmp_path: Path) -> None:
    settings = StudyConfig(budget=3, min={"accuracy": 0.9999}, **SETTINGS)
    with Study(tmp_path / "s", settings) as study, ThreadPoolExecutor(1) as pool:
        study.run(executor=pool)
    found = CliRunner().invoke(app, ["pareto", "-s", str(tmp_path / "s")])
    assert found.exit_code == 0
    assert "None of 3 fully trained designs is within the study's limits (accuracy >= 0.9999)" in found.stderr
