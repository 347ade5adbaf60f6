"""Weights that a study keeps: whose, how many, and that they give the study's accuracy again."""

import json
from concurrent.futures import Executor, Future

import pytest

from nax_bo.accuracy.kept import read_kept
from nax_bo.errors import InputError
from nax_bo.study import Study, StudyConfig
from nax_bo.study.answers import export as export_module
from nax_bo.study.answers.export import write_onnx, write_weights
from nax_bo.study.answers.remeasured import measure_weights
from nax_bo.study.running.job import Job, JobResult, job_seed, run_job
from nax_bo.study.running.weights import WeightsFolder


class Formula(Executor):
    """Accuracies that the seed decides; sends weights where they are asked for."""

    size = 1000

    def submit(self, fn, job, /):
        future: Future[JobResult] = Future()
        mean = 0.5 + (job.seed % 100) / 250
        weights = bytes(self.size) if job.weights_mb else b""
        future.set_result(
            JobResult({"mean": mean, "standard_error": 0.01}, weights=weights, weights_mb=len(weights) / 1e6)
        )
        return future


def run(path, executor=None, **settings):
    """A small study; returns what it said."""
    base = {"budget": 14, "strategy": "random", "calibrate_every": 2, "workers": 1, "within": 100.0}
    news = []
    with Study(path, {**base, **settings}) as study:
        study.run(executor=executor or Formula(), on_progress=lambda p: news.append(p.news))
        full = {t.number for t in study.trials() if t.at("full")}
        return {t.number for t in study.front()}, full, news


@pytest.mark.parametrize("keep", ["none", "front", "all"])
def test_those_are_kept_that_were_asked_for(tmp_path, keep):
    path = tmp_path / "s.naxbo"
    front, full, _ = run(path, keep_weights=keep)
    assert front < full
    assert WeightsFolder(path).held() == {"none": set(), "front": front, "all": full}[keep]
    assert (tmp_path / "s.naxbo.weights").exists() == (keep != "none")


def test_settling_for_the_front_later_deletes_the_others(tmp_path):
    path = tmp_path / "s.naxbo"
    run(path, keep_weights="all")
    front, _, _ = run(path, keep_weights="front")
    assert WeightsFolder(path).held() == front


def test_files_of_designs_that_the_study_never_trained_stay(tmp_path):
    path = tmp_path / "s.naxbo"
    other = WeightsFolder(path).file(999)
    other.parent.mkdir()
    other.write_bytes(b"mine")
    run(path)
    assert other.read_bytes() == b"mine"


def test_the_folder_does_not_outgrow_its_limit_and_what_is_left_out_is_told(tmp_path):
    path = tmp_path / "s.naxbo"
    _, full, news = run(path, keep_weights="all", weights_limit_mb=0.0035)
    held = WeightsFolder(path).held()
    assert len(held) == 3
    told = [line for line in news if "are not kept" in line]
    assert len(told) == len(full) - 3
    assert "--weights-limit" in told[0]


def test_a_folder_that_cannot_be_written_costs_the_weights_alone(tmp_path):
    path = tmp_path / "s.naxbo"
    (tmp_path / "s.naxbo.weights").write_text("in the way")
    _, full, news = run(path)
    assert len(full) > 3
    assert any("are not kept" in line for line in news)
    assert (tmp_path / "s.naxbo.weights").read_text() == "in the way"


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"keep_weights": "best"}, "keep_weights = 'best'"),
        ({"weights_limit_mb": 0}, "weights_limit_mb = 0"),
        ({"keep_weights": "all", "accuracy": "./mine.py:Mine"}, "which has no weights"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        StudyConfig(**settings)


SMALL = {
    **{"depth": 2, "width_1": 8, "kernel_1": 3, "width_2": 8, "kernel_2": 3},
    **{"device": "rram", "adc_bits": 6, "input_bits": 4, "weight_bits": 5},
}


QUICK = "digits,epochs=3,least_steps=60"
"""A recipe that takes a third of the time."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one design trained in full as a worker would, its weights kept."""
    path = tmp_path_factory.mktemp("s") / "s.naxbo"
    with Study(
        path, StudyConfig(data="digits,train=300,test=150", strategy="random", recipe=QUICK)
    ) as opened:
        design = opened.store.space.design(SMALL)
        (evaluation,) = opened.store.add([opened.proposal(design, "full", "test")])
        specs, config = opened.specs(opened.trial(0)), opened.config
        conditions = config.to_dict()["conditions"]
        job = Job(
            specs.network,
            specs.chip,
            conditions,
            config.data,
            "full",
            QUICK,
            job_seed(0, 0),
            600.0,
            weights_mb=1.0,
        )
        result = run_job(job)
        assert WeightsFolder(path).write(0, result.weights, 1.0) == ""
        opened.store.finish(evaluation.id, "done", outcome=result.outcome, seconds=1.0)
        yield opened


@pytest.fixture
def no_training(monkeypatch):
    def refuse(job):
        raise AssertionError("trained again")

    monkeypatch.setattr(export_module, "run_job", refuse)


def test_kept_weights_are_copied_and_give_the_pages_number(study, tmp_path, no_training):
    taken = write_weights(study, study.trial(0), tmp_path / "w.safetensors")
    outcome = study.trial(0).at("full").outcome
    assert (taken.retrained, taken.agrees) == (False, True)
    assert (tmp_path / "w.safetensors").read_bytes() == WeightsFolder(study.store.path).file(0).read_bytes()
    answer = measure_weights(tmp_path / "w.safetensors")
    assert answer["same"]
    assert answer["accuracy"]["draws"] == outcome["draws"]
    assert answer["accuracy"]["mean"] == outcome["mean"]


def test_one_training_is_taken_with_its_own_accuracy(study, tmp_path, no_training):
    write_weights(study, study.trial(0), tmp_path / "w.safetensors", training=1)
    answer = measure_weights(tmp_path / "w.safetensors")
    assert answer["accuracy"]["draws"] == study.trial(0).at("full").outcome["draws"][1::3]
    with pytest.raises(InputError, match="no training 3"):
        write_weights(study, study.trial(0), tmp_path / "x.safetensors", training=3)
    assert not (tmp_path / "x.safetensors").exists()


def test_without_kept_weights_the_same_are_trained_again(study, tmp_path, monkeypatch):
    monkeypatch.setattr(WeightsFolder, "file", lambda self, n: tmp_path / f"none-{n}")
    said = []
    taken = write_weights(
        study, study.trial(0), tmp_path / "w.safetensors", on_training=lambda: said.append(1)
    )
    monkeypatch.undo()
    assert (taken.retrained, taken.agrees, said) == (True, True, [1])
    assert (tmp_path / "w.safetensors").read_bytes() == WeightsFolder(study.store.path).file(0).read_bytes()


def test_weights_of_another_study_are_not_taken_for_this_ones(study, tmp_path, monkeypatch):
    content = WeightsFolder(study.store.path).file(0).read_bytes()
    write_weights(study, study.trial(0), tmp_path / "other.safetensors", training=0)
    monkeypatch.setattr(WeightsFolder, "file", lambda self, n: tmp_path / "other.safetensors")
    taken = write_weights(study, study.trial(0), tmp_path / "w.safetensors")
    assert taken.retrained
    assert (tmp_path / "w.safetensors").read_bytes() == content


def test_onnx_is_the_float_network(study, tmp_path, no_training):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from nax_bo.accuracy.data import parse_data

    taken = write_onnx(study, study.trial(0), tmp_path / "n.onnx", training=2)
    data = parse_data(study.config.data).load()
    session = runtime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    pixels = data.test_images.numpy() * data.std[0] + data.mean[0]
    (scores,) = session.run(None, {"pixels": pixels})
    right = (scores.argmax(1) == data.test_labels.numpy()).mean()
    assert right == pytest.approx(taken.kept.trained.networks[0].float_accuracy, abs=0.01)  # one image in 150
    assert right > 0.5


def test_changes_are_measured_without_training(study):
    file = WeightsFolder(study.store.path).file(0)
    fine, coarse = (measure_weights(file, [f"adc_bits={bits}"]) for bits in (8, 3))
    assert fine["calibrated_anew"]
    assert fine["accuracy"]["mean"] > coarse["accuracy"]["mean"]
    noisy = measure_weights(file, ["variation_scale=6", "read_noise=false"])
    assert not noisy["calibrated_anew"]
    assert noisy["accuracy"]["mean"] < noisy["kept_accuracy"]["mean"]
    assert noisy["conditions"]["variation_scale"] == 6
    assert not noisy["conditions"]["read_noise"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("time=3", "no condition or hardware setting 'time'"),
        ("time_s=soon", "no number"),
        ("time_s=-1", "time_s = -1"),
        ("read_noise=perhaps", "switches nothing"),
        ("adc_bits=", "is no setting"),
        ("adc_bits=99", "adc_bits = 99"),
        ("device=unobtainium", "unobtainium"),
        ("layer9.adc_bits=4", "layer9"),
    ],
)
def test_changes_that_mean_nothing_are_refused(study, change, match):
    with pytest.raises(InputError, match=match):
        measure_weights(WeightsFolder(study.store.path).file(0), [change])


def test_other_images_are_refused_unless_they_are_named(study):
    file = WeightsFolder(study.store.path).file(0)
    answer = measure_weights(file, data="digits,train=300,test=100")
    assert not answer["same_data"]
    assert not answer["same"]
    assert answer["accuracy"]["test_images"] == 100


def test_a_damaged_kept_file_is_said_to_be(study, tmp_path, monkeypatch):
    (tmp_path / "w").write_bytes(WeightsFolder(study.store.path).file(0).read_bytes()[:500])
    monkeypatch.setattr(WeightsFolder, "file", lambda self, n: tmp_path / "w")
    with pytest.raises(InputError, match="cannot be read as weights"):
        write_weights(study, study.trial(0), tmp_path / "x.safetensors")


def test_a_file_says_what_it_takes_to_use_it(study):
    kept = read_kept(WeightsFolder(study.store.path).file(0))
    assert kept.data.class_names == tuple("0123456789")
    assert kept.data.fingerprint == study.data["fingerprint"]
    assert len(kept.trained.networks) == 3
    assert len(kept.trained.chip_seeds) == len(kept.accuracy.draws)
    assert json.dumps(kept.chip.to_dict()) == json.dumps(study.network_and_chip(study.trial(0))[1].to_dict())
