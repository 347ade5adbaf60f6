"""The manual: every command and snippet runs, it builds without a warning, and its links lead somewhere."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from nax_bo.study import Study
from nax_bo.study.running.job import JobResult

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


manual = _module(Path(__file__).with_name("manual.py"))
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"decisions", "reference"} & set(p.parts))
WITH_CODE = [p for p in PAGES if manual.blocks(p)]
NOT_RUN = {"needs a copy of the data set", "needs machines"}


def _marked(page):
    marks = [pytest.mark.long, pytest.mark.slow] if manual.is_long(page) else []
    return pytest.param(page, id=str(page.relative_to(DOCS)), marks=marks)


class Formula(Executor):
    """Accuracies that follow from the design."""

    def submit(self, fn, job, /):
        array, future = job.chip["arrays"][0], Future()
        mean = 0.4 + 0.05 * array["adc_bits"] + 0.02 * len(job.network["layers"]) % 0.1 + (job.seed % 9) / 500
        future.set_result(JobResult({"mean": min(mean, 0.99), "standard_error": 0.01, "p05": None}))
        return future


@pytest.fixture(scope="session")
def some_study(tmp_path_factory):
    """The study.naxbo that how-to pages take for granted."""
    path = tmp_path_factory.mktemp("manual") / "study.naxbo"
    settings = {"data": "digits,train=100,test=50", "budget": 12, "strategy": "random", "calibrate_every": 2,
                "workers": 1, "within": 100.0}  # fmt: skip
    with Study(path, settings) as study:
        study.run(executor=Formula())
    return path


@pytest.mark.parametrize("page", [_marked(p) for p in WITH_CODE])
def test_page_runs(page, some_study, tmp_path):
    shutil.copy(some_study, tmp_path / "study.naxbo")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = tmp_path / "page.py"
    script.write_text(_script(page), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout[-3000:]}\n{run.stderr[-3000:]}"


def _script(page):
    """One Python program: files are written, commands run, snippets stand as they are, each at its place."""
    lines = ["import subprocess, sys", "from pathlib import Path as _Path"]
    for block in manual.blocks(page):
        where = f"{page.relative_to(DOCS)}:{block.line}"
        kind, _, value = block.note.partition(": ")
        if kind == "not run":
            assert value in NOT_RUN, f"{where}: {value!r} is no reason; run it, or add the reason here"
            continue
        if kind == "needs" and importlib.util.find_spec(value) is None:
            continue
        lines.append(f"print({where!r}, flush=True)")
        if kind == "file":
            lines.append(f"_Path({value!r}).write_text({block.text!r}, encoding='utf-8')")
        if block.kind == "python":
            lines.append(block.text if kind != "file" else f"compile({block.text!r}, {value!r}, 'exec')")
        for command in block.commands if block.kind == "console" else ():
            lines.append(f"print('$', {command!r}, flush=True)")
            lines.append(f"subprocess.run(['bash', '-euo', 'pipefail', '-c', {command!r}], check=True)")
    return "\n".join(lines) + "\n"


def test_every_piece_of_code_is_run_or_says_why_not():
    """``toml`` and ``python`` blocks are files or snippets; ``console`` blocks hold commands."""
    for page in WITH_CODE:
        for block in manual.blocks(page):
            where = f"{page.name}:{block.line}"
            if block.kind == "toml":
                assert block.note.startswith("file: "), f"{where}: which file is this?"
            if block.kind == "console":
                assert block.commands, f"{where}: no command"


def test_it_builds_without_a_warning(tmp_path):
    """Links between pages are checked by the build; the reference is written from the code."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", str(DOCS),
         str(tmp_path / "html")],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    for page in ("index", "reference/cli", "reference/spaces", "howto/take-away"):
        assert (tmp_path / "html" / f"{page}.html").exists()
    text = (tmp_path / "html" / "reference" / "settings.html").read_text()
    assert "keep_weights" in text


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"])
def test_links_to_files_lead_somewhere(page):
    """Of pages that the build does not see."""
    path = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []
