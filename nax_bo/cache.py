"""Where things are kept between runs that can be made again, and folders that nobody else can have written to."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """``$NAXBO_CACHE``, else ``naxbo`` in the platform's cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``).

    Where there is no home (a container's user without one), :func:`private_folder`. It need not exist.
    """
    try:
        if chosen := os.environ.get("NAXBO_CACHE"):
            return Path(chosen).expanduser()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "naxbo"
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "naxbo" / "Cache"
        base = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG base directory specification has relative paths ignored.
        return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "naxbo"
    except RuntimeError:  # no HOME, and no entry for this user
        return private_folder()


def private_folder() -> Path:
    """A folder of this user's in the system's temporary one."""
    return Path(tempfile.gettempdir()) / f"naxbo-{_user()}"


def is_private(path: Path) -> bool:
    """Whether a file or folder is this user's (or root's) own, no link, and nobody else may write to it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if sys.platform == "win32":
        return True  # access lists, not modes; the platform's cache folder is the user's own
    return not (stat.S_ISLNK(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in (_user(), 0))


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
