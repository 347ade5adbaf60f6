"""No command puts something else in the place of a study, and none leaves half a file."""

import shutil
import sys

import pytest
from nax_cli.main import main

from nax_bo.errors import InputError
from nax_bo.files import write_whole

COMMANDS = [
    "export 0 --study {s} --out {s}", "export 0 --study {s} --form weights --out {s}", "init {s} --force",
    "bench chip16 --strategies random --budget 4 --plot {s}.png",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_study_is_never_overwritten(small_study, tmp_path, monkeypatch, capsys, command):
    path = tmp_path / "s.naxbo"
    shutil.copy(small_study(1), path)
    shutil.copy(path, tmp_path / "s.naxbo.png")
    before = path.read_bytes()
    monkeypatch.setattr(sys, "argv", ["naxbo", *command.format(s=path).split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert (tmp_path / "s.naxbo.png").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.naxbo", "s.naxbo.png"]


def test_what_cannot_be_finished_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def half(draft):
        draft.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left"):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert write_whole(path, "new").read_text() == "new"
