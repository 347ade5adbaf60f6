"""Kernels, likelihoods and models of GPyTorch and BoTorch, by reference."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from nax_surrogates import GPyTorchSurrogate
from nax_surrogates.conformance import CASES
from nax_surrogates.problems import PROBLEMS, draw

from nax_bo.errors import InputError, SurrogateError
from nax_bo.search import Optimizer
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.surrogate import build, to_botorch
from nax_bo.surrogate.quality import coverage_95, explained

OWN = """
import gpytorch
from botorch.models import SingleTaskGP

def kernel(features):
    return gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=features))

def likelihood():
    return gpytorch.likelihoods.GaussianLikelihood()

def linear(train_X, train_Y):
    return SingleTaskGP(train_X, train_Y, covar_module=gpytorch.kernels.LinearKernel(), outcome_transform=None)

def number(*_):
    return 3.0
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return str(file)


@pytest.fixture(scope="module")
def data():
    return draw(PROBLEMS["smooth16"], 60, 0), draw(PROBLEMS["smooth16"], 300, 9)


def fitted(data, **settings):
    sample, _ = data
    return GPyTorchSurrogate(sample.columns, **settings).fit(sample.X, sample.Y, sample.Yvar)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_keeps_the_contract(case):
    case.run("nax_surrogates:GPyTorchSurrogate,iterations=5")


def test_it_can_be_asked_for_by_name():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    listed = project["project"]["entry-points"]["naxbo.surrogates"]
    assert listed["gpytorch"] == "nax_surrogates:GPyTorchSurrogate"


@pytest.mark.parametrize("part", ["nothing", "kernel", "likelihood", "model"])
def test_it_predicts_with_parts_of_ones_own(data, own, part):
    gp = fitted(
        data, **({} if part == "nothing" else {part: f"{own}:{'linear' if part == 'model' else part}"})
    )
    _, test = data
    mean, std = gp.predict(test.X)
    assert explained(test.truth[:, 0], mean[:, 0]) > 0.75
    assert 0.75 < coverage_95(test.truth[:, 0], mean[:, 0], std[:, 0]) <= 1.0
    name = type(gp._outcomes[0].model.covar_module).__name__
    assert name == ("LinearKernel" if part == "model" else "ScaleKernel")


def test_any_model_of_botorch_can_be_named(data):
    gp = build("nax_surrogates:GPyTorchSurrogate,model=botorch.models:SingleTaskGP", data[0].columns, 0)
    gp.fit(data[0].X, data[0].Y, data[0].Yvar)
    mean, _ = gp.predict(data[1].X)
    assert explained(data[1].truth[:, 0], mean[:, 0]) > 0.75


def test_a_warm_start_takes_over_what_was_learned(data):
    sample, test = data
    gp = fitted(data, warm_start=True)
    before = gp.predict(test.X)[0]
    gp.iterations = 1
    again = gp.fit(sample.X, sample.Y, sample.Yvar).predict(test.X)[0]
    cold = fitted(data, iterations=1).predict(test.X)[0]
    assert np.abs(again - before).mean() < 0.2 * np.abs(cold - before).mean()


def test_batches_and_further_outcomes_are_taken_in(data):
    _, test = data
    gp = fitted(data)
    grown = fitted(data).update(test.X[:5], test.Y[:5], test.Yvar[:5])
    assert (grown.predict(test.X[:5])[1] < gp.predict(test.X[:5])[1]).all()
    posterior = to_botorch(gp).posterior(torch.as_tensor(test.X[:4]).unsqueeze(0))
    assert posterior.covariance_matrix.shape[-2:] == (4, 4)


@pytest.mark.parametrize(
    ("settings", "fault", "what"),
    [
        ({"kernel": "{own}:number"}, SurrogateError, "makes no GPyTorch kernel"),
        ({"kernel": "{own}:absent"}, SurrogateError, "kernel: .* has no 'absent'"),
        ({"likelihood": "{own}:number"}, SurrogateError, "makes no Gaussian likelihood"),
        ({"model": "{own}:number"}, SurrogateError, "makes no BoTorch model"),
        ({"model": "{own}:linear", "kernel": "{own}:kernel"}, InputError, "beside a kernel"),
        ({"iterations": 0}, InputError, "iterations = 0"),
    ],
)
def test_what_cannot_be_used_is_named(data, own, settings, fault, what):
    given = {k: v.format(own=own) if isinstance(v, str) else v for k, v in settings.items()}
    with pytest.raises(fault, match=what):
        fitted(data, **given)


def test_a_search_runs_with_it():
    bed = synthetic_problem("chip16")
    optimizer = Optimizer(
        bed.problem, surrogate="nax_surrogates:GPyTorchSurrogate,iterations=20", seed=0, initial=8
    )
    for _ in range(10):
        (suggestion,) = optimizer.ask(1)
        optimizer.tell(suggestion.design, *bed.evaluate(suggestion.design, 0))
    assert optimizer.diagnostics().notes == ()
    assert suggestion.gain is not None
