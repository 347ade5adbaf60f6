"""What people meet at the terminal: help with examples, completion, words that fit, a page that follows a study."""

import io
import os
import re
import subprocess
import sys

import pytest
import typer.main
from nax_cli import output, progress
from nax_cli.main import app
from nax_cli.optimize import GROUPS
from nax_cli.output import labelled, table

from nax_bo.study import Study, StudyConfig
from nax_bo.study.running.loop import Progress

NEWS = (
    "design 104 in full: 95.4 % (the most promising of those looked at cheaply: accuracy 95.1 % (94.7 to 95.4 %) "
    "expected, may widen the front by 2 %)"
)


def commands(command, name="naxbo"):
    yield name, command
    for own, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{name} {own}")


COMMANDS = dict(commands(typer.main.get_command(app)))
LEAVES = [name for name, c in COMMANDS.items() if not getattr(c, "commands", None)]


@pytest.mark.parametrize("name", LEAVES)
def test_every_help_shows_examples_that_are_commands_with_options_that_exist(name):
    command = COMMANDS[name]
    assert (command.epilog or "").strip().startswith("Example"), f"{name} --help shows no example"
    options = {o for c in COMMANDS.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    text = command.epilog.strip().partition(":")[2]
    shown = [line for line in re.split(r"[;,] (?=then naxbo|naxbo)", text) if "naxbo " in line]
    assert any(name in line for line in shown)
    for line in shown:
        for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", line):
            assert option in options, f"{line}: no such option {option}"


@pytest.mark.parametrize("typed", ["opt", "what", "rep"])
def test_a_shell_completes_commands(typed):
    program = "import sys; sys.argv = ['naxbo']; from nax_cli.main import main; main()"
    asked = {"_NAXBO_COMPLETE": "complete_bash", "COMP_WORDS": f"naxbo {typed}", "COMP_CWORD": "1"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = {name.split()[1] for name in LEAVES if name.split()[1].startswith(typed)}
    assert set(run.stdout.split()) == wanted, run.stderr
    assert wanted


def test_progress_says_most_in_a_line_of_80():
    p = Progress(
        designs=151, budget=200, full=22, running=2, failed=3, hypervolume=0.4919, front=12, best=0.954,
        eta_s=540.0, news="",
    )  # fmt: skip
    line = progress.fitted(progress.parts(p), 79)
    assert len(line) <= 79
    for part in ("151/200 designs", "left", "best 95.4 %", "2 running"):
        assert part in line


@pytest.mark.parametrize(("width", "quiet"), [(40, False), (80, False), (160, True)])
def test_progress_on_a_terminal_is_one_line_that_fits(monkeypatch, width, quiet):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "_width", lambda: width)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1") if quiet else monkeypatch.delenv("NO_COLOR", raising=False)
    line = progress.ProgressLine()
    for designs in (50, 100):
        p = Progress(designs=designs, budget=200, full=5, running=2, failed=0, hypervolume=0.4, front=4, best=0.9,
                     eta_s=300.0, news="")  # fmt: skip
        line.show(p)
    written = sys.stderr.getvalue()
    assert ("\x1b[32m" in written) == (width >= 72 and not quiet)
    shown = re.sub(r"\x1b\[\d*[mK]", "", written).split("\r")[1:]
    assert all(len(text) < width for text in shown)
    assert ("[######......]" in shown[-1]) == (width >= 72)


def test_progress_says_where_nothing_is_within_the_limits():
    p = Progress(designs=20, budget=200, full=3, running=2, failed=0, hypervolume=0.0, front=0, best=None,
                 eta_s=540.0, news="")  # fmt: skip
    assert "none within the limits yet" in progress.fitted(progress.parts(p), 79)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_wider_than_the_terminal_goes_on_below(width):
    rows = [{"design": n, **{f"column {i}": f"{n * i} to {n * i + 99}" for i in range(9)}} for n in (7, 12)]
    text = table(rows, width=width)
    assert max(map(len, text.splitlines())) <= width
    for part in text.split("\n\n"):
        heading, _, *lines = part.splitlines()
        assert heading.startswith("design")
        assert [line.split()[0] for line in lines] == ["7", "12"]
    shown = re.findall(r"\d+ to \d+", text)
    assert sorted(shown) == sorted(v for row in rows for k, v in row.items() if k != "design")


@pytest.mark.parametrize("width", [40, 80, 160])
def test_news_fit_any_width_and_lose_no_word(width):
    text = progress.wrapped(NEWS, width)
    assert max(map(len, text.splitlines())) < width
    assert text.split() == NEWS.split()


def test_nothing_is_coloured(naxbo, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    for arguments in (["--help"], ["devices"], ["spaces"]):
        answer = naxbo(*arguments)
        assert answer.code == 0
        assert "\x1b" not in answer.out + answer.err


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "1e9"])
def test_a_pace_that_makes_no_sense_is_refused(naxbo, tmp_path, seconds):
    with Study(tmp_path / "s.naxbo", StudyConfig(budget=1)):
        pass
    answer = naxbo("report", "-s", tmp_path / "s.naxbo", "--watch", seconds)
    assert answer.code == 2
    assert "--watch" in answer.err


def test_help_lists_every_option_of_a_search_once_under_what_it_is_about(naxbo):
    shown = naxbo("optimize", "--help").out.partition("Examples:")[0]
    lines = [line.split() for line in shown.splitlines() if line.startswith("  -")]
    listed = [next(word.rstrip(",") for word in line if word.startswith("--")) for line in lines]
    own = {next(o for o in p.opts if o.startswith("--")) for p in COMMANDS["naxbo optimize"].params}
    assert sorted(listed) == sorted({*own, "--help"})
    headings = [line.rstrip(":") for line in shown.splitlines() if re.fullmatch(r"[A-Z][\w ]+:", line)]
    assert headings == [*GROUPS, "Other options"]


def test_keys_of_a_folded_table_stand_in_every_part():
    rows = [
        {"adc_bits": b, "mux": m, **{f"cost {i}": b * m * i for i in range(12)}}
        for b in (4, 5)
        for m in (4, 8)
    ]
    for part in table(rows, width=60, keys=2).split("\n\n"):
        assert [line.split()[:2] for line in part.splitlines()[2:]] == [
            ["4", "4"],
            ["4", "8"],
            ["5", "4"],
            ["5", "8"],
        ]


def test_a_label_keeps_its_text_beside_it_on_a_terminal(monkeypatch):
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert labelled("numbers", text) == f"{'numbers':13}{text}"
    monkeypatch.setattr(output, "_terminal_width", lambda: 40)
    first, *others = labelled("numbers", text).splitlines()
    assert first.startswith("numbers")
    assert all(line.startswith(" " * 13) and len(line) <= 40 for line in others)
    assert " ".join([first.removeprefix("numbers"), *others]).split() == text.split()
