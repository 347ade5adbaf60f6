"""The disk under a study: how long a change takes to reach it, and whether it is another machine's."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from time import perf_counter

NETWORK = frozenset(
    (
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "panfs", "pvfs2", "smb3", "smbfs", "virtiofs", "vboxsf",
    )
)  # fmt: skip
"""File systems whose locks and flushes depend on other machines; SQLite needs both (sqlite.org/faq.html#q5)."""

_CHANGES = 20


def commit_s(folder: Path) -> float:
    """Median seconds that a change of a study takes to be safe on the disk of ``folder``.

    Raises:
        OSError, sqlite3.Error: Nothing can be written there.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".naxbo-doctor-") as place:
        db = sqlite3.connect(f"{place}/probe", isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute("PRAGMA synchronous=EXTRA")
            db.execute("CREATE TABLE probe (value TEXT)")
            taken = []
            for _ in range(_CHANGES):
                begun = perf_counter()
                db.execute("INSERT INTO probe VALUES (?)", ("x" * 500,))
                taken.append(perf_counter() - begun)
        finally:
            db.close()
    return sorted(taken)[len(taken) // 2]


def file_system(folder: Path, mounts: str | None = None) -> str:
    """Type of the file system that holds ``folder``; empty where the system does not say (outside Linux).

    Args:
        folder: It need not exist.
        mounts: Text of ``/proc/mounts``; default this machine's.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    where = folder.absolute()
    best, found = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        depth = len(point.parts)
        if depth >= best and where.is_relative_to(point):  # a later mount hides an earlier one
            best, found = depth, fields[2]
    return found
