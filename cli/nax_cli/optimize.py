"""``naxbo optimize``: find the front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, front_table, print_json, say


def optimize(
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget", "-n", help="Designs to look at; a resumed study goes on up to this many. [200]"
        ),
    ] = None,
    study: StudyOption = "study.naxbo",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="TOML settings (naxbo init writes one).")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="digits, cifar10:PATH, tiny-imagenet:PATH or folder:PATH; of it as much as "
            ",train=5000,test=2000,size=16 say. [digits]",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="Joint space to search (naxbo spaces). [vgg]")
    ] = None,
    max_: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="COST=LIMIT",
            help="Never propose designs above a cost, e.g. area_mm2=5. Repeatable.",
        ),
    ] = None,
    min_: Annotated[
        list[str] | None,
        typer.Option(
            "--min", metavar="accuracy=A", help="Designs below this accuracy do not count for the front."
        ),
    ] = None,
    surrogate: Annotated[
        str | None,
        typer.Option("--surrogate", help="Model of accuracy: a name, module:Class or file.py:Class. [gp]"),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="naxbo, or a baseline: random, sobol, nsga2, ... [naxbo]")
    ] = None,
    learn: Annotated[
        list[str] | None,
        typer.Option(
            "--learn",
            metavar="edap",
            help="Learn EDAP too, instead of computing it for every candidate: worth it "
            "only when the cost model takes seconds.",
        ),
    ] = None,
    cost_model: Annotated[
        str | None, typer.Option("--cost-model", help="Profile, TOML file or evaluator class. [published]")
    ] = None,
    calibrate_every: Annotated[
        int | None,
        typer.Option(
            "--calibrate-every",
            help="After this many designs, the most promising one is trained in full. [10]",
        ),
    ] = None,
    accuracy_stat: Annotated[
        str | None,
        typer.Option("--accuracy-stat", help="mean over chips, or p05: what 95 % of chips exceed. [mean]"),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same designs. [0]")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", help="Trainings at once; 0: one per core. [0]")
    ] = None,
    report: Annotated[Path, typer.Option("--report", help="Folder of the report written at the end.")] = Path(
        "report"
    ),
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the Pareto front of noise-aware accuracy against EDAP.

    Creates the study, or goes on with it: the same command resumes after any interruption and loses no finished
    training. Ends with the front on stdout and a report.
    """
    from nax_bo.report.front import front_rows
    from nax_bo.study import Study
    from nax_bo.study.config import read_config
    from nax_cli.progress import ProgressLine
    from nax_cli.settings import check_folder, numbers

    given: dict[str, Any] = {
        "budget": budget,
        "data": data,
        "system": system,
        "surrogate": surrogate,
        "strategy": strategy,
        "cost_model": cost_model,
        "calibrate_every": calibrate_every,
        "accuracy_stat": accuracy_stat,
        "seed": seed,
        "workers": workers,
        "max": numbers("--max", max_) or None,
        "min_accuracy": _min_accuracy(min_),
        "learn_edap": _learn_edap(learn),
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = read_config(config, overrides) if config else overrides

    if not no_report:
        check_folder("--report", report)
    with Study(study, settings, trust=trust) as opened:
        for change in opened.changes:
            say(f"changed setting {change}")
        line = ProgressLine()
        try:
            opened.run(on_progress=line.show)
        except KeyboardInterrupt:
            line.end()
            say(f"Stopped; every finished training is kept in {study}. Go on with the same command.")
            raise typer.Exit(130) from None
        line.end()
        rows = front_rows(opened)
        images = opened.data["test_images"]
        hypervolume = opened.hypervolume()
        failure = _common_failure(opened)
        page = None if no_report else _write_report(opened, report)
    if failure is not None:
        raise failure
    _print_answer(study, rows, images, hypervolume, page, as_json)


def _common_failure(opened: Any) -> Exception | None:
    """Why there is no result at all, if every training has failed."""
    from nax_bo.errors import EvaluationError

    evaluations = [e for t in opened.trials() for e in t.evaluations]
    if not evaluations or any(e.state != "failed" for e in evaluations):
        return None
    return EvaluationError(
        f"all {len(evaluations)} trainings failed; the last one: {evaluations[-1].message}",
        "Try one design alone with: naxbo evaluate --fidelity short",
    )


def _min_accuracy(texts: list[str] | None) -> float | None:
    from nax_bo.errors import InputError
    from nax_cli.settings import numbers

    limits = numbers("--min", texts)
    if set(limits) - {"accuracy"}:
        raise InputError(
            f"cannot bound {', '.join(limits)} from below", "Write --min accuracy=0.9; costs take --max."
        )
    return limits.get("accuracy")


def _learn_edap(names: list[str] | None) -> bool | None:
    from nax_bo.errors import InputError

    if not names:
        return None
    if set(names) - {"edap", "accuracy"}:
        raise InputError(
            f"cannot learn {', '.join(names)}", "Write --learn edap; accuracy is always learned."
        )
    return "edap" in names


def _write_report(opened: Any, folder: Path) -> Path:
    from nax_bo.report.collect import collect
    from nax_bo.report.page import write_report

    say("writing the report ...")
    return write_report(collect(opened, None), folder)


def _print_answer(
    study: str,
    rows: list[dict[str, Any]],
    images: int,
    hypervolume: float,
    page: Path | None,
    as_json: bool,
) -> None:
    if as_json:
        print_json({"study": study, "hypervolume": hypervolume, "front": rows, "report": page and str(page)})
        return
    print(front_table(rows, images))
    say(f"\nhypervolume {hypervolume:.4g}; study {study}" + (f"; report {page}" if page else ""))
