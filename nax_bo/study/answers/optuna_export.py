"""A study as an Optuna study, so that optuna-dashboard and Optuna's plots open it.

Needs ``pip install naxbo[optuna]``. One Optuna trial per design, with the design's number as an attribute: choices are
its parameters, the study's objectives its values, all other outcomes user attributes. Designs that failed are failed
trials. Those that were only trained shortly have values too, and say so in ``fidelity``: compare full with full.

Not exported: what lies only in the study's file, such as cost breakdowns and draws of single chips.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nax_bo.errors import InputError
from nax_bo.study.file.trial import Trial
from nax_bo.study.study import Study

try:
    import optuna
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import TrialState, create_trial
except ImportError as ex:
    raise InputError("Optuna is not installed", 'Install it with: pip install "naxbo[optuna]"') from ex


def export_optuna(study: Study, path: Path, name: str = "naxbo") -> int:
    """Write all designs of a study that were trained, or failed, into a new SQLite storage; returns how many.

    Args:
        study: The study.
        path: The storage's file, which must not exist: ``optuna-dashboard sqlite:///PATH`` opens it.
        name: Of the Optuna study.

    Raises:
        InputError: The file exists or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} exists", "Choose another file with --out.")
    if not path.parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", "Create it, or choose another place with --out."
        )
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{draft}")
    try:
        count = _fill(study, storage, name)
    finally:
        storage.remove_session()
        storage.engine.dispose()
    draft.replace(path)
    return count


def _fill(study: Study, storage: Any, name: str) -> int:
    objectives = [o for o in study.config.outcomes if o.name in study.config.objectives]
    directions = ["maximize" if o.sign < 0 else "minimize" for o in objectives]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        made = optuna.create_study(storage=storage, study_name=name, directions=directions)
    finally:
        optuna.logging.set_verbosity(verbosity)
    made.set_user_attr("values", [o.name for o in objectives])
    for key, value in (("study", study.store.path.name), ("data", study.config.data)):
        made.set_user_attr(key, value)
    front = {t.number for t in study.front()}
    trials = [made_of for t in study.trials() if (made_of := _trial(study, t, objectives, t.number in front))]
    made.add_trials(trials)
    return len(trials)


def _trial(study: Study, trial: Trial, objectives: Any, on_front: bool) -> Any:
    """An Optuna trial; None for a design that is still under way."""
    evaluation = trial.best
    if evaluation is None and not trial.failed:
        return None
    space = study.store.space
    params = dict(trial.design)
    attributes: dict[str, Any] = {"number": trial.number, "on_front": on_front}
    failed = [e.message for e in trial.evaluations if e.state == "failed"]
    if evaluation is None:
        attributes["failure"] = failed[-1]
        values = None
    else:
        row = study.values(trial, evaluation.fidelity)
        values = [float(row[o.name]) for o in objectives]
        attributes |= {"fidelity": evaluation.fidelity, **{k: float(v) for k, v in row.items()}}
    return create_trial(
        state=TrialState.FAIL if values is None else TrialState.COMPLETE,
        values=values,
        params=params,
        distributions={n: CategoricalDistribution(list(space[n].values)) for n in params},
        user_attrs=attributes,
    )
