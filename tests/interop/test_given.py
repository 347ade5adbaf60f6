"""Networks of one's own: named, loaded, searched, and refused where they do not fit."""

from __future__ import annotations

import textwrap
from concurrent.futures import Executor, Future

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nax_bo.accuracy.data import load
from nax_bo.accuracy.evaluate import Given, evaluate
from nax_bo.errors import InputError, StoreError
from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
from nax_bo.interop.given import load_network
from nax_bo.report.collect import collect
from nax_bo.study import Study, StudyConfig
from nax_bo.study.answers.forecast import forecast
from nax_bo.study.problem import StudyProblem
from nax_bo.study.running.job import JobResult

SHAPE = (1, 8, 8)
SOURCE = """
    import torch
    from torch import nn


    class Residual(nn.Module):
        def __init__(self, shape, classes):
            super().__init__()
            self.stem = nn.Conv2d(shape[0], 8, 3, padding=1)
            self.inner = nn.Conv2d(8, 8, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(8)
            self.fc = nn.Linear(8 * 16, classes)

        def forward(self, x):
            x = torch.relu(self.stem(x))
            x = torch.relu(x + self.norm(self.inner(x)))
            return self.fc(nn.functional.avg_pool2d(x, 2).flatten(1))


    def make(shape, classes) -> nn.Module:
        return Residual(shape, classes)


    def bare():
        return Residual((1, 8, 8), 10)


    def three(a, b, c) -> nn.Module:
        return nn.Identity()


    class Failing(nn.Module):
        def __init__(self):
            raise OSError("no disk")
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(SOURCE))
    return path


def test_a_network_is_made_anew_from_its_seed(source):
    given = load_network(f"{source}:make", SHAPE, 10)
    assert [layer.name for layer in given.spec.static_layers] == ["stem", "inner", "fc"]
    assert given.trained
    a, b, c = given.make(1), given.make(1), given.make(2)
    assert torch.equal(a.stem.weight, b.stem.weight)
    assert not torch.equal(a.stem.weight, c.stem.weight)


def test_weights_are_put_in(source, tmp_path):
    model = load_network(f"{source}:make", SHAPE, 10).make(5)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    given = load_network(f"{source}:make", SHAPE, 10, str(tmp_path / "w.safetensors"))
    assert torch.equal(given.make(1).fc.weight, model.fc.weight)
    assert given.fingerprint != load_network(f"{source}:make", SHAPE, 10).fingerprint


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bare", "is no network"),
        ("three", "takes 3 arguments"),
        ("Failing", "cannot be made: OSError: no disk"),
        ("absent", "has no 'absent'"),
    ],
)
def test_what_makes_no_network_is_refused(source, name, reason):
    with pytest.raises(InputError, match=reason):
        load_network(f"{source}:{name}", SHAPE, 10)


def test_what_does_not_fit_is_refused(source, tmp_path):
    class_of = f"{source}:make"
    with pytest.raises(InputError, match="does not run on images"):
        load_network(class_of, (1, 12, 8), 10)
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"pickle")
    with pytest.raises(InputError, match="no safetensors file"):
        load_network(class_of, SHAPE, 10, str(path))
    state = load_network(class_of, SHAPE, 10).make(0).state_dict()
    for changed, reason in (
        ({k: v for k, v in state.items() if k != "fc.bias"}, "lacks 'fc.bias'"),
        (state | {"head": torch.zeros(1)}, "has 'head'"),
        (state | {"fc.bias": torch.zeros(3)}, "'fc.bias' has the shape"),
        (state | {"fc.bias": torch.full((10,), torch.nan)}, "NaN or infinite"),
    ):
        save_file(changed, path)
        with pytest.raises(InputError, match=reason):
            load_network(class_of, SHAPE, 10, str(path))


def config(source, **settings):
    return StudyConfig(network=f"{source}:make", data="digits", workers=1, **settings)


def test_chips_are_searched_layer_by_layer(source):
    problem = StudyProblem(config(source), SHAPE, 10)
    space = problem.space
    assert {"device", "crossbar", "adc_bits", "mux_1", "adc_type_3"} <= {v.name for v in space.variables}
    design = space.designs(space.sample(1, 0))[0]
    network, chip = problem.system.decode(design)
    assert [layer.name for layer in network.static_layers] == ["stem", "inner", "fc"]
    assert [array.mux for array in chip.arrays] == [design[f"mux_{i}"] for i in (1, 2, 3)]
    rows = space.sample(50, 1)
    solved = problem.settle(rows)
    edap = "edap_uj_ms_mm2"
    before, after = (problem.costs(space.columns(x))[edap] for x in (rows, solved))
    assert (after <= before * (1 + 1e-9)).all()
    one = [problem.costs_of([d])[0][edap] for d in space.designs(rows[:5])]
    assert one == pytest.approx(list(before[:5]))


def test_settings_that_cannot_be_meant_are_refused(source):
    with pytest.raises(InputError, match="system = resnet with network"):
        config(source, system="resnet")
    with pytest.raises(InputError, match="without a network"):
        StudyConfig(weights="w.safetensors")
    with pytest.raises(InputError, match="ladder has program"):
        StudyConfig(ladder=("program", "full"))
    with pytest.raises(InputError, match="ladder has program"):
        StudyConfig(network="timm:resnet18", ladder=("program", "full"))
    with pytest.raises(InputError, match="ladder has short"):
        config(source, ladder=("program", "short", "full"))
    with pytest.raises(InputError, match="keep_weights = 'all'"):
        config(source, keep_weights="all")
    assert config(source).ladder == ("program", "tune", "full")
    assert StudyConfig(network="timm:resnet18").ladder == ("short", "full")


def trained(source, digits):
    """The file's network after a minute of plain torch on another machine, or a second here."""
    model = load_network(f"{source}:make", SHAPE, 10).make(0)
    random = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(150):
        chosen = torch.randint(len(digits.train_images), (64,), generator=random)
        loss = nn.functional.cross_entropy(model(digits.train_images[chosen]), digits.train_labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def test_rungs_begin_with_the_weights(source, tmp_path):
    digits = load("digits")
    model = trained(source, digits)
    with torch.no_grad():
        plain = float((model(digits.test_images).argmax(1) == digits.test_labels).float().mean())
    assert plain > 0.93
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    found = load_network(f"{source}:make", SHAPE, 10, str(tmp_path / "w.safetensors"))
    given = Given(found.make, found.trained, found.fingerprint)
    quiet = Conditions(
        programming_noise=False, read_noise=False, faults=False, ir_drop=False, converter_errors=False
    )
    fine = ChipSpec(device="sram", arrays=(ArraySpec(bits_per_cell=1, adc_bits=8),))
    look = evaluate(found.spec, fine, digits, fidelity="program", given=given, conditions=quiet)
    assert look.mean == pytest.approx(plain, abs=0.02)
    coarse = ChipSpec(device="sram", arrays=(ArraySpec(bits_per_cell=1, weight_bits=2, input_bits=2),))
    rough = evaluate(found.spec, coarse, digits, fidelity="program", given=given)
    tuned = evaluate(found.spec, coarse, digits, fidelity="tune", given=given)
    assert tuned.mean > rough.mean + 0.02
    again = load_network(f"{source}:make", SHAPE, 10, str(tmp_path / "w.safetensors")).make(0)
    assert torch.equal(again.fc.weight, model.fc.weight)  # trainings work on copies
    with pytest.raises(InputError, match="networks that come with their weights"):
        evaluate(found.spec, fine, digits, fidelity="program", given=Given(found.make, trained=False))


def test_a_study_of_a_network_is_read_without_its_code(source, tmp_path):
    path = tmp_path / "s.naxbo"
    with Study(path, config(source)) as study:
        design = study.store.space.designs(study.store.space.sample(1, 0))[0]
        assert study.add([design]) == 1
    kept = source.read_text()
    source.write_text("raise SystemExit('the file was imported')")
    with Study(path) as study:
        assert len(study.trials()) == 1
        assert "network" in study.refused
        with pytest.raises(StoreError, match="names code that is not naxbo's"):
            study.run()
    source.write_text(kept.replace("nn.Linear(8 * 16", "nn.Linear(128"))
    with Study(path, trust=True) as study, pytest.raises(StoreError, match="or its weights have changed"):
        study.run()


class Formula(Executor):
    """Accuracies that follow from the seed."""

    def submit(self, fn, job, /):
        future = Future()
        future.set_result(
            JobResult({"mean": 0.5 + job.seed % 100 / 250, "standard_error": 0.01, "p05": None})
        )
        return future


def test_a_study_of_a_network_is_begun_and_shown(source, tmp_path):
    """Neither builds the network from its layers: how they are computed is the user's code."""
    with Study(tmp_path / "study.naxbo", config(source, budget=6, strategy="random")) as study:
        assert forecast(study) == ""
        study.run(executor=Formula())
        found = collect(study)
    assert found.layer_rows
    assert found.error_budget == ()
