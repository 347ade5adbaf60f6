"""Commands start at once: no heavy library is loaded for help and hardware what-ifs."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from nax_cli.main import app

HEAVY = ("torch", "botorch", "gpytorch", "sklearn", "scipy", "altair", "pandas", "PIL", "loky")
LIGHT_COMMANDS = [
    ["--help"],
    ["optimize", "--help"],
    ["what-if", "--set", "adc_bits=5"],
    ["what-if", "--sweep", "adc_bits=3:8", "--json"],
    ["what-if", "--network", "resnet18", "--data", "cifar100", "--set", "crossbar=64", "--per", "layer"],
    ["devices"],
]
_PROBE = """
import json, sys
from nax_cli.main import main
sys.argv = ["naxbo", *{arguments!r}]
try:
    main()
except SystemExit as ex:
    code = ex.code or 0
sys.stderr.write("\\n" + json.dumps([code, sorted(m for m in {heavy!r} if m in sys.modules)]))
"""


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS, ids=" ".join)
def test_nothing_heavy_is_loaded(arguments) -> None:
    code, loaded = _probe(arguments)
    assert code == 0
    assert loaded == []


@pytest.mark.parametrize(
    ("arguments", "limit_s"), [(["--help"], 0.6), (["what-if", "--set", "adc_bits=5"], 0.9)]
)
def test_the_answer_comes_in_less_than_a_second(arguments, limit_s) -> None:
    """Half of it on a quiet machine; threads of other tests on the same core make processor time longer, too."""
    times = []  # of the processor: on a busy machine the clock on the wall says more about the others
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "nax_cli", *arguments], capture_output=True, check=True, env=_env()
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < limit_s


def test_every_command_and_option_is_explained() -> None:
    command = typer.main.get_command(app)
    missing = [path for path, helped in _described(command, "naxbo") if not helped]
    assert missing == []


def test_command_summaries_fit_their_line() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "nax_cli", "--help"], capture_output=True, text=True, check=True, env=_env()
    ).stdout
    commands = out.partition("Commands:")[2]
    assert "optimize" in commands
    assert "..." not in commands
    assert max(map(len, out.splitlines())) <= 80


def _described(command, path):
    yield path, bool(command.help)
    for option in command.params:
        if option.name != "help":
            yield f"{path} {option.name}", bool(getattr(option, "help", None))
    for name, child in getattr(command, "commands", {}).items():
        yield from _described(child, f"{path} {name}")


def _probe(arguments: list[str]):
    text = _PROBE.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, env=_env()
    )
    return json.loads(done.stderr.splitlines()[-1])


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "COLUMNS": "80"}


@pytest.mark.parametrize("arguments", [["devices"], ["what-if", "--json"]])
def test_a_reader_that_goes_away_is_no_error(arguments) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "nax_cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.wait() == 0
        assert b"Error" not in started.stderr.read()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_in_words() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nax_cli", "devices"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write the answer")
    assert "Traceback" not in done.stderr
