"""``naxbo optimize`` as a user runs it: from nothing to a front, Ctrl-C, and on again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nax_bo.study import Study

ENV = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    "OMP_NUM_THREADS": "1",
}
COMMAND = [
    sys.executable,
    "-m",
    "nax_cli",
    "optimize",
    "--surrogate",
    "gp",
    "--strategy",
    "random",
    "-j",
    "1",
]


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores them


@pytest.mark.slow
def test_interrupted_and_resumed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--budget", "50"],
        cwd=tmp_path,
        env=ENV,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509
    ) as running:
        assert running.stderr is not None
        said = [running.stderr.readline() for _ in range(2)]
        os.killpg(running.pid, signal.SIGINT)  # a terminal sends Ctrl-C to the whole group
        rest = running.stderr.read().splitlines()
    assert said[0].startswith("a short look takes about")
    assert said[1].startswith("1/50 designs, 1 running")
    assert running.returncode == 130
    assert rest[-1].startswith("Stopped")
    assert "Go on with the same command" in rest[-1]
    assert not [line for line in rest if "Traceback" in line]

    done = subprocess.run(
        [*COMMAND, "--budget", "3", "--json"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["front"]
    assert (tmp_path / answer["report"]).is_file()
    with Study(tmp_path / "study.naxbo") as study:
        assert [row["number"] for row in answer["front"]] == [t.number for t in study.front()]
        assert len(study.trials()) == 3
