"""Canaries: whatever code a study's file names, none of it runs because somebody opens the file."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest
from nax_cli.main import main

FIELDS = ["system", "data", "strategy", "surrogate", "accuracy", "cost_model", "executor"]
READING = [
    "pareto --study {s}", "pareto --study {s} --json", "trials --study {s} --csv", "export 0 --study {s} --out e.json",
    "what-if --study {s} --design 0 --set adc_bits=4", "study check {s}", "study salvage {s} n.naxbo",
]  # fmt: skip
LONG = [
    "report --study {s} --out r", "evaluate --study {s} --design 0 --fidelity short",
    "surrogates compare --study {s}", "bench --study {s} --strategies random --budget 2",
]  # fmt: skip
LONG_FIELDS = ["system", "surrogate"]
"""Commands that take seconds are tried on two fields."""


@pytest.fixture(scope="module")
def sound(small_study):
    return small_study(2, data="digits,train=60,test=40")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", ["file", "module"])
def test_nothing_that_a_study_names_runs_when_it_is_read(sound, tmp_path, monkeypatch, capsys, field, kind):
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(
        f"open({str(canary)!r}, 'a').close()\n"
        "def make(*a, **k): ...\n"
        "class Thing:\n    def fit(self, X, Y): ...\n    def predict(self, X): ...\n"
    )
    reference = {
        "file": f"{tmp_path / 'evil.py'}:Thing",
        "module": f"subprocess:call,args='touch {canary}'" if field == "surrogate" else "subprocess:call",
    }[kind]
    path = tmp_path / "s.naxbo"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db, db:
        config = json.loads(db.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()[0])
        config[field] = reference
        facts = json.loads(db.execute("SELECT value FROM meta WHERE key = 'data'").fetchone()[0])
        facts["input_shape"] = ["touch", str(canary)] if kind == "module" else facts["input_shape"]
        db.execute("UPDATE meta SET value = ? WHERE key = 'config'", (json.dumps(config),))
        db.execute("UPDATE meta SET value = ? WHERE key = 'data'", (json.dumps(facts),))
    for command in READING + (LONG if field in LONG_FIELDS else []):
        monkeypatch.setattr(sys, "argv", ["naxbo", *command.format(s=path).split()])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert not canary.exists(), command
        assert "Traceback" not in said.err, command
        assert code in (0, 2, 3, 4), (command, code, said.err)
        if code == 4:
            assert "hint" in said.err or "naxbo study salvage" in said.err, command


def test_running_takes_the_name_again_or_trust(sound, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "s.naxbo"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as db, db:
        config = json.loads(db.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()[0])
        config["surrogate"] = "./mine.py:Mine"
        db.execute("UPDATE meta SET value = ? WHERE key = 'config'", (json.dumps(config),))
    monkeypatch.setattr(sys, "argv", ["naxbo", "optimize", "--study", str(path), "-n", "3", "--no-report"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4
    assert "--trust" in capsys.readouterr().err
