import sys
import warnings

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem, load_strategy
from nax_bo.search.bench.compare import Curve, bench, best_known_hypervolume, summary, true_hypervolumes
from nax_bo.search.bench.synthetic import SHAPES, synthetic_problem
from nax_bo.search.pareto import hypervolume
from nax_bo.search.peers.results import full_results
from nax_bo.space import Space, categorical, ordinal


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


def test_summaries_read_curves_at_evaluations_and_seconds():
    one = Curve("a", 0, (1.0, 2.0, 3.0, 4.0), (0.5, 0.5, 2.0, 20.0))
    other = Curve("a", 1, (0.0, 0.0, 1.0, 4.0), (0.05, 0.05, 0.05, 20.0))
    assert [one.within(t) for t in (0.4, 0.5, 2.0, 1e9)] == [0.0, 2.0, 3.0, 4.0]
    (row,) = summary([one, other], best=8.0)
    assert row == {
        "strategy": "a",
        "share_after_evaluations": {"1": 1 / 16, "2": 2 / 16, "4": 8 / 16},
        "share_within_seconds": {"0.1": 1 / 16, "1": 3 / 16, "10": 4 / 16},
        "seconds": 20.0,
        "seconds_per_suggestion": 5.0,
    }


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


PEERS = {
    "optuna-tpe": "optuna",
    "optuna-gp": "optuna",
    "optuna-nsga2": "optuna",
    "pymoo-nsga2": "pymoo",
    "ax": "ax",
    "smac": "smac",
}


@pytest.fixture(params=PEERS)
def peer(request):
    """Name of a peer whose package is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(PEERS[request.param])
    return request.param


@pytest.mark.parametrize("initial", [0, 5])
def test_peers_search_conditional_and_constrained_problems_in_batches(
    peer, initial, capfd, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (curve,) = bench(synthetic_problem("chain24"), [peer], (0,), budget=8, q=2, initial=initial)
    assert len(curve.hypervolume) == 8
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_peers_know_designs_that_they_did_not_ask_for(peer, problem, told):
    """Some were told, one has failed, one is under way: none of them is proposed."""
    search = Optimizer(problem, strategy=peer, initial=0)
    designs = problem.space.designs(problem.space.sample(40, 0))
    told(search, designs[:12])
    search.tell_failed(designs[12], "broken")
    search.add_pending(designs[13])
    asked = search.ask(3)
    assert len({s.design for s in asked}) == 3
    assert not {s.design for s in asked} & set(designs[:14])
    told(search, designs[13:14])
    for suggestion in asked[:2]:
        told(search, [suggestion.design])
    search.tell_failed(asked[2].design)
    assert len(search.ask(1)) == 1


def test_peers_stop_when_every_design_is_known(peer, told):
    space = Space([ordinal("a", [1, 2, 3]), categorical("b", ["x", "y"])])
    problem = Problem(space, [Objective("y")])
    search = Optimizer(problem, strategy=peer, initial=2)
    for value in range(space.size):
        (suggestion,) = search.ask(1)
        search.tell(suggestion.design, {"y": float(value)})
    assert search.ask(1) == []


def test_peers_are_told_signed_excesses_of_each_limit(problem, told):
    search = Optimizer(problem, strategy="random", initial=0)
    design = problem.space.design({"width": 64, "bits": 8})
    told(search, [design])
    ((row, result),) = full_results(search.state).items()
    assert row == design.indices
    assert result.excess == pytest.approx([64 * 8 / 400 - 1])
    assert result.violation == pytest.approx(64 * 8 / 400 - 1)
    fine = problem.space.design({"width": 8, "bits": 2})
    told(search, [fine])
    assert full_results(search.state)[fine.indices].excess == pytest.approx([8 * 2 / 400 - 1])
    assert full_results(search.state)[fine.indices].violation == 0


@pytest.mark.parametrize(
    ("name", "module", "title"), [("optuna-tpe", "optuna", "Optuna"), ("smac", "smac", "SMAC")]
)
def test_peers_that_are_not_installed_say_so(monkeypatch, name, module, title):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"{title} is not installed") as caught:
        load_strategy(name)
    assert caught.value.hint == f"pip install naxbo[{module}]"


def test_unknown_problems_are_refused():
    with pytest.raises(InputError, match="chip16"):
        synthetic_problem("chip17")
