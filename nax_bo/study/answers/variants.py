"""What if a study's design were changed: its exact cost, and the accuracy that the study's trainings predict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nax_bo.errors import InputError, StoreError
from nax_bo.hardware import ChipSpec, CostReport
from nax_bo.network import NetworkSpec
from nax_bo.space import Design, Space
from nax_bo.study.answers.prediction import Prediction, fit_accuracy
from nax_bo.study.answers.single import changed_design
from nax_bo.study.sources import same
from nax_bo.study.study import Study
from nax_bo.whatif import Setting, apply_settings, implied, setting_names


@dataclass(frozen=True)
class Variant:
    """A changed design.

    Attributes:
        name: The changes, ``"base"`` for none.
        design: The design; None where a change lies outside the study's space.
        network, chip: What was priced.
        cost: By the study's cost model.
        prediction: Predicted accuracy; None where the study cannot tell, see ``note``.
        note: Why there is no prediction, else empty.
    """

    name: str
    design: Design | None
    network: NetworkSpec
    chip: ChipSpec
    cost: CostReport
    prediction: Prediction | None
    note: str


def vary(study: Study, number: int, changes: Sequence[Sequence[str]]) -> tuple[Variant, ...]:
    """Price a design of the study with changed choices, and predict their accuracy.

    A change is ``name=value``. A variable of the study's space (``width_2=16``) is changed there; ``crossbar=64`` sets
    ``crossbar_1``, ``crossbar_2``, ... of the changed design at once, but for those that are named as well, and
    ``layer3.crossbar=64`` is ``crossbar_3``. Anything else, or a value that the space does not offer, is a hardware
    setting as in :mod:`nax_bo.whatif.settings`: it is priced, but no accuracy is predicted, since the study has seen
    nothing like it.

    Args:
        study: The study.
        number: The design to start from.
        changes: One entry per variant, each a list of changes; an empty list is the design as it is.

    Raises:
        InputError: There is no such design, a change cannot be read or does not fit.
        SurrogateError: The study's surrogate cannot be fitted.
    """
    base = study.trial(number).design
    variants = [_variant(study, base, texts) for texts in changes]
    if any(v.design is None or v.design != base for v in variants):
        _check_live(study, number)
    inside = [v.design for v in variants if v.design is not None]
    try:
        predictions = iter(fit_accuracy(study).predict(inside) if inside else [])
    except InputError as ex:  # too few trainings to predict from
        return tuple(replace(v, note=v.note or ex.message) for v in variants)
    return tuple(v if v.design is None else replace(v, prediction=next(predictions)) for v in variants)


def _variant(study: Study, base: Design, texts: Sequence[str]) -> Variant:
    space = study.store.space
    names = {v.name for v in space.variables}
    exact = {text: _choices(space, base, text) for text in texts if _name(text) in names}
    over = changed_design(space, base, _merged(exact))  # a new depth has another number of layers
    groups = {text: _choices(space, over, text) for text in texts if text not in exact}
    design = changed_design(space, base, {**_merged(groups), **_merged(exact)})
    priced = [Setting.parse(text) for text in texts if {**exact, **groups}[text] is None]
    held = next((t for t in study.trials() if t.design == design), None)
    network, chip = study.network_and_chip(held) if held else study.study_problem.system.decode(design)
    shown = [s.label for s in (*priced, *implied(chip, priced))]
    chip = apply_settings(network, chip, priced)
    cost = study.cost_report(held) if held and not priced else _priced(study, network, chip)
    note = f"the study never varied {', '.join(shown)}" if shown else ""
    return Variant(
        " ".join(texts) or "base",
        None if priced else design,
        network,
        chip,
        cost,
        None,
        note,
    )


def _priced(study: Study, network: NetworkSpec, chip: ChipSpec) -> CostReport:
    return study.study_problem.cost_model.evaluate(network, chip)


def _check_live(study: Study, number: int) -> None:
    """Refuse to set changed designs beside the stored one if they would be built or priced in another way today."""
    trial = study.trial(number)
    stored = *study.network_and_chip(trial), study.cost_report(trial)
    problem = study.study_problem
    if not {"system", "network"} & set(study.refused) and problem.system.decode(trial.design) != stored[:2]:
        what = f"the design space {study.config.system}"
    elif not same(_priced(study, *stored[:2]).edap_uj_ms_mm2, stored[2].edap_uj_ms_mm2):
        what = f"the cost model {study.config.cost_model}"
    else:
        return
    raise StoreError(
        f"{what} has changed since design {number} of {study.store.path} was priced",
        "Bring the study up to date first: naxbo optimize --study FILE",
    )


def _choices(space: Space, base: Design, text: str) -> dict[str, str] | None:
    """The change as choices of the space; None if it lies outside."""
    _, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise InputError(f"{text!r} is no setting", "Write name=value, for example adc_bits=5.")
    name, names = _name(text), {v.name for v in space.variables}
    group = [n for n in base if re.fullmatch(rf"{re.escape(name)}_\d+", n)]
    wanted = [name] if name in names else group
    try:
        for variable in wanted:
            space[variable].parse(value)
    except InputError:
        if name not in setting_names():
            raise
        return None
    return dict.fromkeys(wanted, value) if wanted else None


def _merged(found: Mapping[str, Mapping[str, str] | None]) -> dict[str, str]:
    """All choices together."""
    return {name: value for choices in found.values() for name, value in (choices or {}).items()}


def _name(text: str) -> str:
    """Which variable a change names: ``layer3.crossbar`` is ``crossbar_3``."""
    name = text.partition("=")[0].strip()
    layer = re.fullmatch(r"layer(\d+)\.(\w+)", name)
    return f"{layer[2]}_{layer[1]}" if layer else name
