"""The doctor's findings about disks and executors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nax_bo.study.file.disk import NETWORK, commit_s, file_system

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb /home/local xfs rw 0 0
//server/a\\040b /mnt/a\\040b cifs rw 0 0
tmpfs /home/local/fast tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/tmp", "ext4"),
        ("/home/me/studies", "nfs4"),
        ("/homework", "ext4"),
        ("/home/local/x", "xfs"),
        ("/home/local/fast/x", "tmpfs"),
        ("/mnt/a b/x", "cifs"),
        ("/", "ext4"),
    ],
)
def test_a_folder_lies_in_the_innermost_file_system_that_holds_it(folder, kind):
    assert file_system(Path(folder), MOUNTS) == kind
    assert (kind in NETWORK) == (kind in ("nfs4", "cifs"))


def test_a_mount_over_another_hides_it():
    assert file_system(Path("/data/x"), "a /data nfs rw\nb /data ext4 rw\n") == "ext4"


def test_the_time_of_a_change_is_measured_and_leaves_nothing(tmp_path):
    assert 0 < commit_s(tmp_path) < 10
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_finding(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        commit_s(tmp_path / "gone")


def test_the_doctor_names_executors_devices_and_disk(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "nax_cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    found = {check["name"]: check for check in json.loads(run.stdout)["checks"]}
    assert found["executors"]["found"].startswith("local (")
    assert "dask-slurm" in found["executors"]["found"]
    assert "auto is" in found["devices"]["found"]
    assert "ms in" in found["disk"]["found"]
    assert list(tmp_path.iterdir()) == []
