"""A reproduction from end to end on a small published system with an instant evaluator; interrupted, it goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nax_cli.main import app
from typer.testing import CliRunner

from nax_bo.errors import InputError, StoreError
from nax_bo.reproduce import Reproduction, Scale, TimeUpError
from nax_bo.reproduce import scale as scales

SOURCE = """
import math
from nax_bo.systems import Assumed, Claim
from nax_bo.systems.xpert import XpertSystem

class Judge:
    def evaluate(self, network, chip, data, rung, seed):
        layers = network.static_layers[:-1]
        bits = sum(a.input_bits + a.adc_bits for a in chip.arrays) / len(chip.arrays)
        widths = sum(math.log2(x.out_shape[0]) for x in layers) / len(layers)
        accuracy = 1 / (1 + math.exp(-(0.2 * bits + 0.2 * widths))) + 1e-3 * math.sin(seed + bits)
        return {"accuracy": accuracy, "standard_error": 1e-3}

class Published(XpertSystem):
    claims = (Claim("edap_uj_ms_mm2", "paper", 1.5, "a table"), Claim("tops_w", "paper", 1e6, "a dream"))
    settings = {**XpertSystem.settings, "accuracy": __file__ + ":Judge", "cost_model": "published"}
"""
TINY = Scale("small", "digits", designs=2, finalists=1, looks=3)


@pytest.fixture
def system(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(SOURCE)
    return f"{tmp_path / 'own.py'}:Published"


def test_a_reproduction_tells_what_was_claimed_and_what_was_obtained(system: str, tmp_path: Path) -> None:
    told: list[str] = []
    work = Reproduction(system, tmp_path / "out", TINY, workers=1, say=told.append)
    result = work.run()
    assert [c.search for c in result.contenders] == ["own search", "random", "naxbo"]
    assert set(result.baselines) >= {"paper", "homogeneous"}
    best = result.contenders[2]
    for found in result.contenders:
        product = 1.0
        for factor in found.factors:
            product *= factor.gain
        assert product == pytest.approx(found.gains["paper"]["edap_uj_ms_mm2"], rel=1e-9)
        assert found.designs >= 2
        assert found.difference["paper"].count == TINY.looks
    verdicts = {(v["search"], v["claim"]): v for v in result.verdicts()}
    assert verdicts["naxbo", "edap_uj_ms_mm2"]["paper"] == best.gains["paper"]["edap_uj_ms_mm2"]
    dream = verdicts["naxbo", "tops_w"]
    assert dream["reached against"] == []
    assert "obtained" in dream["why not"] or "accuracy is not held" in dream["why not"]
    json.dumps(result.to_dict(), allow_nan=False)
    again = Reproduction(system, tmp_path / "out", TINY, workers=1).run()
    assert again.to_dict() == result.to_dict()  # nothing is done twice, and nothing changes


def test_a_piece_that_is_over_goes_on_with_the_next(system: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(TimeUpError, match="what is finished is kept"):
        Reproduction(system, folder, TINY, workers=1, seconds=0.0).run()
    kept = json.loads((folder / "trainings.json").read_text())
    assert len(kept) >= 1
    assert Reproduction(system, folder, TINY, workers=1).run().contenders
    assert kept.items() <= json.loads((folder / "trainings.json").read_text()).items()


def test_damaged_trainings_are_named_with_the_way_out(system: str, tmp_path: Path) -> None:
    (tmp_path / "trainings.json").write_text('{"a": []}')
    with pytest.raises(StoreError, match=r"trainings\.json is damaged") as caught:
        Reproduction(system, tmp_path, TINY, workers=1).run()
    assert "Remove it" in caught.value.hint


def test_what_was_never_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'vgg' is no published system"):
        Reproduction("vgg", tmp_path, TINY).run()
    with pytest.raises(InputError, match="has no data set of its own"):
        Reproduction("xpert", tmp_path, replace(TINY, data=""))
    assert not list(tmp_path.iterdir())


def test_the_command_ends_with_tables_a_figure_and_one_document(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scales.SCALES, "small", TINY)
    command = ["reproduce", system, "--folder", str(tmp_path / "out"), "-j", "1"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    for text in (
        "baselines",
        "claims, and what was obtained",
        "factors of the gain",
        "assumed",
        "95 % interval",
    ):
        assert text in shown.stdout
    assert (tmp_path / "out" / "result.svg").read_bytes().lstrip().startswith(b"<svg")
    document = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert document["system"] == system
    assert {v["claim"] for v in document["verdicts"]} == {"edap_uj_ms_mm2", "tops_w"}
    assert json.loads((tmp_path / "out" / "result.json").read_text())["contenders"] == document["contenders"]
