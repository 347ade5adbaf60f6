import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Optimizer
from nax_bo.search.bench import bench, best_known_hypervolume, true_hypervolumes
from nax_bo.search.pareto import hypervolume
from nax_bo.search.synthetic import SHAPES, synthetic_problem


@pytest.mark.parametrize("name", SHAPES)
def test_synthetic_problems_are_what_they_say(name):
    synthetic = synthetic_problem(name, "useful")
    space, columns = synthetic.space, synthetic.space.columns(synthetic.space.sample(400, 0))
    assert abs(len(space) - int(name[-2:])) <= 2
    assert {v.kind for v in space.variables} == {"ordinal", "categorical"}
    assert any(v.active_when for v in space.variables)
    error = synthetic.error(columns)
    assert ((error > 0) & (error < 1)).all()
    assert np.ptp(error) > 0.4
    allowed = synthetic.problem.violation(synthetic.problem.known(space.sample(400, 0)), 400) <= 0
    assert 0.3 < allowed.mean() < 0.95


def test_absent_layers_do_not_matter():
    synthetic = synthetic_problem("chain24")
    space = synthetic.space
    shallow = {"depth": 4, "width_5": 96, "kernel_5": 5}
    one, other = (synthetic.error(space.columns([space.design(d).indices])) for d in (shallow, {"depth": 4}))
    assert one == other


def test_noise_is_reproducible_and_as_large_as_stated():
    synthetic = synthetic_problem("chip16")
    design = synthetic.space.designs(synthetic.space.sample(1, 0))[0]
    assert synthetic.evaluate(design, 3) == synthetic.evaluate(design, 3)
    told = np.array([synthetic.evaluate(design, s)[0]["error"] for s in range(400)])
    variance = synthetic.evaluate(design, 0)[1]["error"]
    truth = synthetic.truth(np.array([design.indices]))["error"][0]
    assert told.var() == pytest.approx(variance, rel=0.25)
    assert told.mean() == pytest.approx(truth, abs=4 * np.sqrt(variance / 400))


@pytest.mark.parametrize(("q", "asynchronous"), [(1, False), (3, False), (3, True)])
def test_curves_never_fall_and_have_the_budget(q, asynchronous):
    curves = bench(
        synthetic_problem("chip16"), ["random", "nsga2"], (0, 1), budget=25, q=q, asynchronous=asynchronous
    )
    assert [(c.strategy, c.seed) for c in curves] == [
        ("random", 0),
        ("random", 1),
        ("nsga2", 0),
        ("nsga2", 1),
    ]
    for curve in curves:
        assert len(curve.hypervolume) == len(curve.seconds) == 25
        assert np.all(np.diff(curve.hypervolume) >= 0)
        assert np.all(np.diff(curve.seconds) >= 0)


def test_curve_ends_at_the_hypervolume_of_its_designs():
    synthetic = synthetic_problem("chip16")
    designs = synthetic.space.designs(synthetic.space.sample(50, 1))
    columns = synthetic.space.columns(synthetic.space.indices(designs))
    costs = synthetic.costs(columns)
    allowed = costs["area"] <= synthetic.shape.area_limit
    y = np.column_stack([synthetic.error(columns), np.log10(costs["energy"]), np.log10(costs["latency"])])
    reference = [synthetic.problem.reference_point["error"], np.log10(3.0), np.log10(4.0)]
    assert true_hypervolumes(synthetic, designs)[-1] == pytest.approx(hypervolume(y[allowed], reference))


def test_long_search_beats_short_ones():
    synthetic = synthetic_problem("chip16")
    best = best_known_hypervolume(synthetic, generations=30, size=60)
    (curve,) = bench(synthetic, ["random"], (0,), budget=60)
    assert best > 1.5 * curve.hypervolume[-1]


def test_naxbo_beats_random_search_with_half_the_evaluations():
    synthetic = synthetic_problem("chip16", "useful")
    (naxbo,) = bench(synthetic, ["naxbo"], (0,), budget=20)
    (random,) = bench(synthetic, ["random"], (0,), budget=40)
    assert naxbo.hypervolume[-1] > 1.5 * random.hypervolume[-1]


@pytest.mark.parametrize(
    ("name", "package"),
    [("optuna-tpe", "optuna"), ("optuna-nsga2", "optuna"), ("optuna-gp", "optuna"), ("pymoo-nsga2", "pymoo")],
)
@pytest.mark.filterwarnings("ignore")
def test_peers_ask_and_are_told(name, package):
    pytest.importorskip(package)
    synthetic = synthetic_problem("chip16")
    for settings in ({"initial": 0}, {"initial": 5}):
        (curve,) = bench(synthetic, [name], (0,), budget=14, q=2, **settings)
        assert len(curve.hypervolume) == 14


def test_peers_that_are_not_installed_say_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(InputError, match="Optuna is not installed"):
        Optimizer(synthetic_problem("chip16").problem, strategy="optuna-tpe").ask(1)


def test_unknown_problems_are_refused():
    with pytest.raises(InputError, match="chip16"):
        synthetic_problem("chip17")
