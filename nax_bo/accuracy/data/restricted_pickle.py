"""Read a pickle of plain containers and numpy arrays without running anything that it asks for.

A pickle is a program; the standard reader runs it with every importable function at hand. Here a file may
name five things only, and each name stands for a small recipe of ours, never for the real function: not even
numpy's own reconstruction code runs on the file's data (its ``__setstate__`` trusts flags that a hostile file
can forge). Instructions that have no place in plain data are refused before the first one is executed.
Background: Python documentation, `pickle`, "Restricting globals".
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import TYPE_CHECKING, Literal

import numpy as np
from typing_extensions import override

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REFUSED_OPCODES = frozenset(
    ["PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "NEXT_BUFFER"]
)
_MEMO_OPCODES = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_TYPES = {
    "u1": np.uint8,
    "uint8": np.uint8,
    "i4": np.int32,
    "int32": np.int32,
    "i8": np.int64,
    "int64": np.int64,
}

_ORDERS: dict[object, Literal["=", "<", ">"]] = {"|": "=", "=": "=", "<": "<", ">": ">"}


class RefusedPickle(ValueError):
    """The pickle asks for something other than plain containers and numpy arrays of integers."""


class _DType:
    """Stands for ``numpy.dtype``: the type's name and byte order, nothing else."""

    __slots__ = ("order", "scalar")

    def __init__(self, name: object, _align: object = False, _copy: object = True) -> None:
        text = name.decode("latin1") if isinstance(name, bytes) else name
        if not isinstance(text, str) or text not in _TYPES:
            raise RefusedPickle(f"an array of type {text!r}; only {', '.join(sorted(_TYPES))} are read")
        self.scalar = _TYPES[text]
        self.order: Literal["=", "<", ">"] = "="

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        text = order.decode("latin1") if isinstance(order, bytes) else order
        if text not in _ORDERS:
            raise RefusedPickle(f"a dtype with byte order {order!r}")
        self.order = _ORDERS[text]


class _Array:
    """Stands for an array under reconstruction: its state is kept and read by `_to_array` afterwards."""

    __slots__ = ("content",)

    def __init__(self, *_ignored: object) -> None:
        self.content: tuple[object, object, object, object] | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise RefusedPickle("an array whose state is not (version, shape, dtype, order, bytes)")
        _, shape, dtype, fortran, data = state
        self.content = (shape, dtype, fortran, data)


class _FlatArray(_Array):
    """Stands for ``_frombuffer(buffer, dtype, shape, order)``, as numpy writes arrays under protocol 5."""

    __slots__ = ()

    def __init__(self, data: object, dtype: object, shape: object, order: object) -> None:
        self.content = (shape, dtype, order == "F", data)


class _Latin1:
    """Stands for ``_codecs.encode(text, 'latin1')``, as Python 3 writes bytes under protocol 2."""

    def __new__(cls, text: object, encoding: object) -> bytes:  # type: ignore[misc]
        if not isinstance(text, str) or encoding != "latin1":
            raise RefusedPickle(f"text encoded as {encoding!r}")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        raise RefusedPickle("state for a text")


_NDARRAY = "<ndarray>"  # ``numpy.ndarray`` occurs only as an argument that `_Array` ignores
_STAND_INS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _Latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FlatArray for core in ("core", "_core")},
}


class _Reader(pickle.Unpickler):
    @override
    def find_class(self, module_name: str, global_name: str) -> object:
        try:
            return _STAND_INS[module_name, global_name]
        except KeyError:
            raise RefusedPickle(f"the name {module_name}.{global_name}") from None


def read_plain_dictionary(raw: bytes) -> dict[object, object]:
    """The dictionary in ``raw``: its values are plain containers, texts, numbers or numpy arrays of integers.

    Python 2 strings come back as bytes. Arrays are rebuilt where they are values of the dictionary itself.
    Raises RefusedPickle, with the reason, for everything else: other names, other array types, damaged or
    cut-off data.
    """
    try:
        _check_instructions(raw)
        found = _Reader(io.BytesIO(raw), encoding="bytes").load()
        if not isinstance(found, dict):
            raise RefusedPickle(f"a {type(found).__name__} where a dictionary belongs")
        return {key: _plain(item) for key, item in found.items()}
    except RefusedPickle:
        raise
    except Exception as error:  # the reader raises nearly every kind on damaged input; none may escape
        raise RefusedPickle(f"damaged data ({type(error).__name__}: {error})") from error


def _check_instructions(raw: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(raw):
        if opcode.name in _REFUSED_OPCODES:
            raise RefusedPickle(f"the instruction {opcode.name}")
        # The C reader allocates its memo up to the index named, so a huge index is a memory bomb.
        if opcode.name in _MEMO_OPCODES and isinstance(argument, int) and not 0 <= argument <= len(raw):
            raise RefusedPickle(f"the memo index {argument}")


def _plain(item: object) -> object:
    if isinstance(item, _Array):
        return _to_array(item)
    if item is None or isinstance(item, str | bytes | bytearray | int | float | list | tuple | dict):
        return item
    raise RefusedPickle(f"an object of type {type(item).__name__}")


def _to_array(recipe: _Array) -> NDArray[np.generic]:
    if recipe.content is None:
        raise RefusedPickle("an array without content")
    shape, dtype, fortran, data = recipe.content
    if not isinstance(dtype, _DType) or not isinstance(data, bytes | bytearray):
        raise RefusedPickle("an array without plain bytes")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise RefusedPickle(f"an array of shape {shape!r}")
    flat = np.frombuffer(data, dtype=np.dtype(dtype.scalar).newbyteorder(dtype.order))
    return flat.reshape(shape, order="F" if fortran else "C")
