"""Memory limits hold from outside the training: a worker that takes too much is ended, and the next one starts."""

import os

import pytest

from nax_bo.errors import InputError
from nax_bo.sizes import bytes_of
from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.memory import resident_bytes

EVALUATOR = '''
import time


class Greedy:
    """Takes 1.5 GB for designs of an even seed, and would hold it for two minutes."""

    def evaluate(self, network, chip, data, fidelity, seed):
        if seed % 2 == 0:
            held = b"x" * (3 << 29)
            time.sleep(120)
            return {"accuracy": len(held) / (1 << 32), "standard_error": None}
        return {"accuracy": 0.5, "standard_error": 0.01}
'''


def test_sizes():
    assert bytes_of("4G") == 4 << 30
    assert bytes_of("1.5 GB") == 3 << 29
    assert bytes_of("800m") == 800 << 20
    for wrong in ("", "4", "four", "-4G", "1M", "4 X"):
        with pytest.raises(InputError, match="memory"):
            bytes_of(wrong)


def test_what_a_process_takes_is_seen():
    before = resident_bytes(os.getpid())
    held = b"x" * (200 << 20)
    assert resident_bytes(os.getpid()) - before > 0.8 * len(held)
    assert resident_bytes(2**22 + 1) == 0


def test_a_limit_that_cannot_be_kept_is_refused(tmp_path):
    with pytest.raises(InputError, match="executor"):
        StudyConfig(memory="4G", executor="dask:tcp://head:8786")
    with (
        Study(tmp_path / "s", StudyConfig(memory="4G", data="digits")) as study,
        pytest.raises(InputError, match="own workers"),
    ):
        study.run(executor=object())


@pytest.mark.slow
def test_a_greedy_training_is_ended_and_the_next_one_starts(tmp_path):
    file = tmp_path / "greedy.py"
    file.write_text(EVALUATOR)
    config = StudyConfig(
        budget=3, workers=1, strategy="random", data="digits", accuracy=f"{file}:Greedy", memory="1.2G"
    )
    with Study(tmp_path / "s", config) as study:
        study.run(finalists=1)
        looks = [e for t in study.trials() for e in t.evaluations]
    failed = [e for e in looks if e.state == "failed"]
    assert {e.state for e in looks} == {"done", "failed"}
    assert all("memory" in e.message and "1.2G" in e.message for e in failed)
    assert all(e.seconds < 60 for e in failed), "ended from outside, long before it would have ended itself"
    assert all(e.attempts == 1 for e in looks), "nothing ran twice"
