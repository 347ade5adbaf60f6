"""Rows of a study's tables straight from the pages of its file, for when SQLite cannot find its way to them.

A file that is damaged, or that was copied in the middle of a commit without its journal, may hold sound leaves that
nothing points to any more. They are found by looking at every page (https://www.sqlite.org/fileformat.html, sections
1.6 and 2.1): a leaf of a table begins with 13 and lists its cells; a cell holds the size of its record, the number of
its row, and the record, the end of which may lie in a chain of other pages. Which table a row is of is told by how
many columns it has. What makes no sense is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

Row = tuple[Any, ...]

COLUMNS = {"meta": 2, "specs": 4, "trials": 5, "evaluations": 11}
"""Columns of each table; all but ``meta`` are numbered by their first, which the file leaves out of the record."""

_LEAF, _POINTER, _HEADER = 13, 2, 8
_SMALLEST = 6
"""Bytes that a cell and its pointer take at least."""
_STATES = ("queued", "running", "failed", "done")
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def rows_of(content: bytes, table: str) -> list[Row]:
    """All rows of a table that lie whole in the pages of a file, in the order of their numbers.

    Pages that are out of use may hold earlier states of a row: of several, the one furthest on is taken.
    """
    found: dict[int, Row] = {}
    for number, row in _cells(content):
        if len(row) != COLUMNS[table] or (table != "meta" and row[0] is not None):
            continue
        whole = row if table == "meta" else (number, *row[1:])
        if number not in found or _further(table, whole, found[number]):
            found[number] = whole
    return [found[number] for number in sorted(found)]


def _further(table: str, row: Row, than: Row) -> bool:
    if table != "evaluations":
        return False
    state, other = (_STATES.index(r[4]) if r[4] in _STATES else -1 for r in (row, than))
    return state > other


def _cells(content: bytes) -> Iterator[tuple[int, Row]]:
    """Number and columns of every record in a leaf of a table, but for those of the first page: the schema's."""
    if len(content) < 100:
        return
    page = int.from_bytes(content[16:18], "big")
    page = 65536 if page == 1 else page
    if page < 512:
        return
    usable = page - content[20]
    for start in range(page, len(content), page):
        if content[start] != _LEAF:
            continue
        count = min(int.from_bytes(content[start + 3 : start + 5], "big"), page // _SMALLEST)
        for i in range(count):
            place = start + _HEADER + _POINTER * i
            offset = int.from_bytes(content[place : place + _POINTER], "big")
            try:
                yield _cell(content, start + offset, page, usable)
            except (IndexError, ValueError, struct.error):
                continue


def _cell(content: bytes, at: int, page: int, usable: int) -> tuple[int, Row]:
    size, at = _varint(content, at)
    number, at = _varint(content, at)
    if size > len(content):
        raise ValueError("longer than the file")
    most = usable - 35
    least = (usable - 12) * 32 // 255 - 23
    local = size
    if size > most:
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
    record = bytearray(content[at : at + local])
    following = int.from_bytes(content[at + local : at + local + 4], "big") if local < size else 0
    while len(record) < size:
        start = (following - 1) * page
        if following < 2 or start + page > len(content):
            raise ValueError("its end is missing")
        record += content[start + 4 : start + min(usable, 4 + size - len(record))]
        following = int.from_bytes(content[start : start + 4], "big")
    return number, _record(bytes(record))


def _record(record: bytes) -> Row:
    end, at = _varint(record, 0)
    kinds = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    if at != end:
        raise ValueError("its header is not as long as it says")
    row: list[Any] = []
    for kind in kinds:
        value, at = _value(record, at, kind)
        row.append(value)
    if at != len(record):
        raise ValueError("it is not as long as its columns")
    return tuple(row)


def _value(record: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in _INTEGERS:
        end = at + _INTEGERS[kind]
        return int.from_bytes(record[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack(">d", record[at : at + 8])[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind < 12:
        raise ValueError("no such kind of value")
    end = at + (kind - 12) // 2
    return (record[at:end].decode() if kind % 2 else record[at:end]), end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends; row numbers of studies are never negative."""
    value = 0
    for i in range(8):
        byte = content[at + i]
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at + i + 1
    return value << 8 | content[at + 8], at + 9
