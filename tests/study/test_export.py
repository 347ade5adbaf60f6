"""One design out of a study: documents, simulator files, single evaluations."""

import json
from pathlib import Path

import pytest

from nax_bo.errors import DataError, InputError, StoreError
from nax_bo.hardware import ChipSpec
from nax_bo.network import NetworkSpec
from nax_bo.space import Design
from nax_bo.study import Study, StudyConfig
from nax_bo.study.answers.export import design_document, write_simulator_files, write_weights
from nax_bo.study.answers.single import changed_design, evaluate_design, prepare, typical_design
from nax_bo.study.running.job import Job, job_seed, run_job

SMALL = {
    **{"depth": 2, "width_1": 8, "kernel_1": 3, "width_2": 8, "kernel_2": 3},
    **{"device": "sram", "adc_bits": 8, "input_bits": 6, "weight_bits": 6},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with one small design, trained shortly as a worker would."""
    opened = Study(
        tmp_path_factory.mktemp("s") / "s.naxbo",
        StudyConfig(data="digits", strategy="random", surrogate="gp"),
    )
    design = opened.store.space.design(SMALL)
    (evaluation,) = opened.store.add([opened.proposal(design, "short", "test")])
    network, chip = opened.study_problem.system.decode(design)
    seed = job_seed(opened.config.seed, 0)
    conditions = opened.config.to_dict()["conditions"]
    result = run_job(
        Job(network.to_dict(), chip.to_dict(), conditions, "digits", "short", "auto", seed, 600.0)
    )
    opened.store.finish(evaluation.id, "done", outcome=result.outcome, seconds=1.0)
    yield opened
    opened.store.close()


def test_the_document_rebuilds_the_design(study) -> None:
    document = json.loads(json.dumps(design_document(study, study.trial(0)), allow_nan=False))
    network, chip = study.study_problem.system.decode(study.trial(0).design)
    assert NetworkSpec.from_dict(document["network"]) == network
    assert ChipSpec.from_dict(document["chip"]) == chip
    assert document["accuracy"]["short"]["mean"] == study.trial(0).at("short").outcome["mean"]
    assert document["cost"]["edap_uj_ms_mm2"] == pytest.approx(study.trial(0).costs["edap_uj_ms_mm2"])
    assert StudyConfig.from_dict(document["settings"]) == study.config


@pytest.mark.parametrize(("place", "match"), [("nowhere/w.safetensors", "no folder"), (".", "is a folder")])
def test_a_bad_place_for_weights_is_refused_before_training(study, tmp_path, place, match) -> None:
    with pytest.raises(InputError, match=match):
        write_weights(study, study.trial(0), tmp_path / place)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("form", "rows"), [("neurosim", 3), ("xpert", 4)], ids=["neurosim", "xpert"])
def test_simulator_files_describe_every_layer(study, tmp_path, form, rows) -> None:
    """NeuroSim lists two convolutions and the classifier; XPertSim two lines per convolution and no classifier."""
    table, *_ = write_simulator_files(study, study.trial(0), form, tmp_path / "out")
    assert len([line for line in Path(table).read_text().splitlines() if line.strip()]) == rows


def test_a_design_that_a_simulator_cannot_describe_leaves_no_folder(study, tmp_path) -> None:
    odd = study.store.space.design({**SMALL, "kernel_1": 5})
    (evaluation,) = study.store.add([study.proposal(odd, "short", "test")])
    with pytest.raises(InputError, match="kernel"):
        write_simulator_files(study, study.trial(evaluation.trial), "xpert", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unchanged_design_gives_the_studys_accuracy_again(study) -> None:
    again = evaluate_design(study=str(study.store.path), design=0, fidelity="short")
    assert again["accuracy"]["draws"] == study.trial(0).at("short").outcome["draws"]
    assert again["costs"] == pytest.approx(dict(study.trial(0).costs))


def test_changes_apply_on_top_of_a_design(study) -> None:
    setting = prepare({"adc_bits": "3"}, study=str(study.store.path), design=0)
    assert dict(setting.design) == {**study.trial(0).design, "adc_bits": 3}


def test_a_typical_design_takes_middle_values(study) -> None:
    design = typical_design(study.store.space)
    assert isinstance(design, Design)
    assert design["width_1"] == 16
    assert design["device"] == "rram"


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"colour": "red"}, "no variable 'colour'"),
        ({"adc_bits": "99"}, "adc_bits = '99'"),
        ({"depth": "2", "width_4": "8"}, "width_4 does not matter"),
    ],
)
def test_wrong_choices_are_refused(study, choices, match) -> None:
    with pytest.raises(InputError, match=match):
        changed_design(study.store.space, {}, choices)


def test_wrong_places_are_refused(tmp_path) -> None:
    with pytest.raises(StoreError, match="no study"):
        prepare(study=str(tmp_path / "none"))
    with pytest.raises(InputError, match="of which study"):
        prepare(design=3)
    with pytest.raises(InputError, match="no fidelity"):
        prepare(fidelity="medium")


def test_missing_data_is_nobodys_failed_design(tmp_path):
    with pytest.raises(DataError):
        run_job(Job({}, {}, {}, f"folder:{tmp_path / 'gone'}", "short", "auto", 0, 600.0))
