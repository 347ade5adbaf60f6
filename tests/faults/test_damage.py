"""Damaged and hand-edited studies: a right answer or a StoreError; salvage keeps what can be read."""

import json
import random
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest
from nax_cli.main import main

from nax_bo.errors import StoreError
from nax_bo.study import Study
from nax_bo.study.file.salvage import check, salvage

DESIGNS = 30


@pytest.fixture(scope="module")
def sound(small_study):
    return small_study(DESIGNS)


def store_error(action, *arguments):
    """Whether an action ends with a StoreError that says what to do; anything else that it raises is a fault."""
    try:
        action(*arguments)
    except StoreError as ex:
        return bool(ex.hint) or pytest.fail(f"no hint: {ex}")
    return False


def everything(path):
    """What readers ask of a study."""
    with Study(path) as study:
        rows = [study.row(t) for t in study.trials()]
        front = [t.number for t in study.front()]
        study.hypervolume()
        for trial in study.trials():
            study.network_and_chip(trial)
            study.cost_report(trial)
    return rows, front


def test_a_sound_study_is_said_to_be_so_and_salvages_to_itself(sound, tmp_path):
    assert check(sound) == []
    found = salvage(sound, tmp_path / "new")
    assert found["designs"] == DESIGNS
    assert found["problems"] == []
    assert everything(tmp_path / "new") == everything(sound)
    with pytest.raises(StoreError, match="already"):
        salvage(sound, tmp_path / "new")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_give_an_answer_or_a_store_error(sound, tmp_path, seed):
    draw = random.Random(seed)
    content = bytearray(sound.read_bytes())
    kind = draw.choice(["flip", "zero", "cut", "noise"])
    at = draw.randrange(len(content))
    length = draw.choice([1, 8, 512, 4096])
    if kind == "cut":
        del content[at:]
    else:
        for i in range(at, min(at + length, len(content))):
            content[i] = {"flip": content[i] ^ 0xFF, "zero": 0, "noise": draw.randrange(256)}[kind]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    before = path.read_bytes()
    if not store_error(everything, path) and everything(path) != everything(sound):
        # a changed digit inside a cell is a number like any other; all else must have been noticed
        assert kind in ("flip", "noise")
        assert length <= 8
    store_error(check, path)
    if not store_error(salvage, path, tmp_path / "new"):
        everything(tmp_path / "new")
    assert path.read_bytes() == before


def test_salvage_keeps_all_rows_in_sound_pages(sound, tmp_path):
    """Pages of the middle of the file are destroyed; designs none of whose cells lay there come over."""
    path = tmp_path / "damaged"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        lost = pages // 2
    content = bytearray(path.read_bytes())
    content[lost * size : (lost + 1) * size] = bytes([0xAA]) * size
    path.write_bytes(content)
    found = salvage(path, tmp_path / "new")
    with Study(tmp_path / "new") as study:
        assert len(study.trials()) == found["designs"] >= DESIGNS - 8


@pytest.mark.parametrize("pages_lost", [1, 2, 6])
def test_salvage_reads_a_file_whose_end_is_missing(sound, tmp_path, pages_lost):
    content = sound.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    path = tmp_path / "cut"
    path.write_bytes(content[: -pages_lost * size - 100])
    before = path.read_bytes()
    assert check(path)
    found = salvage(path, tmp_path / "new")
    assert found["designs"] >= DESIGNS - 3 * (pages_lost + 1)
    assert found["problems"]
    everything(tmp_path / "new")
    assert path.read_bytes() == before


CELLS = [
    ("trials", "indices"), ("trials", "design"), ("trials", "costs"), ("trials", "scores"),
    ("specs", "network"), ("specs", "chip"), ("specs", "report"),
    ("evaluations", "outcome"), ("evaluations", "fidelity"), ("evaluations", "seconds"),
    ("evaluations", "finish_order"), ("evaluations", "trial"), ("meta", "value"),
]  # fmt: skip
EDITS = ["", "null", "nonsense", "[1e999]", "NaN", '{"a": 1}', "[]", "-1", b"\xff\xfe", 1e308, -5]


@pytest.mark.parametrize(("table", "column"), CELLS)
@pytest.mark.parametrize("edit", EDITS)
def test_edited_cells_give_an_answer_or_a_store_error(sound, tmp_path, table, column, edit):
    path = tmp_path / "edited"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys=OFF")
        row = db.execute(f"SELECT MAX(rowid) FROM {table}").fetchone()[0]
        try:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (edit, row))
        except sqlite3.IntegrityError:
            return  # the table itself refuses it
    unreadable = store_error(everything, path)
    if not store_error(check, path) and unreadable:
        assert check(path), "what cannot be read is not called sound"
    if not store_error(salvage, path, tmp_path / "new"):
        everything(tmp_path / "new")


def test_the_command_says_what_is_wrong_and_saves_the_rest(sound, tmp_path, capsys, monkeypatch):
    path = tmp_path / "edited"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE trials SET costs = 'nonsense' WHERE number = 3")

    def naxbo(*words):
        monkeypatch.setattr(sys, "argv", ["naxbo", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    code, out, err = naxbo("study", "check", path)
    assert code == 4
    assert "costs of design 3 is damaged" in out
    assert "naxbo study salvage" in err
    code, out, _ = naxbo("study", "salvage", path, tmp_path / "new", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["designs"] == DESIGNS - 1
    assert 3 not in found["numbers"]
    assert naxbo("pareto", "--study", tmp_path / "new")[0] == 0
    code, _, err = naxbo("pareto", "--study", path)
    assert code == 4
    assert "naxbo study salvage" in err
