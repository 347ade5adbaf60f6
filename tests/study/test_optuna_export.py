"""A study in an Optuna storage says what the study says."""

import pytest

from nax_bo.errors import InputError
from nax_bo.study import Study

optuna = pytest.importorskip("optuna")
from nax_bo.study.answers.optuna_export import export_optuna  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A study that Formula ran, and the same in Optuna."""
    from concurrent.futures import Executor, Future

    from nax_bo.study.running.job import JobResult

    class Formula(Executor):
        def submit(self, fn, job, /):
            future = Future()
            mean = 0.5 + (job.seed % 100) / 250
            failed = job.seed % 5 == 0
            future.set_result(
                JobResult(None, "it diverged")
                if failed
                else JobResult({"mean": mean, "standard_error": 0.01})
            )
            return future

    folder = tmp_path_factory.mktemp("optuna")
    settings = {"budget": 14, "strategy": "random", "calibrate_every": 2, "workers": 1, "within": 100.0,
                "objectives": ["accuracy", "energy", "tops_w"]}  # fmt: skip
    with Study(folder / "s.naxbo", settings) as study:
        study.run(executor=Formula())
        assert export_optuna(study, folder / "s.db") == len(study.trials())
        yield study, folder / "s.db"


def test_every_design_is_a_trial_with_its_choices_values_and_state(written):
    study, path = written
    found = optuna.load_study(study_name="naxbo", storage=f"sqlite:///{path}")
    assert [d.name for d in found.directions] == ["MAXIMIZE", "MINIMIZE", "MAXIMIZE"]
    by_number = {t.user_attrs["number"]: t for t in found.trials}
    states = set()
    for trial in study.trials():
        other = by_number[trial.number]
        assert other.params == dict(trial.design)
        states.add(other.state.name)
        if trial.best is None:
            assert (other.state.name, other.user_attrs["failure"]) == ("FAIL", "it diverged")
            continue
        assert other.values == [
            trial.best.outcome["mean"], trial.costs["energy_uj"], trial.costs["tops_w"]
        ]  # fmt: skip
        assert other.user_attrs["fidelity"] == trial.best.fidelity
    assert states == {"COMPLETE", "FAIL"}
    assert {n for n, t in by_number.items() if t.user_attrs["on_front"]} == {t.number for t in study.front()}


def test_nothing_is_overwritten(written, tmp_path):
    study, path = written
    with pytest.raises(InputError, match="exists"):
        export_optuna(study, path)
    with pytest.raises(InputError, match="no folder"):
        export_optuna(study, tmp_path / "no" / "s.db")
