"""Kept weights measured again under settings given as text: the same chips, later, noisier, or other ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from nax_bo.errors import InputError
from nax_bo.hardware.chip import ChipSpec, Conditions
from nax_bo.network import NetworkSpec
from nax_bo.whatif import Setting, apply_settings, setting_names

_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_CONDITIONS = {f.name: f.default for f in fields(Conditions)}


def measure_weights(
    path: Path,
    changes: Sequence[str] = (),
    *,
    data: str | None = None,
    chips: int | None = None,
    seed: int | None = None,
    training: int | None = None,
) -> dict[str, Any]:
    """Measure the networks of a weights file, without training (:func:`nax_bo.accuracy.remeasure.remeasure`).

    Args:
        path: Written by ``naxbo export --form weights``, or kept by a study.
        changes: ``name=value``: conditions (:class:`~nax_bo.hardware.chip.Conditions`) and hardware settings
            (:mod:`nax_bo.whatif.settings`).
        data: Where the images lie, if not where they lay when it was trained.
        chips: Programmed chips to read.
        seed: Of the chips.
        training: Only one of the trainings.

    Returns:
        ``accuracy`` (see ``AccuracyReport.to_dict``) and ``kept_accuracy``, that of the file; ``changed``, the changes;
        ``calibrated_anew``, ``same`` (see :class:`~nax_bo.accuracy.remeasure.Remeasured`); ``data``, ``same_data``.

    Raises:
        InputError, DataError: The file, a change or the data cannot be used.
    """
    import torch

    from nax_bo.accuracy.data import parse_data
    from nax_bo.accuracy.kept import read_kept
    from nax_bo.accuracy.remeasure import remeasure

    torch.set_num_threads(1)  # as the study's workers: sums keep their order
    kept = read_kept(path)
    if training is not None:
        kept = kept.only(training)
    chip, conditions = changed(kept.network, kept.chip, kept.conditions, changes)
    images = parse_data(data or kept.data.spec).load()
    same_data = images.fingerprint == kept.data.fingerprint
    if not same_data and data is None:
        raise InputError(
            f"{kept.data.spec} holds other images than those that {path} was measured on",
            "Restore them, or name data with --data to measure on others.",
        )
    found = remeasure(kept, images, chip=chip, conditions=conditions, chips=chips, seed=seed)
    return {
        "weights": str(path),
        "data": data or kept.data.spec,
        "same_data": same_data,
        "changed": list(changes),
        "calibrated_anew": found.calibrated_anew,
        "same": found.same,
        "conditions": asdict(conditions),
        "accuracy": found.accuracy.to_dict(),
        "kept_accuracy": {k: v for k, v in kept.accuracy.to_dict().items() if k != "seconds"},
    }


def changed(
    network: NetworkSpec, chip: ChipSpec, conditions: Conditions, changes: Sequence[str]
) -> tuple[ChipSpec, Conditions]:
    """Chip and conditions with changes given as ``name=value``; raises InputError for what is neither."""
    others = [text for text in changes if _name(text) in _CONDITIONS]
    values: dict[str, Any] = {_name(text): _condition(text) for text in others}
    settings = [_setting(text) for text in changes if text not in others]
    return apply_settings(network, chip, settings), replace(conditions, **values)


def _name(text: str) -> str:
    return text.partition("=")[0].strip()


def _condition(text: str) -> bool | float:
    name, value = _name(text), text.partition("=")[2].strip().lower()
    if isinstance(_CONDITIONS[name], bool):
        if value not in _SWITCHES:
            raise InputError(f"{text!r} switches nothing", f"Write {name}=true or {name}=false.")
        return _SWITCHES[value]
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{text!r} is no number", f"Write {name}=NUMBER, for example {name}=1.") from None


def _setting(text: str) -> Setting:
    name = _name(text).rpartition(".")[2]
    if name and name not in setting_names():
        known = (*_CONDITIONS, *setting_names())
        near = difflib.get_close_matches(name, known, n=3)
        raise InputError(
            f"there is no condition or hardware setting {name!r}",
            f"Did you mean {' or '.join(near)}?" if near else f"Conditions are: {', '.join(_CONDITIONS)}.",
        )
    return Setting.parse(text)
