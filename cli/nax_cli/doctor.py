"""``naxbo doctor``: whether this machine is ready."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import typer

from nax_cli.output import JsonFlag, print_json

PACKAGES = (
    "naxbo",
    "torch",
    "botorch",
    "gpytorch",
    "scikit-learn",
    "numpy",
    "scipy",
    "loky",
    "altair",
    "vl-convert-python",
    "typer",
)


EXAMPLES = "Examples: naxbo doctor; naxbo doctor --json."


def doctor(as_json: JsonFlag = False) -> None:
    """Check that this machine is ready.

    Looks at packages, cores, SQLite, a training step, surrogates and the folder. Exit code 1 if anything fails.
    """
    checks = [_run(name, check) for name, check in CHECKS.items()]
    if as_json:
        print_json({"ok": all(c["ok"] for c in checks), "checks": checks})
    else:
        for check in checks:
            print(f"{'ok ' if check['ok'] else 'BAD'}  {check['name']:12} {check['found']}")
    if not all(c["ok"] for c in checks):
        raise typer.Exit(1)


def _run(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "found": check()}
    except Exception as ex:  # a check that fails in any way is a finding, not a crash
        return {"name": name, "ok": False, "found": f"{type(ex).__name__}: {ex}"}


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _packages() -> str:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise RuntimeError(f"not installed: {', '.join(missing)}")
    return ", ".join(found)


def _sqlite() -> str:
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(f"{folder}/probe")
        mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        db.close()
    if mode != "wal":
        raise RuntimeError(f"no write-ahead log here (journal mode {mode})")
    return f"{sqlite3.sqlite_version}, write-ahead log works"


def _torch() -> str:
    import torch

    x = torch.ones(8, 8, requires_grad=True)
    (x @ x).sum().backward()  # type: ignore[no-untyped-call]
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"gradients work; GPU: {', '.join(devices) or 'none (trainings run on the CPU)'}"


def _crossbars() -> str:
    """Which path reads crossbars exactly, and how it compares with the other."""
    import torch

    from nax_bo.crossbar import convert
    from nax_bo.crossbar.arithmetic.compiled import available, reading_path
    from nax_bo.hardware import ArraySpec, ChipSpec

    path = reading_path()
    if not available():
        return f"read by {path}; the same numbers, more slowly"
    torch.manual_seed(0)
    network = convert(
        torch.nn.Conv2d(16, 32, 3, padding=1), ChipSpec("sram", arrays=(ArraySpec(bits_per_cell=1),))
    )
    images = torch.rand(64, 16, 8, 8)
    network.calibrate(images)
    network.eval()
    network.mode = "exact"
    network.program(1)
    with_kernel = _seconds(network, images)
    chosen = os.environ.get("NAXBO_COMPILED", "1")
    os.environ["NAXBO_COMPILED"] = "0"
    try:
        gain = _seconds(network, images) / with_kernel
    finally:
        os.environ["NAXBO_COMPILED"] = chosen
    return f"read by {path}; {gain:.1f} times as fast as torch on one convolution"


def _seconds(network: Any, images: Any) -> float:
    """The shortest of three exact reads."""
    import torch

    times = []
    with torch.no_grad():
        for _ in range(3):
            start = perf_counter()
            network(images)
            times.append(perf_counter() - start)
    return min(times)


def _surrogates() -> str:
    from nax_bo.surrogate import surrogate_names

    return ", ".join(surrogate_names())


def _writable() -> str:
    with tempfile.NamedTemporaryFile(dir="."):
        return f"{os.getcwd()} can be written"


CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "packages": _packages,
    "sqlite": _sqlite,
    "torch": _torch,
    "crossbars": _crossbars,
    "surrogates": _surrogates,
    "folder": _writable,
}
