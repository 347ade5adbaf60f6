"""The compiled kernel's cache: what is loaded is what was built here, whatever lies there."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nax_bo.cache import cache_folder, private_folder
from nax_bo.crossbar.arithmetic import compiled


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own, and the library looked for anew."""
    monkeypatch.delenv("NAXBO_COMPILED", raising=False)
    monkeypatch.setattr(compiled, "_FLAGS", ("-O0", *compiled._FLAGS[1:]))  # built a dozen times here
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("NAXBO_CACHE", str(tmp_path / "cache"))
    compiled._found.cache_clear()
    if not compiled.available():
        pytest.skip("no compiler or no AVX2 here")
    yield tmp_path / "cache"
    compiled._found.cache_clear()


def library(folder: Path) -> Path:
    (found,) = (folder / "kernels").glob("crossbar-*.so")
    return found


def test_it_is_built_once_and_private(cache: Path) -> None:
    first = library(cache)
    assert str(first) in compiled.reading_path()
    before = first.stat().st_mtime_ns
    compiled._found.cache_clear()
    assert compiled.available()
    assert library(cache).stat().st_mtime_ns == before
    assert not first.stat().st_mode & 0o077


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "link"])
def test_a_damaged_library_is_built_again(cache: Path, damage: str) -> None:
    path = library(cache)
    content = path.read_bytes()
    if damage == "link":
        path.rename(cache / "elsewhere.so")
        path.symlink_to(cache / "elsewhere.so")
    else:
        path.unlink()  # not in place: this process has it mapped
        changed = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes({"cut": content[:5000], "empty": b"", "changed": changed}[damage])
    compiled._found.cache_clear()
    assert compiled.available()
    assert not library(cache).is_symlink()
    assert library(cache).read_bytes() == content


def test_a_folder_that_others_can_write_to_is_passed_over(cache: Path) -> None:
    (cache / "kernels").chmod(0o777)
    library(cache).write_bytes(b"planted")
    compiled._found.cache_clear()
    assert compiled.available()
    assert str(private_folder()) in compiled.reading_path()
    assert library(cache).read_bytes() == b"planted"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_what_another_user_owns_is_not_loaded(cache: Path) -> None:
    os.chown(cache / "kernels", 12345, 12345)
    compiled._found.cache_clear()
    assert compiled.available()
    assert str(private_folder()) in compiled.reading_path()


def test_a_home_in_the_path_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NAXBO_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    compiled._found.cache_clear()
    assert compiled.available()
    assert library(tmp_path / "mine")


def test_without_a_home_there_is_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NAXBO_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", staticmethod(nowhere))
    assert cache_folder() == private_folder()
    compiled._found.cache_clear()
    assert compiled.available()


def test_switched_off_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAXBO_COMPILED", "0")
    assert compiled.reading_path() == "torch: NAXBO_COMPILED=0"
    assert not compiled.available()


def test_doctor_says_which_path_runs_and_what_it_gains(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "nax_cli", "doctor"],
        capture_output=True,
        text=True,
        check=False,  # other checks may fail here
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "NAXBO_CACHE"} | {"OMP_NUM_THREADS": "1"},
    ).stdout
    line = next(x for x in answer.splitlines() if "crossbars" in x)
    assert line.startswith("ok")
    assert "compiled kernel" in line
    assert "times as fast" in line
