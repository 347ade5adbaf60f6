"""Studies that stop once further designs are expected to gain too little."""

import sys
from pathlib import Path

import pytest

from nax_bo.errors import InputError
from nax_bo.search.outlook import Outlook
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.stopping import Stopping, in_words

sys.path.insert(0, str(Path(__file__).parent))
from test_study import Inline, config, history


def patient(**settings) -> StudyConfig:
    """Designs and models that cost little; any gain short of 90 % is too little."""
    quick = {"strategy": "random", "surrogate": "sklearn.linear_model:BayesianRidge"}
    return config(**{**quick, "budget": 40, "until_gain": 0.9, **settings})


def run(path: Path, settings: StudyConfig, patience: int = 1000) -> list[str]:
    news: list[str] = []
    with Study(path, settings) as study:
        study.run(executor=Inline(patience=patience), on_progress=lambda p: news.append(p.news))
    return [line for line in news if line]


def designs(path: Path) -> int:
    return len({row[0] for row in history(path)})


def test_a_study_stops_where_little_is_left(tmp_path) -> None:
    """Whenever it is interrupted; and it goes on only when it is asked for the whole budget."""
    (why,) = (line for line in run(tmp_path / "s", patient()) if line.startswith("stopped"))
    whole, count = history(tmp_path / "s"), designs(tmp_path / "s")
    assert 10 <= count < 40
    assert f"at {count} designs: another 50 designs are expected to gain" in why
    assert "less than 90 %" in why
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", patient(), count - 3)
    assert "as before" not in "".join(run(tmp_path / "parts", patient()))
    assert history(tmp_path / "parts") == whole
    assert "as before" in "".join(run(tmp_path / "s", patient(budget=60)))
    assert history(tmp_path / "s") == whole
    run(tmp_path / "s", patient(until_gain=0.0, budget=count + 2))
    assert designs(tmp_path / "s") == count + 2


class Hopeful:
    """An optimiser that, once the front has been trained in full, expects much again."""

    def __init__(self) -> None:
        self.gains = [0.005, 0.8]

    def outlook(self, designs: int) -> Outlook:
        gain = self.gains.pop(0) if len(self.gains) > 1 else self.gains[0]
        return Outlook(designs, gain, 0.0, 2.0 * gain)


def test_trainings_that_follow_do_not_revoke_the_decision(tmp_path) -> None:
    with Study(tmp_path / "s", patient(until_gain=0.01)) as study:
        optimizer = Hopeful()
        assert "gain 0.5 %" in Stopping(study.store, study.config, optimizer).why(30)
        assert "as before" in Stopping(study.store, study.config, optimizer).why(30)
        assert not Stopping(study.store, study.config, optimizer).why(31)
        assert not Stopping(study.store, patient(until_gain=0.02), optimizer).why(30)


@pytest.mark.parametrize("share", [1, 1.5, -0.1, float("nan"), "0.1", True])
def test_shares_that_mean_nothing_are_refused(share) -> None:
    with pytest.raises(InputError, match="until_gain"):
        StudyConfig(until_gain=share)


def test_outlooks_are_said_in_percent() -> None:
    text = "another 50 designs are expected to gain 1.2 % (0 % to 250 %) of the hypervolume"
    assert in_words(Outlook(50, 0.0123, 0.00005, 2.5)) == text
