"""A study as text and back: equal, torn only at its end, and nothing overwritten."""

import json
import sys

import pytest
from nax_cli.main import main

from nax_bo.errors import InputError, StoreError
from nax_bo.study import Study
from nax_bo.study.file.salvage import read_contents
from nax_bo.study.file.transcript import export_study, import_study


def everything(path):
    found = read_contents(path)
    return found.facts, found.trials, found.specs, found.evaluations


@pytest.fixture(scope="module")
def log(small_study, tmp_path_factory):
    path = small_study(6)
    out = tmp_path_factory.mktemp("log") / "log.jsonl"
    assert export_study(path, out) == {"designs": 6, "evaluations": len(everything(path)[3])}
    return path, out


def test_text_and_back_is_the_same_study(log, tmp_path):
    path, out = log
    found = import_study(out, tmp_path / "new.naxbo")
    assert found["warning"] == ""
    assert everything(tmp_path / "new.naxbo") == everything(path)
    export_study(tmp_path / "new.naxbo", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8, 0.95, 0.999])
def test_a_torn_end_is_one_warning(log, tmp_path, kept):
    path, out = log
    content = out.read_bytes()
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(content[: int(kept * len(content))])
    found = import_study(torn, tmp_path / "new.naxbo")
    assert "the end of" in found["warning"]
    with Study(tmp_path / "new.naxbo") as new, Study(path) as whole:
        assert new.trials() == whole.trials()[: found["designs"]]
    before = sum(b'"trial"' in line for line in content[: int(kept * len(content))].split(b"\n")[:-1])
    assert found["designs"] == before, "every line that is whole comes over"


def test_a_text_cut_between_two_lines_is_noticed(log, tmp_path):
    lines = log[1].read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:-2]))
    assert "missing" in import_study(tmp_path / "cut.jsonl", tmp_path / "new.naxbo")["warning"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: [*lines[:-3], '{"trial": ', *lines[-2:]],
        lambda lines: [*lines[:-3], "[]", *lines[-2:]],
        lambda lines: lines[:-3] + lines[-2:],
        lambda lines: [*lines[:-3], '{"nobody": 1}', *lines[-2:]],
        lambda lines: [line.replace('"mean": 0.', '"mean": 7.') for line in lines],
        lambda lines: [line.replace('"indices": [', '"indices": [99, ') for line in lines],
        lambda lines: [line for line in lines if '"space"' not in line],
        lambda lines: [line.replace('"state": "done"', '"state": "gone"') for line in lines],
    ],
)
def test_damage_before_the_end_is_refused_and_leaves_nothing(log, tmp_path, edit):
    path = tmp_path / "edited.jsonl"
    path.write_text("\n".join(edit(log[1].read_text().splitlines())) + "\n")
    with pytest.raises(StoreError, match=r"damaged") as caught:
        import_study(path, tmp_path / "new.naxbo")
    assert caught.value.hint
    assert not (tmp_path / "new.naxbo").exists()


def test_nothing_is_overwritten(log, tmp_path):
    path, out = log
    with pytest.raises(InputError, match="exists"):
        export_study(path, out)
    with pytest.raises(StoreError, match="already"):
        import_study(out, path)
    (tmp_path / "no.jsonl").write_text("a line\n")
    with pytest.raises(StoreError, match="line 1"):
        import_study(tmp_path / "no.jsonl", tmp_path / "new.naxbo")
    (tmp_path / "other.jsonl").write_text('{"some": "json"}\n')
    with pytest.raises(InputError, match="no study"):
        import_study(tmp_path / "other.jsonl", tmp_path / "new.naxbo")


def test_the_commands(log, tmp_path, capsys, monkeypatch):
    def naxbo(*words):
        monkeypatch.setattr(sys, "argv", ["naxbo", "study", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    text, new = tmp_path / "log.jsonl", tmp_path / "new.naxbo"
    code, out, _ = naxbo("export", log[0], "--out", text, "--json")
    assert code == 0
    assert json.loads(out)["designs"] == 6
    text.write_bytes(text.read_bytes()[:-5])
    code, out, err = naxbo("import", text, "--out", new)
    assert code == 0
    assert err.count("warning") == 1
    assert "6 designs" in out
    code, _, err = naxbo("import", text, "--out", new)
    assert code == 4
    assert "hint" in err
