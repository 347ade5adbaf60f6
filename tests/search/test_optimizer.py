import re

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import (
    Constraint,
    Fidelity,
    Objective,
    Optimizer,
    Problem,
    Proxy,
    register_strategy,
    strategy_names,
)
from nax_bo.search.bench.synthetic import synthetic_problem
from nax_bo.search.pareto import hypervolume
from nax_bo.search.strategies.candidates import maximise
from nax_bo.search.strategies.naxbo import Naxbo
from nax_bo.space import Space, categorical, ordinal

OWN = ["naxbo", "random", "sobol", "nsga2", "local-search", "linas"]


def run(problem, told, n, q=1, **settings):
    optimizer = Optimizer(problem, **settings)
    designs = []
    for _ in range(n):
        suggestions = optimizer.ask(q)
        designs += [s.design for s in suggestions]
        told(optimizer, [s.design for s in suggestions])
    return optimizer, designs


@pytest.mark.parametrize("strategy", OWN)
def test_same_seed_same_proposals_and_no_repeats(problem, told, strategy):
    _, first = run(problem, told, 16, strategy=strategy, seed=3)
    _, again = run(problem, told, 16, strategy=strategy, seed=3)
    assert first == again
    assert len(set(first)) == 16
    _, other = run(problem, told, 16, strategy=strategy, seed=4)
    assert first != other


@pytest.mark.parametrize("strategy", OWN)
def test_resuming_from_the_log_changes_nothing(problem, told, strategy):
    optimizer, designs = run(problem, told, 14, strategy=strategy, seed=1)
    resumed = Optimizer(problem, strategy=strategy, seed=1)
    told(resumed, designs)
    assert [s.design for s in resumed.ask(2)] == [s.design for s in optimizer.ask(2)]


def test_resuming_a_long_log_changes_nothing(problem, told):
    """Beyond 100 results settings are learned at every fifth; a replay must come to the same ones."""
    designs = problem.space.designs(problem.space.sample(101, 0))
    optimizer = Optimizer(problem, seed=0, initial=0)
    told(optimizer, designs)
    for _ in range(2):
        designs.append(optimizer.ask(1)[0].design)
        told(optimizer, designs[-1:])
    replayed = Optimizer(problem, seed=0, initial=0)
    told(replayed, designs)
    one, other = optimizer.ask(1)[0], replayed.ask(1)[0]
    assert one.design == other.design
    assert one.predicted == other.predicted


def test_a_batch_is_a_sequence_of_single_asks(problem, told):
    batch, _ = run(problem, told, 12, seed=2)
    single, _ = run(problem, told, 12, seed=2)
    together = [s.design for s in batch.ask(3)]
    assert together == [single.ask(1)[0].design for _ in range(3)]
    assert len(set(together)) == 3


def test_pending_designs_change_the_next_proposal_and_can_be_restored(problem, told):
    optimizer, designs = run(problem, told, 12, seed=2)
    pending = optimizer.ask(2)
    restored = Optimizer(problem, seed=2)
    told(restored, designs)
    for suggestion in reversed(pending):
        restored.add_pending(suggestion.design, suggestion.fidelity)
    following = optimizer.ask(1)[0].design
    assert restored.ask(1)[0].design == following
    assert following not in [s.design for s in pending]


@pytest.mark.parametrize("name", ["chain24", "mixed40"])
def test_what_is_not_evaluated_would_not_have_been_proposed(name, monkeypatch):
    def proposals():
        bed = synthetic_problem(name, "useful")
        optimizer = Optimizer(bed.problem, seed=0, initial=0)
        for design in bed.space.designs(bed.space.sample(30, 0)):
            optimizer.tell(design, *bed.evaluate(design, 0))
        return [s.design for s in optimizer.ask(3)]

    frugal = proposals()
    monkeypatch.setattr("nax_bo.search.strategies.naxbo._LOG_LEAP", 1e9)
    assert proposals() == frugal


def test_a_search_starts_from_what_was_told(problem, told, monkeypatch):
    """What is pending is improved on, but its neighbourhood waits until somebody has looked at it."""
    starts = []

    def kept(problem, score, parents, *rest):
        starts.append({tuple(row) for row in parents.tolist()})
        return maximise(problem, score, parents, *rest)

    monkeypatch.setattr("nax_bo.search.strategies.naxbo.maximise", kept)
    optimizer, designs = run(problem, told, 10, seed=0)
    optimizer.ask(3)
    assert starts[-1]
    assert starts[-1] <= {d.indices for d in designs}
    improved_on = Naxbo().acquisition(optimizer.state).incumbents
    assert {s for s, _ in optimizer.state.pending} <= {tuple(row) for row in improved_on.tolist()}


def test_tells_may_come_in_any_order(problem, told):
    optimizer, _ = run(problem, told, 10, seed=0)
    waiting = [s.design for s in optimizer.ask(3)]
    told(optimizer, [waiting[2], waiting[0]])
    assert [indices for indices, _ in optimizer.state.pending] == [waiting[1].indices]
    assert optimizer.ask(1)[0].design not in waiting


@pytest.mark.parametrize("strategy", OWN)
def test_a_small_space_is_exhausted_gracefully(strategy):
    space = Space([ordinal("a", [1, 2, 3]), categorical("b", ["x", "y"])])
    problem = Problem(space, [Objective("y"), Objective("cost", known=lambda c: c["a"] * 1.0)])
    optimizer = Optimizer(problem, strategy=strategy)
    seen = []
    for _ in range(10):
        for suggestion in optimizer.ask(2):
            seen.append(suggestion.design)
            optimizer.tell(suggestion.design, {"y": -float(suggestion.design["a"])})
    assert len(seen) == len(set(seen)) == 6
    assert optimizer.ask(1) == []


@pytest.mark.parametrize("strategy", ["random", "sobol", "nsga2", "naxbo"])
def test_known_limits_are_respected(problem, told, strategy):
    _, designs = run(problem, told, 16, strategy=strategy)
    assert all(d["width"] * d["bits"] <= 400 for d in designs)


def test_tight_known_limits_are_met_by_breeding():
    space = Space([ordinal(f"v{i}", range(6)) for i in range(14)])
    problem = Problem(
        space,
        [Objective("y"), Objective("cost", known=lambda c: sum(c.values()) * 1.0)],
        constraints=[Constraint("cost", upper=3.0)],
    )
    optimizer = Optimizer(problem, seed=0)
    assert all(sum(s.design.values()) <= 3 for s in optimizer.ask(10))


def test_finds_the_true_front_of_a_small_problem(problem, told, error_of, cost_of):
    optimizer, _ = run(problem, told, 30, seed=0)
    everything = problem.space.enumerate()
    columns = problem.space.columns(everything)
    allowed = columns["width"] * columns["bits"] <= 400
    y = np.column_stack([error_of(columns), np.log10(cost_of(columns))])[allowed]
    best = hypervolume(y, [0.9, np.log10(2000.0)])
    assert optimizer.hypervolume() > 0.98 * best


def test_front_and_hypervolume_agree_with_brute_force(problem, told):
    optimizer, designs = run(problem, told, 25, strategy="random")
    front = optimizer.front()
    outcomes = np.array([[p.outcomes["error"], np.log10(p.outcomes["cost"])] for p in front])
    assert optimizer.hypervolume() == pytest.approx(hypervolume(outcomes, [0.9, np.log10(2000.0)]))
    assert {p.design for p in front} <= set(designs)


def test_limits_on_a_learned_objective_clip_the_reference(problem, told):
    limited = Problem(
        problem.space,
        problem.objectives,
        [Constraint("error", upper=0.3)],
        reference_point=problem.reference_point,
    )
    optimizer = Optimizer(limited, initial=0)
    told(optimizer, limited.space.designs(limited.space.sample(40, 0)))
    assert optimizer.reference_point["error"] == pytest.approx(0.3)
    assert all(p.outcomes["error"] <= 0.3 for p in optimizer.front())


def test_missing_reference_is_fixed_by_the_first_results(problem, told):
    open_ended = Problem(problem.space, problem.objectives)
    optimizer, _ = run(open_ended, told, 12, strategy="random", seed=0)
    fixed = optimizer.reference_point
    told(optimizer, [s.design for s in optimizer.ask(5)])
    assert optimizer.reference_point == fixed
    assert np.isnan(Optimizer(open_ended).reference_point["error"])


def test_failed_designs_are_avoided(problem, told):
    optimizer = Optimizer(problem, seed=0)
    failed = []
    for _ in range(30):
        design = optimizer.ask(1)[0].design
        if design["device"] == "b":
            optimizer.tell_failed(design, "diverged")
            failed.append(design)
        else:
            told(optimizer, [design])
    assert len(set(failed)) == len(failed)
    assert optimizer.diagnostics().failed == len(failed) <= 7  # a third of the space fails


def test_learned_constraints_steer_the_search():
    space = Space([ordinal("a", range(8)), ordinal("b", range(8)), ordinal("c", range(8))])
    problem = Problem(
        space,
        [Objective("y"), Objective("cost", known=lambda c: 1.0 + c["a"] + c["b"] + c["c"])],
        constraints=[Constraint("heat", upper=4.0)],
        reference_point={"y": 1.0, "cost": 30.0},
    )
    optimizer = Optimizer(problem, seed=0)
    hot = []
    for i in range(30):
        design = optimizer.ask(1)[0].design
        heat = float(design["a"] + 0.5 * design["b"])
        optimizer.tell(design, {"y": -float(design["a"] + design["b"] + design["c"]), "heat": heat})
        if i >= 18:
            hot.append(heat > 4.0)
    assert np.mean(hot) < 0.4  # two thirds of the space are too hot, and the best outcomes lie there
    assert all(p.outcomes["heat"] <= 4.0 for p in optimizer.front())


def test_two_learned_objectives_with_their_own_surrogates(told):
    space = Space([ordinal("a", range(8)), ordinal("b", range(8)), ordinal("c", range(4))])
    problem = Problem(space, [Objective("up", maximise=True), Objective("down", scale="log10")])
    optimizer = Optimizer(problem, surrogate={"up": "gp,kernel=matern52", "down": "gp"}, seed=0)
    for _ in range(24):
        design = optimizer.ask(1)[0].design
        a, b, c = (float(design[n]) for n in "abc")
        optimizer.tell(design, {"up": a + b - 0.1 * c, "down": 10 ** (0.1 * a + 0.2 * b + 0.3 * c)})
    best = [p.outcomes["up"] for p in optimizer.front()]
    assert max(best) >= 13.0
    assert optimizer.hypervolume() > 0


def test_cost_only_choices_are_completed_and_hidden():
    space = Space(
        [
            ordinal("width", [8, 16, 32]),
            ordinal("bits", [2, 4, 8]),
            ordinal("mux", [1, 2, 4, 8], affects="cost"),
        ]
    )

    def cost(columns):
        return columns["width"] * (1.0 + np.abs(columns["mux"] - columns["bits"]))

    def complete(indices):
        out = indices.copy()
        out[:, 2] = np.array([1, 2, 3])[out[:, 1]]
        return out

    problem = Problem(
        space,
        [Objective("error", scale="logit"), Objective("cost", known=cost, scale="log10")],
        reference_point={"error": 0.9, "cost": 1000.0},
        complete=complete,
    )
    optimizer = Optimizer(problem, seed=0)
    for _ in range(9):
        design = optimizer.ask(1)[0].design
        assert design["mux"] == design["bits"]
        optimizer.tell(design, {"error": 1.0 / (1.0 + design["width"] / 16 + design["bits"] / 4)})
    assert problem.inputs([[0, 0, 1]]).shape == (1, 2)


def test_complete_may_not_touch_the_rest(problem):
    space = Space([ordinal("a", [1, 2]), ordinal("m", [1, 2], affects="cost")])
    wrong = Problem(space, [Objective("y")], complete=lambda x: 1 - x)
    with pytest.raises(InputError, match="cost-only"):
        Optimizer(wrong)


def test_fidelities_cheap_first_then_promotions(problem, told):
    ladder = Problem(
        problem.space,
        problem.objectives,
        reference_point=problem.reference_point,
        fidelities=[Fidelity("short", 0.1), Fidelity("full", 1.0)],
    )
    optimizer = Optimizer(ladder, seed=0)
    cheap = []
    for _ in range(10):
        suggestion = optimizer.ask(1)[0]
        assert suggestion.fidelity == "short"
        told(optimizer, [suggestion.design], fidelity="short")
        cheap.append(suggestion.design)
    assert optimizer.front() == []
    promoted = optimizer.promotions(2)
    assert [s.fidelity for s in promoted] == ["full", "full"]
    assert all("the most promising of those looked at cheaply" in s.reason for s in promoted)
    told(optimizer, [s.design for s in promoted])
    assert {p.design for p in optimizer.front()} <= {s.design for s in promoted}
    rest = optimizer.promotions(99)
    assert {s.design for s in rest} == set(cheap) - {s.design for s in promoted}
    assert optimizer.promotions(1) == []


def test_an_expensive_cheap_look_is_not_worth_it(problem, told):
    ladder = Problem(
        problem.space,
        problem.objectives,
        fidelities=[Fidelity("short", 0.99), Fidelity("full", 1.0)],
        reference_point=problem.reference_point,
    )
    optimizer = Optimizer(ladder, seed=0, initial=6)
    for _ in range(6):
        told(optimizer, [optimizer.ask(1)[0].design], fidelity="short")
    suggestion = optimizer.ask(1)[0]
    assert suggestion.fidelity == "full"
    assert "too little for their price" in suggestion.reason


def test_proxies_become_inputs_and_may_be_missing(problem, told):
    def score(columns):
        return np.where(columns["device"] == "c", np.nan, np.log2(columns["width"]))

    with_proxy = Problem(
        problem.space,
        problem.objectives,
        proxies=[Proxy("score", score)],
        reference_point=problem.reference_point,
    )
    optimizer, _ = run(with_proxy, told, 14, seed=0)
    assert optimizer.ask(1)[0].gain is not None


def test_suggestions_explain_themselves(problem, told):
    optimizer, _ = run(problem, told, 12, seed=0)
    suggestion = optimizer.ask(1)[0]
    assert re.search(
        r"may widen the front by [\d.e+]+ %|can hardly widen|the first on the front", suggestion.reason
    )
    assert "error" in suggestion.reason
    assert suggestion.known["cost"] == pytest.approx(
        suggestion.design["bits"]
        * (1 + (suggestion.design["device"] == "b"))
        * (suggestion.design["width"] + suggestion.design.get("second", 0))
    )


def test_diagnostics_judge_the_surrogate(problem, told):
    optimizer, _ = run(problem, told, 25, strategy="random", seed=0)
    found = optimizer.diagnostics()
    assert found.told == {"full": 25}
    assert found.trust["error"].count == 25
    assert found.trust["error"].tau > 0.7
    assert 0.8 <= found.trust["error"].coverage_95 <= 1.0


def test_own_strategies_can_be_registered(problem, told):
    class First:
        def propose(self, state):
            from nax_bo.search.state import Suggestion

            rows = state.unseen(state.problem.space.enumerate())
            return (
                Suggestion(state.problem.space.design(rows[0]), reason="the first unseen")
                if len(rows)
                else None
            )

    register_strategy("first-unseen", First)
    assert "first-unseen" in strategy_names()
    _, designs = run(problem, told, 3, strategy="first-unseen")
    assert [d.indices for d in designs] == [tuple(r) for r in problem.space.enumerate()[:3].tolist()]
    with pytest.raises(InputError, match="already"):
        register_strategy("first-unseen", First)


def test_repeated_tellings_average(problem):
    optimizer = Optimizer(problem, initial=0)
    design = problem.space.design([0, 0, 0, 0, 0])
    optimizer.tell(design, {"error": 0.4}, variance={"error": 1e-4})
    optimizer.tell(design, {"error": 0.2}, variance={"error": 3e-4})
    assert optimizer.front()[0].outcomes["error"] == pytest.approx(0.35)


def _joules(unit):
    """Two learned objectives, one of them in a large or a small unit."""
    space = Space([ordinal(name, range(6)) for name in "abcd"])
    problem = Problem(space, [Objective("f"), Objective("energy")])
    optimizer, chosen = Optimizer(problem, seed=0, initial=8), []
    for _ in range(16):
        design = optimizer.ask(1)[0].design
        chosen.append(design.indices)
        a, b, c, d = design.indices
        optimizer.tell(design, {"f": (a - 2) ** 2 + c * 0.3, "energy": unit * (b + (d - 4) ** 2 + 0.5 * a)})
    return chosen


def test_units_do_not_matter():
    assert _joules(2.0**-30) == _joules(1.0)


def test_a_proposal_outside_the_known_limits_says_so():
    space = Space([ordinal(name, range(5)) for name in "ab"])
    problem = Problem(
        space,
        [Objective("f")],
        constraints=[Constraint("sum", known=lambda c: c["a"] + c["b"], upper=1.0)],
    )
    optimizer = Optimizer(problem, seed=0)
    for _ in range(6):
        design = (suggestion := optimizer.ask(1)[0]).design
        assert suggestion.reason.startswith("outside the known limits") == (sum(design.indices) > 1)
        optimizer.tell(design, {"f": float(design["a"])})


def test_exact_values_need_no_others(problem):
    optimizer = Optimizer(problem, initial=0)
    design = problem.space.design([0, 0, 0, 0, 0])
    for error, variance in ((0.4, 0.0), (0.2, 4.0)):
        optimizer.tell(design, {"error": error}, variance={"error": variance})
    assert optimizer.front()[0].outcomes["error"] == pytest.approx(0.4)


def test_what_was_known_before_counts_as_a_start(problem, told):
    optimizer = Optimizer(problem, seed=0, initial=8)
    told(optimizer, problem.space.designs(problem.space.sample(8, 5)))
    assert optimizer.ask(1)[0].predicted
    *others, first, second = problem.space.designs(problem.space.sample(10, 5))
    given = [first, second]
    optimizer = Optimizer(problem, seed=0, initial=given)
    told(optimizer, others)
    assert [s.design for s in optimizer.ask(2)] == given


def test_the_start_holds_designs_within_the_limits_only_however_few():
    space = Space([ordinal(name, range(6)) for name in "abcdef"])

    def total(columns):
        return sum(columns[name] for name in "abcdef")

    problem = Problem(
        space, [Objective("f")], [Constraint("total", known=total, upper=1.0)], reference_point={"f": 9}
    )
    rows = np.array([s.design.indices for s in Optimizer(problem, seed=0).ask(7)])
    assert (rows.sum(axis=1) <= 1).all()
    assert len(np.unique(rows, axis=0)) == 7
    for seed in range(3):
        lost = Optimizer(problem, strategy="random", seed=seed).ask(1)[0]
        assert sum(lost.design.indices) <= 1


def test_several_perfect_designs_leave_the_gain_finite():
    """Errors of 0 and 0.0005 are the same to a model that is clipped at 0.001."""
    space = Space([ordinal(name, range(5)) for name in "abcd"])
    problem = Problem(
        space,
        [Objective("error", scale="logit"), Objective("cost", known=lambda c: 1.0 + c["a"] + c["b"])],
        reference_point={"error": 0.9, "cost": 12.0},
    )
    optimizer = Optimizer(problem, seed=1, initial=8)
    for _ in range(16):
        suggestion = optimizer.ask(1)[0]
        assert suggestion.gain is None or np.isfinite(suggestion.gain)
        a, b, c, d = suggestion.design.indices
        optimizer.tell(suggestion.design, {"error": max(0.0, 0.3 - 0.1 * (a + b)) + 0.0005 * (c > d)})
