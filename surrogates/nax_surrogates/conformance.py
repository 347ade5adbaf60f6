"""Does a surrogate keep the contract? For built-in, installed and home-made ones alike.

    from nax_surrogates.conformance import CASES, check
    print(check("./my_forest.py:Forest").table())

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_my_surrogate(case):
        case.run("./my_forest.py:Forest")

:func:`check` works in a process of its own with a time limit, so a surrogate that never returns, or that takes
the interpreter down, is named like any other. The contract is that of ``nax_bo.surrogate.protocol``; plain
regressors are judged as adapted. Not checked: quality of the predictions (see ``diagnostics``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError, NaxboError
from nax_bo.surrogate.reference import SurrogateReference, resolve
from nax_surrogates.conformance_cases import CASES, Case

__all__ = ["CASES", "Case", "CheckResult", "ConformanceReport", "check"]

STARTUP_S = 60.0
"""Allowance for imports, on top of the time limit of a case."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one case: ``what`` is demanded, ``why``, and if it failed, ``problem`` and ``hint``."""

    name: str
    passed: bool
    what: str
    why: str
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """Outcome of all cases for one surrogate."""

    reference: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The cases that failed."""
        return tuple(result for result in self.results if not result.passed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "reference": self.reference,
            "passed": self.passed,
            "checks": [asdict(r) for r in self.results],
        }

    def table(self) -> str:
        """The report as text."""
        width = max((len(r.name) for r in self.results), default=0)
        lines = [f"{self.reference}: {'keeps the contract' if self.passed else 'breaks the contract'}"]
        for r in self.results:
            lines.append(f"  {'pass' if r.passed else 'FAIL'}  {r.name:<{width}}  {r.what}")
            if not r.passed:
                lines += [f"        {r.problem}", f"        why: {r.why}", f"        hint: {r.hint}"]
        return "\n".join(lines)


def check(surrogate: Any, *, timeout_s: float = 30.0, cases: Sequence[Case] = CASES) -> ConformanceReport:
    """Run the cases against a surrogate, in another process.

    Args:
        surrogate: Reference text, :class:`SurrogateReference`, class or instance. It must be importable from
            another process, so a class typed at a prompt or inside a function is refused.
        timeout_s: Limit for each case.
        cases: What to check, from :data:`CASES`.

    Raises:
        InputError: A case is not one of :data:`CASES`, so that the other process would not know it.
    """
    if unknown := [case.name for case in cases if case not in CASES]:
        raise InputError(
            f"cannot check {', '.join(unknown)} in another process", "Call the case's own run(surrogate)."
        )
    try:
        reference = resolve(surrogate)
    except NaxboError as ex:
        found = CheckResult(
            "found", False, "can be found and imported", "workers import it", ex.message, ex.hint
        )
        return ConformanceReport(str(surrogate), (found,))
    results: list[CheckResult] = []
    waiting = [case.name for case in cases]
    while waiting:  # a case that hangs ends its process; the cases after it get a new one
        answers, ending = _run(reference, waiting, timeout_s)
        by_name = {case.name: case for case in cases}
        for name in waiting[: len(answers)]:
            case, (problem, hint) = by_name[name], answers[name]
            results.append(CheckResult(name, not problem, case.what, case.why, problem, hint))
        waiting = waiting[len(answers) :]
        if waiting:
            case = by_name[waiting.pop(0)]
            results.append(CheckResult(case.name, False, case.what, case.why, *ending))
    return ConformanceReport(str(reference), tuple(results))


def _run(
    reference: SurrogateReference, names: Sequence[str], timeout_s: float
) -> tuple[dict[str, tuple[str, str]], tuple[str, str]]:
    """Answers of the cases that came to an end, in order, and why the next one did not."""
    job = json.dumps({"reference": reference.to_dict(), "cases": list(names)})
    paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("conformance_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    answers: dict[str, tuple[str, str]] = {}
    ending = ("", "")
    with child:
        assert child.stdin is not None  # given as PIPE above
        assert child.stdout is not None
        child.stdin.write(job + "\n")
        child.stdin.close()
        lines = _Lines(child.stdout)
        limit = timeout_s + STARTUP_S
        while len(answers) < len(names):
            line = lines.next(limit)
            if line is None:
                ending = (f"did not return within {timeout_s:g} s", "Bound the work of fit and predict.")
                break
            if not line:
                child.wait()
                ending = (
                    f"ended its process with code {child.returncode}",
                    "Do not call exit; check native code.",
                )
                break
            if line.startswith("ready"):
                limit = timeout_s
            elif line.startswith("case "):
                name, problem, hint = json.loads(line[5:])
                answers[name] = (problem, hint)
        child.kill()
    return answers, ending


class _Lines:
    """Lines of a pipe, with a time limit on waiting for the next one."""

    def __init__(self, pipe: Any) -> None:
        import queue
        import threading

        self._queue: Any = queue.Queue()
        self._empty = queue.Empty

        def read() -> None:
            for line in pipe:
                self._queue.put(line)
            self._queue.put("")

        threading.Thread(target=read, daemon=True).start()

    def next(self, limit_s: float) -> str | None:
        """The next line, "" at the end, None after ``limit_s`` seconds."""
        try:
            return str(self._queue.get(timeout=limit_s))
        except self._empty:
            return None
