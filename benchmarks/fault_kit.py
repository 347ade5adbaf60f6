"""Attacks on a study's file: kills, damaged bytes, edited cells, many processes at once. Prints one JSON line.

* kills: a process records results and says each one when it is recorded; it is killed by SIGKILL at a random moment.
  The main file alone is copied before anything else touches it. Counted: what was said and is missing from the copy as
  it is opened (``lost``), copies that cannot be opened (``malformed``), and what is missing from what salvage makes of
  these (``lost_after_salvage``); the same for the file with its journal (``lost_with_journal``).
* damage: bytes are flipped, zeroed, cut or replaced; a study is read, checked and salvaged.
* edits: one cell is replaced by nonsense; the same. Anything but an answer or a StoreError with a hint is a traceback.
* crowd: processes that each record results in one file. Counted: results missing, and errors seen by anyone.

    python benchmarks/fault_kit.py --kills 1000 --damage 240 --edits 143 --processes 16 --results 200
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from nax_bo.errors import StoreError
from nax_bo.space import Space, Variable
from nax_bo.study import Study, StudyConfig
from nax_bo.study.file.salvage import check, salvage
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Proposal, Specs

WRITER = """
import sys
from benchmarks.fault_kit import record
record(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""
ROOT = Path(__file__).parents[1]


def record(path: str, first: int, count: int) -> None:
    """Record results of so many designs from a number on, and say each number once that is done."""
    store = Store(path)
    for i in range(first, first + count):
        design = store.space.design([i % 256, i // 256])
        (evaluation,) = store.add(
            [Proposal(design, {"cost": float(i)}, "short", "x" * random.randrange(4000), Specs())]
        )
        store.start(evaluation.id)
        done = {"mean": (i % 1000) / 1000, "standard_error": 0.0, "note": "y" * random.randrange(3000)}
        store.finish(evaluation.id, "done", outcome=done)
        print(i, flush=True)
    store.close()


def empty(path: Path) -> None:
    """A study of a made-up space, with the facts that a study needs."""
    space = Space([Variable("a", tuple(range(256))), Variable("b", tuple(range(256)))])
    data = {
        "name": "d", "input_shape": [1, 8, 8], "num_classes": 10, "test_images": 100, "fingerprint": "f", "source": "s",
    }  # fmt: skip
    facts = {"config": StudyConfig().to_dict(), "data": data, "reference_point": {"accuracy": 0.1}}
    Store(path, space, create=True, facts=facts).close()


def writer(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    """A process that records."""
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(count)]
    places = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
    )


def numbers(path: Path) -> set[int]:
    """Numbers of the results that a file holds."""
    store = Store(path)
    try:
        return {int(t.costs["cost"]) for t in store.trials() if any(e.state == "done" for e in t.evaluations)}
    finally:
        store.close()


def kills(folder: Path, wanted: int, draw: random.Random) -> Counter[str]:
    """Kill a writer again and again; one file takes many kills, as a study does."""
    found: Counter[str] = Counter()
    said: set[int] = set()
    path, first = folder / "killed.naxbo", 0
    while found["kills"] < wanted:
        if not path.exists() or len(said) > 3000:
            for old in (path, path.with_name(path.name + "-journal")):
                old.unlink(missing_ok=True)
            empty(path)
            said, first = set(), 0
        process = writer(path, first, 10_000)
        assert process.stdout is not None
        process.stdout.readline()  # it has begun: now any moment will do
        said.add(first)
        time.sleep(draw.uniform(0.0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        said |= {int(line) for line in process.stdout.read().split()}
        process.wait()
        found["kills"] += 1
        copy = folder / f"alone-{found['kills']}.naxbo"
        shutil.copyfile(path, copy)
        found["with_journal"] += path.with_name(path.name + "-journal").exists()
        try:
            found["lost"] += len(said - numbers(copy))
        except StoreError:
            found["malformed"] += 1
            found["lost_after_salvage"] += len(said - _salvaged(copy))
        copy.unlink()
        found["lost_with_journal"] += len(said - numbers(path))
        found["acknowledged"] += len(said)
        first = max(said) + 100
    return found


def _salvaged(copy: Path) -> set[int]:
    new = copy.with_suffix(".saved")
    try:
        salvage(copy, new)
        return numbers(new)
    except StoreError:
        return set()
    finally:
        new.unlink(missing_ok=True)


def actions(path: Path, found: Counter[str]) -> None:
    """Read, check and salvage a file that may be damaged."""

    def read() -> None:
        with Study(path) as study:
            for trial in study.trials():
                study.row(trial)
                study.specs(trial)
            study.front()

    new = path.with_suffix(".saved")
    steps: list[Callable[[], object]] = [read, lambda: check(path), lambda: salvage(path, new)]
    for step in steps:
        found["actions"] += 1
        try:
            step()
            found["answers"] += 1
        except StoreError as ex:
            found["refusals" if ex.hint else "without_hint"] += 1
        except Exception as ex:  # whatever else it is, it is a traceback
            found["tracebacks"] += 1
            print(f"{path.name}: {type(ex).__name__}: {ex}", file=sys.stderr)
    new.unlink(missing_ok=True)


def damage(sound: Path, folder: Path, wanted: int, draw: random.Random) -> Counter[str]:
    """Damage bytes."""
    found: Counter[str] = Counter()
    for k in range(wanted):
        content = bytearray(sound.read_bytes())
        at, length = draw.randrange(len(content)), draw.choice([1, 8, 512, 4096, 20_000])
        kind = draw.choice(["flip", "zero", "cut", "noise"])
        part = slice(at, min(at + length, len(content)))
        if kind == "cut":
            del content[at:]
        elif kind == "flip":
            content[part] = bytes(b ^ 0xFF for b in content[part])
        else:
            content[part] = bytes(0 if kind == "zero" else draw.randrange(256) for _ in content[part])
        path = folder / f"damaged-{k}"
        path.write_bytes(content)
        actions(path, found)
        path.unlink()
    return found


def edits(sound: Path, folder: Path, wanted: int, draw: random.Random) -> Counter[str]:
    """Edit cells."""
    found: Counter[str] = Counter()
    nonsense = [
        "",
        "null",
        "nonsense",
        "[1e999]",
        "NaN",
        '{"a": 1}',
        "[]",
        "-1",
        b"\xff\xfe",
        1e308,
        -5,
        None,
        "[[[[",
    ]
    with closing(sqlite3.connect(sound)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [(t, row[1]) for t in tables for row in db.execute(f"PRAGMA table_info({t})")]
    while found["edits"] < wanted:
        table, column = draw.choice(cells)
        path = folder / f"edited-{found['edits']}"
        shutil.copyfile(sound, path)
        with closing(sqlite3.connect(path)) as db:
            rows = [row[0] for row in db.execute(f"SELECT rowid FROM {table}")]
            try:
                db.execute(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?",
                    (draw.choice(nonsense), draw.choice(rows)),
                )
                db.commit()
            except sqlite3.Error:
                continue  # the table itself refuses it
            finally:
                db.rollback()
        found["edits"] += 1
        actions(path, found)
        path.unlink()
    return found


def crowd(folder: Path, processes: int, results: int) -> dict[str, int]:
    """Many processes record in one file."""
    path = folder / "crowd.naxbo"
    empty(path)
    running = [writer(path, k * results, results) for k in range(processes)]
    ends = [p.communicate() for p in running]
    missing = set(range(processes * results)) - numbers(path)
    return {
        "results": processes * results,
        "missing": len(missing),
        "errors": sum(bool(err) for _, err in ends),
    }


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--damage", type=int, default=240)
    parser.add_argument("--edits", type=int, default=143)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--results", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = folder / "sound.naxbo"
        empty(sound)
        with open(os.devnull, "w") as silence:
            said, sys.stdout = sys.stdout, silence
            try:
                record(str(sound), 0, 60)
            finally:
                sys.stdout = said
        answer = {
            "kills": kills(folder, args.kills, draw),
            "damage": damage(sound, folder, args.damage, draw),
            "edits": edits(sound, folder, args.edits, draw),
            "crowd": crowd(folder, args.processes, args.results) if args.processes else {},
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
