"""The user's own accuracy evaluator: what it may report, what is refused, the conformance check."""

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from nax_bo.accuracy.data import parse_data
from nax_bo.accuracy.evaluator import kept, load_evaluator
from nax_bo.accuracy.evaluator_check import check_evaluator
from nax_bo.errors import EvaluationError, InputError
from nax_bo.study import Study, StudyConfig
from nax_bo.systems import load_system

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_accuracy.py"
COUNT = itertools.count()


class Moody:
    """Never says the same twice."""

    def evaluate(self, network, chip, data, rung, seed):
        return {"accuracy": 0.5 + 0.001 * next(COUNT)}


class Percent:
    """Thinks in percent."""

    def evaluate(self, network, chip, data, rung, seed):
        return {"accuracy": 93.0}


class Picky:
    """Raises for half of the designs."""

    def evaluate(self, network, chip, data, rung, seed):
        if chip.arrays[0].adc_bits > 5:
            raise KeyError("no such converter")
        return {"accuracy": 0.8, "p05": 0.7, "standard_error": 0.01}


class NeedsArguments:
    """Cannot be made."""

    def __init__(self, path):
        self.path = path

    def evaluate(self, network, chip, data, rung, seed):
        return {"accuracy": 0.5}


def naxbo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nax_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("found", "match"),
    [
        (0.9, "returned a float"),
        ({}, "accuracy = None"),
        ({"accuracy": 93.0}, "accuracy = 93.0"),
        ({"accuracy": math.nan}, "accuracy = nan"),
        ({"accuracy": "good"}, "accuracy = 'good'"),
        ({"accuracy": 0.9, "standard_error": -0.1}, "standard_error = -0.1"),
        ({"accuracy": 0.9, "standard_error": math.inf}, "standard_error = inf"),
        ({"accuracy": 0.9, "p5": 0.8}, "reports 'p5'"),
    ],
)
def test_what_is_no_result_is_refused(found, match) -> None:
    with pytest.raises(EvaluationError, match=match):
        kept("mine", found)


def test_results_are_kept_under_the_names_of_a_study() -> None:
    assert kept("mine", {"accuracy": 1, "p05": None, "standard_error": 0.01}) == {
        "mean": 1.0,
        "standard_error": 0.01,
    }


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        ("subprocess:call", "no accuracy evaluator"),
        ("nax_bo.errors:InputError", "no accuracy evaluator"),
        (f"{__file__}:NeedsArguments", "without arguments"),
        (f"{__file__}:Missing", "has no 'Missing'"),
    ],
)
def test_what_is_no_evaluator_is_refused(reference, match, tmp_path) -> None:
    with pytest.raises(InputError, match=match):
        load_evaluator(reference)
    with pytest.raises(InputError, match=match):
        Study(tmp_path / "s", StudyConfig(accuracy=reference))
    assert not (tmp_path / "s").exists()


def test_failures_of_an_evaluator_are_failures_of_designs(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    settings = StudyConfig(
        budget=10, accuracy=f"{__file__}:Picky", strategy="random", workers=1, objectives=("p05", "energy")
    )
    with Study(tmp_path / "s", settings) as study, ThreadPoolExecutor(1) as pool:
        study.run(executor=pool)
        evaluations = [e for t in study.trials() for e in t.evaluations]
        assert {e.message for e in evaluations if e.state == "failed"} == {"KeyError: 'no such converter'"}
        front = study.front()
        assert front
        assert {study.values(t)["p05"] for t in front} == {0.7}


def test_the_example_passes_and_others_are_told_why(tmp_path: Path) -> None:
    good = naxbo("evaluators", "check", f"{EXAMPLE}:Formula", "--json", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["passed"]
    bad = naxbo("evaluators", "check", f"{__file__}:Percent", cwd=tmp_path)
    assert bad.returncode == 6
    assert "accuracy = 93.0" in bad.stdout


def test_what_chance_decides_is_found_out() -> None:
    images = parse_data("digits").load()
    system = load_system("vgg", images.input_shape, images.num_classes)
    designs = [system.decode(d) for d in system.space.designs(system.space.sample(2, 0))]
    found = {c.name: c for c in check_evaluator(f"{__file__}:Moody", designs, images)}
    assert "three looks with one seed" in found["the same seed gives the same result"].found
    assert not found["a look does not depend on those before"].ok
    assert all(c.ok for c in check_evaluator(f"{EXAMPLE}:Formula", designs, images))
