"""What commands answer: strict JSON, the same numbers as the library, charts and files."""

import json
from pathlib import Path

import pytest

from nax_bo.hardware import ArraySpec, ChipSpec, cost_model
from nax_bo.network import NetworkSpec, named_network
from nax_bo.study import Study, StudyConfig, read_config

JSON_COMMANDS = [
    "what-if --set adc_bits=5",
    "what-if --set adc_bits=5 --per component",
    "what-if --sweep crossbar=4,64 --sweep mux=2,8",
    "what-if --sensitivity --sweep adc_bits=4:6 --sweep mux=4,8",
    "devices",
    "devices sram",
    "spaces",
    "spaces vgg",
    "surrogates list",
    "pareto --study s.naxbo",
    "report --study s.naxbo",
    "what-if --study s.naxbo --design 0 --set adc_bits=8",
    "export 0 --study s.naxbo",
    "init",
    "bench chain24 --strategies random --budget 4 --seeds 1",
    "bench chip16 --strategies random --budget 6 --seeds 1 --q 2 --asynchronous",
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study with one design that was never trained."""
    path = tmp_path / "s.naxbo"
    with Study(path, StudyConfig(strategy="random", surrogate="gp")) as opened:
        design = opened.store.space.design(opened.store.space.sample(1, 0)[0])
        opened.store.add([opened.proposal(design, "full", "test")])
    return path


def _strict(text: str):
    def refuse(name: str):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("command", JSON_COMMANDS)
def test_json_is_one_strict_document(naxbo, study, command) -> None:
    answer = naxbo(*command.split(), "--json")
    assert answer.code == 0, answer.err
    assert _strict(answer.out)


def test_what_if_gives_the_cost_models_numbers(naxbo) -> None:
    answer = _strict(
        naxbo("what-if", "--network", "vgg8", "--set", "adc_bits=5", "--set", "crossbar=64", "--json").out
    )
    network = named_network("vgg8", (3, 32, 32), 10)
    model = cost_model("published")
    chips = (ChipSpec(), ChipSpec(arrays=(ArraySpec(adc_bits=5, rows=64, cols=64),)))
    expected = [model.evaluate(network, chip) for chip in chips]
    assert [d["edap_uj_ms_mm2"] for d in answer["designs"]] == pytest.approx(
        [r.edap_uj_ms_mm2 for r in expected]
    )
    assert answer["designs"][1]["energy_uj"] == pytest.approx(expected[1].energy_pj * 1e-6)


def test_text_and_json_of_a_sweep_agree(naxbo) -> None:
    command = ("what-if", "--network", "vgg8", "--sweep", "adc_bits=4,6")
    rows = _strict(naxbo(*command, "--json").out)["designs"]
    lines = naxbo(*command).out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["4", "6"]
    assert "EDAP (mJ ms mm2)" in lines[0]
    shown = [1e3 * float(line.split()[4]) for line in lines[2:]]
    assert shown == pytest.approx([row["edap_uj_ms_mm2"] for row in rows], rel=5e-3)


@pytest.mark.parametrize(
    "mode", ["--set adc_bits=5", "--sweep adc_bits=3:6 --sweep mux=4,8", "--sensitivity --sweep adc_bits=4:6"]
)
def test_charts_are_png_files(naxbo, tmp_path, mode) -> None:
    assert naxbo("what-if", "--network", "vgg8", *mode.split(), "--chart", "chart.png").code == 0
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "start"), [("curves.png", b"\x89PNG"), ("curves.svg", b"<svg")])
def test_bench_prints_and_plots_the_same_strategies(naxbo, tmp_path, name, start) -> None:
    command = "bench chip16 --strategies random,sobol --budget 8 --seeds 2 --q 2 --asynchronous --plot"
    answer = naxbo(*command.split(), name)
    assert answer.code == 0, answer.err
    heading, _, columns, _, *rows = answer.out.splitlines()
    assert heading == "Share of the best known hypervolume: chip16, 8 evaluations, 2 under way, 2 seeds"
    assert columns.split()[:7] == ["strategy", "2", "eval.", "4", "eval.", "8", "eval."]
    assert columns.endswith("s/suggestion")
    assert [row.split()[0] for row in rows] == ["random", "sobol"]
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_init_writes_settings_that_optimize_reads(naxbo, tmp_path) -> None:
    assert naxbo("init").out == "naxbo.toml\n"
    assert read_config(tmp_path / "naxbo.toml") == StudyConfig()


def test_exported_json_rebuilds_network_and_chip(naxbo, study) -> None:
    document = _strict(naxbo("export", "0", "--study", "s.naxbo").out)
    with Study(study) as opened:
        network, chip = opened.study_problem.system.decode(opened.trial(0).design)
    assert NetworkSpec.from_dict(document["network"]) == network
    assert ChipSpec.from_dict(document["chip"]) == chip


def test_evaluate_prices_and_trains(naxbo) -> None:
    settings = ["--set", "depth=2", "--set", "width_1=16", "--set", "adc_bits=8", "--set", "device=sram"]
    answer = _strict(naxbo("evaluate", *settings, "--fidelity", "short", "--json").out)
    assert answer["design"]["adc_bits"] == 8
    assert answer["accuracy"]["mean"] > 0.2  # guessing gives 0.1
    assert answer["costs"]["edap_uj_ms_mm2"] == pytest.approx(
        answer["costs"]["energy_uj"] * answer["costs"]["latency_ms"] * answer["costs"]["area_mm2"]
    )


def test_pareto_csv_has_one_line_per_design(naxbo, study) -> None:
    answer = naxbo("pareto", "--study", "s.naxbo", "--csv")
    assert answer.code == 0
    assert "No design has been trained in full yet" in answer.err
