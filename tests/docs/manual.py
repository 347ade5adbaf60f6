"""Reads the code of the manual's pages and runs it, page by page, in the order in which it stands there.

A page is Markdown. Its fenced blocks mean: ``console``: lines that begin with ``$`` are commands, others are output;
``python``: run in one process per page; ``text`` and others: not code. A comment on the line before a block says more:
``<!-- file: NAME -->`` (its content is that file), ``<!-- prepare -->`` (what the page's reader has already),
``<!-- not run: REASON -->``, ``<!-- needs: MODULE -->``. Pages that begin with ``<!-- manual: long -->`` take longer
than CI has time for: ``pytest -m long``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
CODE = ("console", "python", "toml")


@dataclass(frozen=True)
class Block:
    """A piece of code: its language, its text, the line it begins on, what the comment before it says."""

    kind: str
    text: str
    line: int
    note: str

    @property
    def commands(self) -> list[str]:
        """Commands of a ``console`` block, continuation lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[Block]:
    """All pieces of code of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["kind"], m["text"], text[: m.start("text")].count("\n") + 1, m["note"] or "")
        for m in _BLOCK.finditer(text)
        if m["kind"] in CODE
    ]


def is_long(page: Path) -> bool:
    """Whether running a page takes a minute."""
    return page.read_text(encoding="utf-8").startswith("<!-- manual: long -->")
