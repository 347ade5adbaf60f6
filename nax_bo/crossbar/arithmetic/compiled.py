"""Builds and loads ``kernel.c``, the optional accelerator of the exact and adaptive modes.

The kernel is compiled once with the machine's C compiler into the user's cache directory
(``$NAXBO_CACHE`` or ``$XDG_CACHE_HOME/naxbo`` or ``~/.cache/naxbo``), for AVX-512 or else for AVX2. Without a compiler,
without AVX2, or with ``NAXBO_COMPILED=0`` the eager torch path computes the same (:mod:`.exact`), more slowly; what
the kernel cannot read at all is said once.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from nax_bo.errors import EvaluationError

_SOURCE = Path(__file__).with_name("kernel.c")
# as /proc/cpuinfo and the compiler call them, the best first
_INSTRUCTION_SETS = (("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"), ("avx2", "fma"))
# without contraction: products and sums round apart, as they do in torch
_FLAGS = ("-O3", "-shared", "-fPIC", "-ffp-contract=off")
_COMPILE_SECONDS = 60

_F, _I64, _I32, _P = ctypes.c_float, ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p


class Problem(ctypes.Structure):
    """Arguments of the kernel, field by field as in ``kernel.c``."""

    _fields_ = (
        ("x", _P),
        *((name, _I64) for name in ("batch", "channels", "height", "width")),
        *((name, _I64) for name in ("pad_top", "pad_left", "padded_height", "padded_width")),
        ("inverse_scale", _F),
        ("low", _I32),
        ("high", _I32),
        *(
            (name, _I64)
            for name in ("out_height", "out_width", "stride_h", "stride_w", "groups", "group_channels")
        ),
        ("row_offset", _P),
        ("block_rows", _P),
        ("blocks", _I64),
        ("dac_bits", _I32),
        ("radix", _I32),
        ("rows_per_lookup", _I32),
        ("streams", _I32),
        ("stream_place", _P),
        ("tables", _P),
        *((name, _I64) for name in ("lookups", "column_stride", "cols", "slices", "chunk_lookups")),
        ("slice_place", _P),
        ("level", _F),
        ("selected", _P),
        ("one_pass", _I32),
        ("error_only", _I32),
        *((name, _F) for name in ("step", "inverse_step", "code_low", "code_high")),
        ("curve", _P),
        ("read_sigma", _P),
        ("noise", _F),
        ("bank", _P),
        ("seed", ctypes.c_uint64),
        ("y", _P),
        ("scale", _P),
        ("bias", _P),
        ("accumulate", _I32),
    )


def available() -> bool:
    """Whether the compiled kernel can be used here and now."""
    return os.environ.get("NAXBO_COMPILED", "1") != "0" and _library() is not None


def table_entries() -> int:
    """Sums per lookup table: as many as the instruction that reads them can choose from. Needs :func:`available`."""
    return ctypes.c_int32.in_dll(_loaded(), "naxbo_table_entries").value


def run(problem: Problem) -> None:
    """Run the kernel. The GIL is released meanwhile.

    Raises:
        EvaluationError: The kernel could not allocate its working memory.
    """
    if _loaded().naxbo_crossbar(ctypes.byref(problem)):
        raise EvaluationError("the crossbar kernel found no memory", "Read fewer images at once.")


def _loaded() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise EvaluationError("the crossbar kernel cannot be built here", "Ask compiled.available() first.")
    return library


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    instructions = _instructions()
    if compiler is None or instructions is None:
        return None
    try:
        library = ctypes.CDLL(str(_built(compiler, instructions)))
    except (OSError, subprocess.SubprocessError):
        return None  # the eager path needs nothing of this
    library.naxbo_crossbar.argtypes = [ctypes.POINTER(Problem)]
    library.naxbo_crossbar.restype = ctypes.c_int
    return library


def _instructions() -> tuple[str, ...] | None:
    """The best instruction set of this machine that the kernel is written for."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return None
    line = next((x for x in flags.splitlines() if x.startswith("flags")), "")
    present = set(line.split())
    return next((names for names in _INSTRUCTION_SETS if present.issuperset(names)), None)


def _built(compiler: str, instructions: tuple[str, ...]) -> Path:
    flags = (*_FLAGS, *(f"-m{name}" for name in instructions))
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join(flags).encode()).hexdigest()[:16]
    folder = _cache() / "kernels"
    target = folder / f"crossbar-{digest}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / target.name
            command = [compiler, *flags, "-o", str(made), str(_SOURCE), "-lm"]
            subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS)
            made.replace(target)  # atomic: several processes may build at once
    return target


def _cache() -> Path:
    if own := os.environ.get("NAXBO_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "naxbo"
