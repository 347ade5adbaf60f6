"""``naxbo doctor``: whether this machine is ready."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import typer

from nax_cli.output import JsonFlag, labelled, print_json

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

    Looks at packages, cores, devices, executors, a training step, crossbars, surrogates, and the disk of this folder.
    Exit code 1 if anything fails.
    """
    checks = [_run(name, check) for name, check in CHECKS.items()]
    if as_json:
        print_json({"ok": all(c["ok"] for c in checks), "checks": checks})
    else:
        for check in checks:
            print(labelled(f"{'ok ' if check['ok'] else 'BAD'}  {check['name']}", check["found"], 18))
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


def _disk() -> str:
    """How fast changes of a study reach the disk here, and whether it is a network's."""
    from pathlib import Path

    from nax_bo.study.file.disk import NETWORK, commit_s, file_system

    here = Path.cwd()
    took, kind = commit_s(here), file_system(here)
    said = (
        f"SQLite {sqlite3.sqlite_version}; a change of a study is safe after {1000 * took:.1f} ms in {here}"
    )
    if kind in NETWORK:
        return (
            f"{said}; CAREFUL: this is a network file system ({kind}), whose locks and flushes SQLite cannot "
            "trust: keep studies on a local disk, and copy them when they are done"
        )
    return f"{said} ({kind})" if kind else said


def _executors() -> str:
    """Where trainings can run from here."""
    from importlib.util import find_spec
    from shutil import which

    has = {name: find_spec(name) is not None for name in ("distributed", "dask_jobqueue")}
    slurm = which("sbatch") is not None
    missing = {
        "dask:ADDRESS": [] if has["distributed"] else ["extra cluster"],
        "dask-slurm": [
            *([] if has["distributed"] and has["dask_jobqueue"] else ["extra cluster"]),
            *([] if slurm else ["sbatch"]),
        ],
    }
    parts = [
        f"{name} ({'lacks ' + ', '.join(lacks) if lacks else 'ready'})" for name, lacks in missing.items()
    ]
    return ", ".join([f"local ({os.cpu_count()} workers)", *parts, "module:factory"])


def _devices() -> str:
    """Where trainings compute: what ``--device auto`` takes, and what else there is."""
    import torch

    from nax_bo.accuracy.device import torch_device

    gpus = [
        f"cuda:{i} {torch.cuda.get_device_name(i)}, {torch.cuda.mem_get_info(i)[0] / 2**30:.0f} GiB free"
        for i in range(torch.cuda.device_count())
    ]
    return f"auto is {torch_device('auto')}; {', '.join(gpus) or 'no GPU'}"


def _torch() -> str:
    import torch

    x = torch.ones(8, 8, requires_grad=True)
    (x @ x).sum().backward()  # type: ignore[no-untyped-call]
    return f"{torch.__version__}: gradients work"


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


CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "packages": _packages,
    "torch": _torch,
    "devices": _devices,
    "executors": _executors,
    "crossbars": _crossbars,
    "surrogates": _surrogates,
    "disk": _disk,
}
