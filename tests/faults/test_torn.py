"""The main file alone, copied in the middle of a commit: nothing recorded is lost."""

import random
import sqlite3
from contextlib import closing

import pytest

from nax_bo.errors import StoreError
from nax_bo.space import Space, Variable
from nax_bo.study import StudyConfig
from nax_bo.study.file.pages import COLUMNS, rows_of
from nax_bo.study.file.salvage import salvage
from nax_bo.study.file.store import Store
from nax_bo.study.file.trial import Proposal, Specs

PAGE, LEAF, INNER = 4096, 13, 5
SPACE = Space([Variable("a", tuple(range(100)))])
DATA = {
    "name": "d", "input_shape": [1, 8, 8], "num_classes": 10, "test_images": 100, "fingerprint": "f", "source": "s",
}  # fmt: skip
FACTS = {"config": StudyConfig().to_dict(), "data": DATA, "reference_point": {"accuracy": 0.1}}


def recorded(store: Store, draw: random.Random):
    """After every commit: the file, and the results that were recorded before it."""
    said: set[float] = set()
    for i in range(7):
        proposal = Proposal(
            SPACE.design([i]), {"cost": float(i)}, "short", "x" * draw.randrange(4000), Specs()
        )
        (evaluation,) = store.add([proposal])
        yield store.path.read_bytes(), set(said)
        store.start(evaluation.id)
        yield store.path.read_bytes(), set(said)
        outcome = {"mean": i / 100, "standard_error": 0.0, "note": "y" * draw.randrange(3000)}
        store.finish(evaluation.id, "done", outcome=outcome)
        yield store.path.read_bytes(), set(said)
        said.add(float(i))


def results(path) -> set[float]:
    store = Store(path)
    try:
        return {t.costs["cost"] for t in store.trials() if any(e.state == "done" for e in t.evaluations)}
    finally:
        store.close()


def test_a_file_torn_between_the_pages_of_a_commit_loses_nothing(tmp_path):
    """Pages reach the file in their order; only a table whose root becomes an inner page is whole in no prefix."""
    path, torn, new = (tmp_path / name for name in ("study.naxbo", "torn.naxbo", "new.naxbo"))
    store = Store(path, SPACE, create=True, facts=FACTS)
    before, salvaged = path.read_bytes(), 0
    for after, said in recorded(store, random.Random(0)):
        changed = [at for at in range(0, len(after), PAGE) if before[at : at + PAGE] != after[at : at + PAGE]]
        half, deepens = bytearray(before), False
        for at in changed[:-1]:
            deepens |= before[at : at + 1] == bytes([LEAF]) and after[at] == INNER
            half[at : at + PAGE] = after[at : at + PAGE].rjust(PAGE, b"\0")
            torn.write_bytes(half)
            new.unlink(missing_ok=True)
            try:
                assert said <= results(torn)
            except StoreError:
                salvage(torn, new)
                assert deepens or said <= results(new)
                salvaged += 1
        before = after
    store.close()
    assert salvaged > 10  # it did meet files that SQLite refuses


@pytest.mark.parametrize("table", COLUMNS)
def test_rows_from_pages_are_those_that_sqlite_reads(tmp_path, table):
    path = tmp_path / "study.naxbo"
    store = Store(path, SPACE, create=True, facts=FACTS)
    for _ in recorded(store, random.Random(1)):
        pass
    store.close()
    with closing(sqlite3.connect(path)) as db:
        wanted = db.execute(f"SELECT * FROM {table}").fetchall()
    assert sorted(rows_of(path.read_bytes(), table)) == sorted(wanted)


@pytest.mark.parametrize("seed", range(8))
def test_nonsense_raises_nothing(tmp_path, seed):
    draw = random.Random(seed)
    path = tmp_path / "study.naxbo"
    store = Store(path, SPACE, create=True, facts=FACTS)
    for _ in recorded(store, draw):
        pass
    store.close()
    content = bytearray(path.read_bytes())
    for _ in range(40):
        at = draw.randrange(100, len(content))
        content[at : at + 8] = draw.randbytes(8)
    for table in COLUMNS:
        for row in rows_of(bytes(content[: draw.randrange(len(content))]), table):
            assert len(row) == COLUMNS[table]
