"""Help of commands with many options: in groups, each under what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand
from typing_extensions import override


def grouped(groups: Mapping[str, Sequence[str]]) -> type[TyperCommand]:
    """A command whose help lists options by group, in the order given; options of no group come last.

    Args:
        groups: Options (``--budget``) by heading.
    """

    class Grouped(TyperCommand):
        @override
        def format_options(self, ctx: Any, formatter: Any) -> None:
            left = {}
            for parameter in self.get_params(ctx):
                if (record := parameter.get_help_record(ctx)) is not None:
                    left[parameter.opts[0]] = record
            for heading, names in groups.items():
                with formatter.section(heading):
                    formatter.write_dl([left.pop(name) for name in names])
            with formatter.section("Other options"):
                formatter.write_dl(list(left.values()))

    return Grouped
