"""Builds and loads ``kernel.c``, the optional accelerator of the exact and adaptive modes.

The kernel is compiled once with the machine's C compiler into the user's cache (:func:`nax_bo.cache.cache_folder`), for
AVX-512 or else for AVX2. Without a compiler, without AVX2, or with ``NAXBO_COMPILED=0`` the eager torch path computes
the same (:mod:`.exact`), more slowly; what the kernel cannot read at all is said once. ``naxbo doctor`` says which path
runs.

A library is loaded only from a folder and a file that nobody else can have written to, and only if its content is what
was built: its name holds the checksum. A damaged one is built again; a cache of other people's is passed over for a
private folder.
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

from nax_bo.cache import cache_folder, is_private, private_folder
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


def reading_path() -> str:
    """What reads crossbars here, in words: the kernel with its instruction set and file, or torch and why."""
    if os.environ.get("NAXBO_COMPILED", "1") == "0":
        return "torch: NAXBO_COMPILED=0"
    _, words = _found()
    return words


def _library() -> ctypes.CDLL | None:
    return _found()[0]


@lru_cache(maxsize=1)
def _found() -> tuple[ctypes.CDLL | None, str]:
    """The library, and what to say of it; None where the eager path serves, which needs nothing of this."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    instructions = _instructions()
    if instructions is None:
        return None, "torch: this processor has no AVX2"
    flags = (*_FLAGS, *(f"-m{name}" for name in instructions))
    why = "there is no C compiler"
    for folder in dict.fromkeys((cache_folder() / "kernels", private_folder() / "kernels")):
        try:
            library = ctypes.CDLL(str(path := _built(folder, compiler, flags)))
        except (OSError, subprocess.SubprocessError) as ex:
            why = str(ex)
            continue
        library.naxbo_crossbar.argtypes = [ctypes.POINTER(Problem)]
        library.naxbo_crossbar.restype = ctypes.c_int
        return library, f"compiled kernel ({instructions[0].removesuffix('f').upper()}), {path}"
    return None, f"torch: the kernel cannot be built ({why})"


def _instructions() -> tuple[str, ...] | None:
    """The best instruction set of this machine that the kernel is written for."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return None
    line = next((x for x in flags.splitlines() if x.startswith("flags")), "")
    present = set(line.split())
    return next((names for names in _INSTRUCTION_SETS if present.issuperset(names)), None)


def _built(folder: Path, compiler: str | None, flags: tuple[str, ...]) -> Path:
    """The library in ``folder``, built if it is not there or damaged.

    Raises:
        OSError: The folder cannot be used or is not only ours, or there is no compiler.
        SubprocessError: The compiler fails.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not is_private(folder):
        raise PermissionError(f"{folder} can be written by others")
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join(flags).encode()).hexdigest()[:16]
    for made in sorted(folder.glob(f"crossbar-{digest}-*.so")):
        if is_private(made) and made.name == _name(digest, made):
            return made
        made.unlink()
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "crossbar.so"
        command = [compiler, *flags, "-o", str(made), str(_SOURCE), "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS)
        made.chmod(0o700)
        return made.replace(folder / _name(digest, made))  # atomic: several processes may build at once


def _name(digest: str, library: Path) -> str:
    """File name of a library for a source and flags: it holds the checksum of the content."""
    return f"crossbar-{digest}-{hashlib.sha256(library.read_bytes()).hexdigest()[:32]}.so"
