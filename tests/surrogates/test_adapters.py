import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from nax_surrogates.problems import PROBLEMS, draw

from nax_bo.errors import SurrogateError
from nax_bo.surrogate import build, to_botorch

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # gpytorch uses it on import

SAMPLE = draw(PROBLEMS["smooth16"], 60, 0)
TEST = draw(PROBLEMS["smooth16"], 300, 1)


class Mean:
    """A home-made regressor that is not from scikit-learn and gives no spread."""

    def fit(self, X, y):
        self.coefficients = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=1e-3)[0]

    def predict(self, X):
        return np.c_[X, np.ones(len(X))] @ self.coefficients


@pytest.mark.parametrize(
    "surrogate",
    [
        "sklearn.ensemble:RandomForestRegressor,n_estimators=30",
        "sklearn.linear_model:BayesianRidge",
        Mean,
        Mean(),
    ],
    ids=["bagged", "native", "class", "instance"],
)
def test_plain_regressors_become_calibrated_surrogates(surrogate):
    fitted = build(surrogate, SAMPLE.columns, 3).fit(SAMPLE.X, SAMPLE.Y)
    mean, std = fitted.predict(TEST.X)
    error = TEST.truth - mean
    assert 1 - (error**2).mean() / TEST.truth.var() > 0.4
    assert 0.85 <= (np.abs(error) <= 1.96 * std).mean() <= 0.995
    believed = fitted.condition(TEST.X[:2], mean[:2])
    assert believed.predict(TEST.X)[0].shape == mean.shape


def test_what_is_no_surrogate_is_refused():
    with pytest.raises(SurrogateError, match="dict is not a surrogate"):
        build(dict)


def test_importing_the_engine_side_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys, nax_bo.surrogate as s; s.surrogate_names();"
        "print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["gp", "gbt,bags=4,trees=30"])
def test_botorch_posterior_is_the_joint_prediction(name):
    fitted = build(name, SAMPLE.columns).fit(SAMPLE.X, SAMPLE.Y)
    at = TEST.X[:12].reshape(3, 4, -1)
    posterior = to_botorch(fitted).posterior(torch.tensor(at))
    assert posterior.rsample(torch.Size([5])).shape == (5, 3, 4, 1)
    for b in range(3):
        mean, cov = fitted.predict_joint(at[b])
        np.testing.assert_allclose(posterior.mean[b, :, 0].numpy(), mean[:, 0], rtol=1e-9)
        found = posterior.distribution.covariance_matrix[b].numpy()
        np.testing.assert_allclose(found, cov[0], rtol=1e-4, atol=1e-6 * cov[0].max() + 1e-12)


@pytest.mark.parametrize("name", ["gp", "blend,bags=3", "sklearn.linear_model:BayesianRidge"])
def test_surrogates_serve_log_nehvi_next_to_known_objectives(name):
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.models import ModelList
    from botorch.models.deterministic import GenericDeterministicModel
    from botorch.sampling.get_sampler import get_sampler

    fitted = build(name, SAMPLE.columns).fit(SAMPLE.X, SAMPLE.Y)
    cost = GenericDeterministicModel(lambda X: -X.mean(dim=-1, keepdim=True))
    model, baseline = ModelList(to_botorch(fitted), cost), torch.tensor(SAMPLE.X[:20])
    acquisition = qLogNoisyExpectedHypervolumeImprovement(
        model=model,
        ref_point=[float(SAMPLE.Y.min()) - 1.0, -3.0],
        X_baseline=baseline,
        sampler=get_sampler(model.posterior(baseline), torch.Size([32]), seed=0),
        prune_baseline=True,
    )
    values = acquisition(torch.tensor(TEST.X[:20]).unsqueeze(1))
    assert values.shape == (20,)
    assert torch.isfinite(values).all()
    mean = fitted.predict(TEST.X[:20])[0][:, 0]
    better = np.argsort(mean)
    assert values.detach().numpy()[better[-5:]].mean() > values.detach().numpy()[better[:5]].mean()


def test_a_surrogate_may_derive_from_a_base_of_scikit_learn():
    from sklearn.base import BaseEstimator

    class Own(BaseEstimator):
        def fit(self, X, Y, Yvar=None):
            self.mean_ = Y.mean(axis=0)
            return self

        def predict(self, X):
            return np.tile(self.mean_, (len(X), 1)), np.full((len(X), len(self.mean_)), 0.5)

    found = build(Own, SAMPLE.columns, 0).fit(SAMPLE.X, SAMPLE.Y)
    assert isinstance(found.inner, Own)
    np.testing.assert_array_equal(found.predict(TEST.X)[1], 0.5)


def test_what_cannot_be_copied_is_named():
    class Locked(Mean):
        def __init__(self):
            self.lock = threading.Lock()

    with pytest.raises(SurrogateError, match="Locked cannot be copied"):
        build(Locked(), SAMPLE.columns, 0)


def test_steps_of_a_pipeline_take_the_seed():
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    forest = make_pipeline(StandardScaler(), ExtraTreesRegressor(5, max_depth=3))
    first, again = (
        build(forest, SAMPLE.columns, 3).fit(SAMPLE.X, SAMPLE.Y).predict(TEST.X) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
