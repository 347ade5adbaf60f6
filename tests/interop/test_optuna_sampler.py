import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.search import Objective, Optimizer, Problem
from nax_bo.space import Condition, Space, categorical, ordinal

optuna = pytest.importorskip("optuna")
from nax_bo.interop.optuna_sampler import NaxboSampler  # noqa: E402

SPACE = Space(
    [
        ordinal("depth", [1, 2]),
        ordinal("width", [8, 16, 24, 32]),
        ordinal("second", [8, 16, 24, 32], when=Condition("depth", (2,))),
        categorical("device", ["a", "b"]),
    ]
)


def cost(columns):
    return columns["width"] + np.where(columns["depth"] == 2, columns["second"], 0) + 1.0


PROBLEM = Problem(
    SPACE,
    [Objective("error", scale="logit"), Objective("cost", known=cost, scale="log10")],
    reference_point={"error": 0.9, "cost": 100.0},
)


def objective(trial):
    width = trial.suggest_int("width", 8, 32, step=8)
    second = trial.suggest_int("second", 8, 32, step=8) if trial.suggest_int("depth", 1, 2) == 2 else 0
    bad = trial.suggest_categorical("device", ["a", "b"]) == "b"
    return 1.0 / (1.0 + np.exp(0.05 * (width + second) - 1.0 - bad)), 1.0 + width + second


def quiet_study(sampler, n_trials):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(objective, n_trials=n_trials)
    return study


def test_a_study_gets_what_the_optimizer_asks():
    study = quiet_study(NaxboSampler(PROBLEM, seed=1), 13)
    optimizer = Optimizer(PROBLEM, seed=1)
    for trial in study.trials:
        design = optimizer.ask(1)[0].design
        assert dict(design) == trial.params
        optimizer.tell(design, {"error": trial.values[0]})


def test_a_resumed_study_goes_on_the_same():
    study = quiet_study(NaxboSampler(PROBLEM, seed=1), 12)
    again = optuna.create_study(directions=["minimize", "minimize"], sampler=NaxboSampler(PROBLEM, seed=1))
    again.add_trials(study.trials)
    for s in (study, again):
        s.optimize(objective, n_trials=1)
    assert study.trials[-1].params == again.trials[-1].params


def test_a_space_alone_learns_every_value():
    study = quiet_study(NaxboSampler(SPACE, seed=0, initial=4), 7)
    assert len({tuple(sorted(t.params.items())) for t in study.trials}) == 7


def test_other_values_than_those_of_the_space_are_refused():
    study = optuna.create_study(sampler=NaxboSampler(Problem(SPACE, [Objective("y")]), seed=0))
    with pytest.raises(InputError, match="width"):
        study.optimize(lambda trial: trial.suggest_int("width", 100, 200), n_trials=1)


def test_trials_under_way_are_not_proposed_again():
    """Neither by threads of one study, nor by another sampler on the same storage."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=NaxboSampler(PROBLEM, seed=0))
    study.optimize(objective, n_trials=12, n_jobs=3)
    assert len({tuple(sorted(t.params.items())) for t in study.trials}) == 12
    study.sampler, first = NaxboSampler(PROBLEM, seed=0), study.ask()
    objective(first)
    study.sampler, second = NaxboSampler(PROBLEM, seed=0), study.ask()
    objective(second)
    assert first.params != second.params


def test_a_trial_that_fails_early_excludes_the_proposed_design():
    sampler = NaxboSampler(PROBLEM, seed=0)

    def early(trial):
        trial.suggest_int("width", 8, 32, step=8)
        raise ValueError

    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(early, n_trials=1, catch=ValueError)
    first = Optimizer(PROBLEM, seed=0).ask(1)[0].design
    assert study.trials[0].system_attrs["naxbo:proposed"] == list(first.indices)
    study.optimize(objective, n_trials=6)
    assert all(t.system_attrs["naxbo:proposed"] != list(first.indices) for t in study.trials[1:])


def test_a_study_of_other_directions_is_refused():
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=NaxboSampler(PROBLEM))
    with pytest.raises(InputError, match="directions"):
        study.optimize(objective, n_trials=1)


def test_trials_that_cannot_be_told_do_not_end_the_study():
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=NaxboSampler(PROBLEM, initial=3))
    study.enqueue_trial({"depth": 1, "width": 16, "device": "a"})
    off_grid = optuna.trial.create_trial(
        params={"width": 20},
        distributions={"width": optuna.distributions.IntDistribution(8, 32)},
        values=[0.5, 20.0],
    )
    study.add_trial(off_grid)

    def sometimes_infinite(trial):
        error, size = objective(trial)
        return (float("inf") if trial.params["width"] == 16 else error), size

    with pytest.warns(UserWarning, match=r"width = 20|error = inf"):
        study.optimize(sometimes_infinite, n_trials=8)
    assert len(study.trials) == 9
    designs = [tuple(sorted(t.params.items())) for t in study.trials if t.number != 1]
    assert len(set(designs)) == len(designs)  # what gave infinity is not proposed again either
