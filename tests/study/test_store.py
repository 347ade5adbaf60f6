"""The store: round trips, transactions, damage, kills."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import StoreError
from nax_bo.space import Space, categorical, ordinal
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Proposal

SPACE = Space([ordinal("a", range(8)), categorical("b", ("x", "y", "z"))])


def new(path: Path) -> Store:
    return Store(path, SPACE, create=True)


OUTCOMES = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries(
        {"mean": st.floats(0, 1), "standard_error": st.floats(0, 1e3) | st.none()},
    ),
    st.dictionaries(
        st.text(min_size=4, max_size=8).filter(
            lambda name: name not in ("draws", "trainings", "clean", "confidence")
        ),
        st.floats(-1e299, 1e299) | st.text() | st.booleans(),
    ),
)
ENDS = st.sampled_from(["done", "failed", None])


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 2), OUTCOMES, ENDS),
        max_size=12,
        unique_by=lambda t: t[:2],
    )
)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_back_by_another_process(tmp_path_factory, entries) -> None:
    path = tmp_path_factory.mktemp("store") / "s.naxbo"
    store = new(path)
    expected = []
    for a, b, outcome, end in entries:
        design = SPACE.design([a, b])
        (evaluation,) = store.add([Proposal(design, {"edap": float(a)}, "short", "why")])
        if end:
            store.start(evaluation.id)
            store.finish(
                evaluation.id, end, outcome=outcome, message="m" if end == "failed" else "", seconds=1.5
            )
        expected.append((design, end or "queued", outcome if end else {}))
    store.close()
    again = Store(path)
    trials = again.trials()
    assert [(t.design, t.evaluations[0].state, t.evaluations[0].outcome) for t in trials] == expected
    assert [t.number for t in trials] == list(range(len(entries)))
    assert [again.trial(t.number) for t in trials] == trials
    assert again.trial(len(trials)) is None
    orders = [e.order for e in again.evaluations("done", "failed")]
    assert orders == list(range(len(orders)))
    again.close()


def test_a_design_keeps_its_number_at_another_fidelity(tmp_path) -> None:
    store = new(tmp_path / "s")
    design = SPACE.design({"a": 3})
    store.add([Proposal(design, {}, "short", "")])
    store.add([Proposal(design, {}, "full", "")])
    (trial,) = store.trials()
    assert [e.fidelity for e in trial.evaluations] == ["short", "full"]
    with pytest.raises(StoreError, match="UNIQUE"):
        store.add([Proposal(SPACE.design({"a": 4}), {}, "short", ""), Proposal(design, {}, "full", "")])
    assert len(store.trials()) == 1  # all or none


def test_running_evaluations_are_queued_again(tmp_path) -> None:
    store = new(tmp_path / "s")
    first, second = store.add([Proposal(SPACE.design([i, 0]), {}, "short", "") for i in (0, 1)])
    store.start(first.id)
    store.start(second.id)
    store.finish(second.id, "failed", message="m")
    store.close()
    again = Store(tmp_path / "s")
    assert again.requeue_running() == 1
    assert [e.state for e in again.evaluations()] == ["queued", "failed"]


def test_only_one_process_runs_a_study(tmp_path) -> None:
    store = new(tmp_path / "s")
    code = f"from nax_bo.study.file.store import Store\nStore({str(tmp_path / 's')!r}).lock()"
    with store.lock():
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "being run by another process" in run.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_kill_loses_no_finished_evaluation(tmp_path) -> None:
    path = tmp_path / "s"
    code = f"""
import sys
from nax_bo.space import Space
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Proposal
store = Store({str(path)!r}, Space.from_json({SPACE.to_json()!r}), create=True)
for i in range(24):
    (e,) = store.add([Proposal(store.space.design([i % 8, i // 8]), {{}}, "short")])
    store.start(e.id)
    store.finish(e.id, "done", outcome={{"mean": i / 24, "standard_error": 0.0}})
    print(i, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    seen = -1
    assert process.stdout is not None
    for line in process.stdout:
        seen = int(line)
        if seen == 9:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    done = Store(path).evaluations("done")
    assert len(done) >= 10
    assert [e.outcome["mean"] for e in done] == [i / 24 for i in range(len(done))]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda p: p.unlink(), "there is no study at"),
        (
            lambda p: p.write_bytes(b"not a database, but long enough to be looked at" * 30),
            "not a naxbo study",
        ),
        (lambda p: p.write_bytes(b""), "not a naxbo study|no such table|cannot use"),
        (lambda p: p.write_bytes(p.read_bytes()[:5000]), "damaged|not a naxbo study"),
        (lambda p: _set_format(p, 99), "has study format 99"),
    ],
    ids=["missing", "text", "empty", "cut", "newer"],
)
def test_damaged_files_are_named(tmp_path, damage, match) -> None:
    path = tmp_path / "s"
    store = new(path)
    for i in range(8):
        store.add([Proposal(SPACE.design([i, 0]), {}, "short", "x" * 2000)])
    store.close()
    damage(path)
    with pytest.raises(StoreError, match=match):
        Store(path).trials()


def _set_format(path: Path, value: int) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(value),))
    db.commit()
    db.close()


def test_a_new_study_neither_inherits_nor_deletes_the_journal_of_another(tmp_path) -> None:
    journal = (
        tmp_path / "s-journal"
    )  # as a kill in the middle of a commit leaves it, once the study has been moved
    journal.write_bytes(b"pages of the other study")
    with pytest.raises(StoreError, match="belongs to another study"):
        new(tmp_path / "s")
    assert journal.read_bytes() == b"pages of the other study"
    assert list(tmp_path.iterdir()) == [journal]


def test_a_study_is_not_replaced_by_a_new_one(tmp_path) -> None:
    first = Store(tmp_path / "s", SPACE, create=True, facts={"owner": "first"})
    first.add([Proposal(SPACE.design([1, 1]), {}, "short", "")])
    with pytest.raises(StoreError, match="already"):
        Store(tmp_path / "s", SPACE, create=True, facts={"owner": "second"})
    assert len(first.trials()) == 1
    assert Store(tmp_path / "s").meta("owner") == "first"
    assert not list(tmp_path.glob("*.new*"))


def test_unwritable_folder(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create the study"):
        new(tmp_path / "file" / "s")


def test_numbers_beyond_all_designs_name_none(tmp_path) -> None:
    store = new(tmp_path / "s")
    assert store.trial(10**30) is None
    assert store.trial(-1) is None


def test_a_failed_creation_leaves_nothing(tmp_path, monkeypatch) -> None:
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nax_bo.study.file.database.publish", full)
    with pytest.raises(StoreError, match="No space left"):
        new(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []
