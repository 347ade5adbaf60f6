"""The manual's reference, written from the code: nothing in it is kept by hand, so nothing in it can be out of date."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGES = (
    "nax_bo.study", "nax_bo.space", "nax_bo.search", "nax_bo.surrogate", "nax_bo.network", "nax_bo.hardware",
    "nax_bo.whatif", "nax_bo.systems", "nax_bo.crossbar",
)  # fmt: skip
"""Whose ``__all__`` is the Python API."""

SHAPE, CLASSES = (3, 32, 32), 10
"""Images for which spaces are listed: those of CIFAR-10."""


def write_pages(folder: Path) -> None:
    """Write all reference pages into ``folder``; pages that have not changed are left alone."""
    folder.mkdir(exist_ok=True)
    pages = {
        "cli": cli(), "settings": settings(), "outcomes": outcomes(), "spaces": spaces(), "devices": devices(),
        "profiles": profiles(), "exit-codes": exit_codes(), "python": python_api(),
    }  # fmt: skip
    pages["index"] = (
        "# Reference\n\nWritten from the code at every build.\n\n```{toctree}\n"
        + "\n".join(pages)
        + "\n```\n"
    )
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def cli() -> str:
    """Every command with its help, as the terminal shows it."""
    import typer.main
    from nax_cli.main import app

    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "`--json` prints one JSON document on stdout; progress and remarks go to stderr.",
        "",
    ]
    for name, command in _commands(root, "naxbo"):
        context = command.make_context(name, [], resilient_parsing=True, max_content_width=100)
        lines += [f"## {name}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _commands(command: Any, name: str) -> Iterable[tuple[str, Any]]:
    yield name, command
    for own, child in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(child, f"{name} {own}")


def settings() -> str:
    """Settings of a study, conditions of a chip, and what a chip is made of."""
    from nax_bo.accuracy.fidelity import FULL
    from nax_bo.accuracy.recipes import PRESETS
    from nax_bo.hardware.chip import ArraySpec, ChipSpec, Conditions
    from nax_bo.study.config import FREE_TO_CHANGE, StudyConfig, config_toml

    presets = ", ".join(f"`{name}`" for name in PRESETS)
    free = ", ".join(f"`{name}`" for name in FREE_TO_CHANGE)
    return "\n".join(
        [
            "# Settings", "",
            "The settings file of a study, with every default (`naxbo init` writes it):", "",
            "```toml", config_toml(StudyConfig()).rstrip(), "```", "",
            f"When a study goes on, these may differ: {free}. All others decide what stored results mean.", "",
            "## Conditions", "", "How chips are read: `[conditions]` of that file.", "", *_attributes(Conditions),
            "## Chips", "",
            "`naxbo what-if --set NAME=VALUE`, `naxbo evaluate --weights FILE --set NAME=VALUE`, and in Python "
            "`nax_bo.hardware.ChipSpec`.", "", *_attributes(ChipSpec),
            "## Arrays", "",
            "Of all layers, or of one: `layer3.adc_bits=6`. `crossbar` sets rows and columns at once, "
            "`column_sharing` is `mux`, `node` is `technology_nm`.", "", *_attributes(ArraySpec),
            "## Recipes", "",
            f"`--recipe NAME,key=value,...`. Names: `auto`, {presets}. The defaults are those of a full training "
            "on small images.", "", *_attributes(FULL.recipe),
        ]
    )  # fmt: skip


def _attributes(given: Any) -> list[str]:
    """Fields of a dataclass, or of a value of it, with default and what the docstring's ``Attributes`` says of them."""
    made = given() if isinstance(given, type) else given
    told = _told(inspect.getdoc(type(made)) or "")
    rows = []
    for field in fields(made):
        default = getattr(made, field.name)
        shown = (
            "one entry"
            if is_dataclass(default) or (isinstance(default, tuple) and default)
            else repr(default)
        )
        rows.append((f"`{field.name}`", f"`{shown}`", told.get(field.name, "")))
    return _table(("name", "default", "what"), rows)


def _told(doc: str) -> dict[str, str]:
    """``name: text`` of the section ``Attributes`` of a docstring; ``a, b: text`` tells of both."""
    _, _, section = doc.partition("Attributes:\n")
    section = section.split("\n\n")[0]
    entries = re.split(r"\n(?= {4}\w)", "\n" + section)
    found: dict[str, str] = {}
    for entry in entries:
        names, colon, text = " ".join(entry.split()).partition(": ")
        if colon:
            found |= {name.strip(): _plain(text) for name in names.split(",")}
    return found


def outcomes() -> str:
    """What can be an objective, a limit, a column."""
    from nax_bo.outcomes import OUTCOMES

    rows = [
        (
            f"`{o.name}`",
            f"`{o.short}`",
            o.label,
            o.unit or "-",
            o.source,
            "less" if o.best == "min" else "more",
            o.scale,
        )
        for o in OUTCOMES.values()
    ]
    head = ("name", "short", "what", "unit", "source", "better", "scale")
    return "\n".join(
        [
            "# Outcomes", "",
            "For `--objective`, `--max`, `--min`, `--sort`. *Measured* ones take a training and are learned; *priced* "
            "ones follow from formulas and are known for every candidate. The scale is the one in which an outcome is "
            "modelled; hypervolume counts costs in it, and accuracies as they are.", "",
            *_table(head, rows),
        ]
    )  # fmt: skip


def spaces() -> str:
    """Variables of every built-in space."""
    from nax_bo.systems import load_system, system_names

    lines = ["# Spaces", "", f"For images of {SHAPE[0]} x {SHAPE[1]} x {SHAPE[2]}; smaller ones allow fewer layers "
             "(`naxbo spaces NAME --shape 1x10x10`).", ""]  # fmt: skip
    for name, summary in system_names().items():
        system = load_system(name, SHAPE, CLASSES)
        rows = [
            (
                f"`{v.name}`",
                " ".join(map(str, v.values)) if len(v.values) <= 12 else f"{v.values[0]} ... {v.values[-1]}",
                "cost alone" if v.affects == "cost" else "both",
                " and ".join(f"{c.variable} in {list(c.values)}" for c in v.active_when),
            )
            for v in system.space.variables
        ]
        lines += [f"## {name}", "", f"{summary}. {system.space.size:.3g} designs.", ""]
        lines += _table(("variable", "values", "affects", "only when"), rows)
    return "\n".join(lines)


def devices() -> str:
    """Memory devices with their sources."""
    from nax_bo.hardware.chip.devices import DEVICES

    rows = [
        (
            f"`{name}`",
            d.kind,
            f"{d.r_on_ohm:.3g}",
            f"{d.on_off_ratio:.3g}",
            d.bits_per_cell,
            "-" if d.read_pulse_ns is None else f"{d.read_pulse_ns:.3g}",
            "yes" if d.characterised else "no data",
            d.source,
        )
        for name, d in DEVICES.items()
    ]
    head = ("name", "kind", "R on (ohm)", "on/off", "bits", "read (ns)", "noise", "source")
    return "\n".join(
        ["# Devices", "", "`naxbo devices NAME` shows every number, what of it is assumed, and what other sources say. "
         "Devices without noise data are not offered to a search unless they are named (`--choose device=...`).", "",
         *_table(head, rows)]
    )  # fmt: skip


def profiles() -> str:
    """Constants of the shipped cost profiles, and the other cost models."""
    from nax_bo.hardware.profiles import SHIPPED, load_profile
    from nax_bo.hardware.protocol import cost_model_names

    others = [name for name in cost_model_names() if name not in SHIPPED]
    lines = ["# Cost models", "", "`--cost-model NAME`. Profiles are sets of constants for one analytical model: "
             f"{', '.join(f'`{n}`' for n in SHIPPED)}. Others are re-implementations of simulators: "
             f"{', '.join(f'`{n}`' for n in others)}.", ""]  # fmt: skip
    for name in SHIPPED:
        profile = load_profile(name)
        rows = [
            (
                f"`{key}`",
                f"{c.value:.4g}",
                c.unit or "-",
                "-" if c.at_nm is None else f"{c.at_nm:g} nm",
                c.source,
            )
            for key, c in profile.constants.items()
        ]
        lines += [f"## {name}", "", f"{profile.summary}. Converters: law `{profile.adc_model}`.", ""]
        lines += _table(("constant", "value", "unit", "at", "source"), rows)
    return "\n".join(lines)


def exit_codes() -> str:
    """Codes that commands leave with."""
    from nax_bo import errors

    kinds = [e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, errors.NaxboError)]
    rows = [
        (f"`{e.exit_code}`", f"`{e.__name__}`", (inspect.getdoc(e) or "").split("\n")[0]) for e in kinds[1:]
    ]
    rows = [("`0`", "", "Done."), ("`1`", "", "An unexpected failure; `doctor`: something is not ready."), *rows,
            ("`130`", "", "Interrupted; a study keeps everything that had finished.")]  # fmt: skip
    return "\n".join(
        ["# Exit codes", "", "Errors are two lines on stderr: what went wrong and where, and a hint of what to do.", "",
         *_table(("code", "in Python", "what"), rows)]
    )  # fmt: skip


def python_api() -> str:
    """What packages export."""
    lines = ["# Python", "", "What each package exports; everything else may change without notice.", ""]
    for package in PACKAGES:
        module = import_module(package)
        lines += [
            f"## {package}",
            "",
            _plain((inspect.getdoc(module) or "").split("\n\n")[0].removesuffix("::")),
            "",
        ]
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isclass(found) or inspect.isfunction(found):
                lines += _entry(found, name)
            else:
                lines += [
                    f"### {name}",
                    "",
                    f"`{found!r}`" if len(repr(found)) < 200 else "A type alias.",
                    "",
                ]
    return "\n".join(lines)


def _entry(found: Any, name: str) -> list[str]:
    lines = [
        f"### {name}",
        "",
        "```text",
        _signature(found, name),
        "",
        inspect.getdoc(found) or "",
        "```",
        "",
    ]
    if inspect.isclass(found):
        for own, member in vars(found).items():
            function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            doc = inspect.getdoc(function)
            if (
                own.startswith("_")
                or doc is None
                or not (inspect.isfunction(function) or isinstance(member, property))
            ):
                continue
            head = f".{own}" if isinstance(member, property) else _signature(function, f".{own}")
            lines += ["```text", head, "", doc, "```", ""]
    return lines


def _signature(found: Any, name: str) -> str:
    try:
        text = str(inspect.signature(found))
    except (TypeError, ValueError):
        return name
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations are kept as text
    return name + re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>|<factory>", "...", text)


def _plain(text: str) -> str:
    """ReStructuredText roles and literals as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    cells = [
        [str(c).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for c in row] for row in rows
    ]
    lines = [head, ["---"] * len(head), *cells]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]
