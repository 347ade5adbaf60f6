"""``naxbo optimize``: find the front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, front_table, print_json, say, why_empty

GROUPS = {
    "The study": ("--budget", "--time", "--until-gain", "--study", "--config", "--start", "--from", "--retry-failed"),
    "What is searched": ("--data", "--system", "--fix", "--choose", "--network", "--weights"),
    "What is wanted": ("--objective", "--max", "--min", "--within", "--cost-model"),
    "How accuracy is measured and learned": (
        "--recipe", "--accuracy", "--ladder", "--calibrate-every", "--surrogate", "--strategy", "--learn", "--seed",
        "--reproducible",
    ),
    "Where trainings run": ("--workers", "--device", "--executor", "--timeout", "--memory"),
    "What is left behind": ("--report", "--no-report", "--keep-weights", "--weights-limit"),
}  # fmt: skip
"""Options by what they are about."""

EXAMPLES = (
    "Examples: naxbo optimize; naxbo optimize --data folder:/data/mine --budget 100; naxbo optimize "
    "--max area_mm2=2 --min accuracy=0.9; naxbo optimize --fix device=rram --objective accuracy "
    "--objective energy; naxbo optimize -s study.naxbo -n 300 (goes on)."
)


def optimize(
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget", "-n", help="Designs to look at; a resumed study goes on up to this many. [200]"
        ),
    ] = None,
    until_gain: Annotated[
        float | None,
        typer.Option(
            "--until-gain",
            metavar="SHARE",
            help="Stop before the budget is spent, once another 50 designs are expected to gain less than this share "
            "of the hypervolume: 0.01 for 1 %. 0: never. [0]",
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
            help="cluttered-digits, digits, cifar10:PATH, tiny-imagenet:PATH or folder:PATH; of it as much as "
            ",train=5000,test=2000,size=16 say. [cluttered-digits]",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="Joint space to search (naxbo spaces). [vgg]")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="NETWORK",
            help="Your own network, of which the chip is searched, layer by layer where it pays: file.py:make, "
            "model.onnx, timm:NAME or torchvision:NAME.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", help="Its weights: a safetensors file. [those it comes with]"
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="OUTCOME",
            help="What to optimise; repeatable. Measured: accuracy, p05 (what 95 % of chips exceed). Priced: edap, "
            "energy, latency, response, area, power, tops_w, tops_mm2, fps, utilisation. [accuracy, edap]",
        ),
    ] = None,
    max_: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="OUTCOME=LIMIT",
            help="Never propose designs above a cost, e.g. area_mm2=5. Repeatable.",
        ),
    ] = None,
    min_: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="OUTCOME=LIMIT",
            help="Designs below do not count, e.g. accuracy=0.9 or tops_w=20. Repeatable.",
        ),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="NAME=VALUE", help="Keep a choice as it is: device=rram. Repeatable."),
    ] = None,
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            metavar="NAME=VALUE,VALUE",
            help="Search among these values only: crossbar_1=64,128, or crossbar=64,128 for all layers. Repeatable.",
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            "--within",
            metavar="POINTS",
            help="Accuracies so far below the best found count; 100 for all down to guessing; --min accuracy "
            "takes its place. [10]",
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
            metavar="COST",
            help="Learn the costs too, instead of computing them for every candidate: worth it "
            "only when the cost model takes seconds. They come from one model: naming one learns all.",
        ),
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(
            "--accuracy",
            metavar="CLASS",
            help="Your own accuracy evaluator, module:Class or file.py:Class, in place of trainings. [training]",
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
    ladder: Annotated[
        str | None,
        typer.Option(
            "--ladder",
            metavar="LOOKS",
            help="Looks that designs may get, cheapest first: inherit (weights from a super-network that is trained "
            "once, in minutes), short, full; of a network with weights program, tune, full. [short,full]",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="How networks learn: auto, digits, cifar-cnn or vit, with options: vit,epochs=60,flip=true. [auto]",
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            "--executor",
            help="Where trainings run: local, dask:ADDRESS, dask-slurm or module:factory. [local]",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="Where workers train and read: auto (a GPU where there is one), cpu, cuda or cuda:1. GPUs have been "
            "tried on stand-ins for their tensors only. [auto]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Same seed, same designs; with several workers see --reproducible. [0]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", help="Trainings at once; 0: one per core. [0]")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="DURATION",
            help="What all of it may take, as 2h or 30m: images, trainings and the space are cut to fit when the study "
            "is created, and it stops in time. --time 2h without --budget chooses the number of designs too.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--start", metavar="FILE", help="Designs to look at first: a table, .csv or .json (naxbo trials)."
        ),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="STUDY",
            help="Begin a new study with the designs and results of an earlier one (same data, recipe and conditions); "
            "they count towards the budget. Repeatable.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="A training that takes longer is ended, and its design fails. [3600]",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="What a worker of this machine may take, as 4G: one that takes more is ended, and its design fails. "
            "[no limit]",
        ),
    ] = None,
    reproducible: Annotated[
        bool,
        typer.Option(
            "--reproducible",
            help="Same seed and same --workers, same designs, whoever finishes first: results wait for their turn, "
            "and workers for the oldest training: about a quarter more time with 2 workers, more than twice with 8.",
        ),
    ] = False,
    keep_weights: Annotated[
        str | None,
        typer.Option(
            "--keep-weights",
            metavar="WHICH",
            help="Keep the trained networks of no design, of the front's or of all that are trained in full: none, "
            "front or all. In STUDY.weights; see naxbo export. [front]",
        ),
    ] = None,
    weights_limit: Annotated[
        float | None,
        typer.Option("--weights-limit", metavar="MB", help="How large that folder may grow. [1000]"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed, before anything new.")
    ] = False,
    report: Annotated[Path, typer.Option("--report", help="Folder of the report written at the end.")] = Path(
        "report"
    ),
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the Pareto front of noise-aware accuracy against EDAP.

    Or of other objectives (--objective), and under limits (--max, --min). No option is needed.

    Creates the study, or goes on with it: the same command resumes after any interruption and loses no finished
    training. Ends with the front on stdout and a report.
    """
    from nax_bo.report.front import front_rows
    from nax_bo.space import read_designs
    from nax_bo.study import Study
    from nax_bo.study.answers.forecast import forecast
    from nax_bo.study.config import read_config
    from nax_cli.interrupt import stoppable
    from nax_cli.progress import ProgressLine
    from nax_cli.settings import check_folder, numbers, read_rows

    given: dict[str, Any] = {
        "budget": budget,
        "until_gain": until_gain,
        "data": data,
        "system": system,
        "network": network,
        "weights": None if weights is None else str(weights),
        "surrogate": surrogate,
        "strategy": strategy,
        "accuracy": accuracy,
        "cost_model": cost_model,
        "calibrate_every": calibrate_every,
        "objectives": objective or None,
        "ladder": None if ladder is None else ladder.split(","),
        "recipe": recipe,
        "executor": executor,
        "device": device,
        "seed": seed,
        "workers": workers,
        "timeout_s": timeout,
        "memory": memory,
        "reproducible": reproducible or None,
        "time": time,
        "keep_weights": keep_weights,
        "weights_limit_mb": weights_limit,
        "max": numbers("--max", max_) or None,
        "min": numbers("--min", min_) or None,
        "choose": _choices(fix, choose) or None,
        "within": within,
        "learn_costs": _learn_costs(learn),
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = read_config(config, overrides) if config else overrides

    if not no_report:
        check_folder("--report", report)
    first = read_rows(start) if start is not None else []
    if time and not Path(study).exists():
        say("measuring what trainings take here ...")
    with Study(study, settings, trust=trust, start_from=from_ or ()) as opened:
        _say_beginning(opened)
        if first:
            new = opened.add(read_designs(opened.store.space, first))
            say(f"{new} designs of {start} come first")
        if retry_failed:
            say(f"{opened.retry_failed()} evaluations that had failed are run again")
        if expected := forecast(opened):
            say(expected)
        line = ProgressLine()
        try:
            with stoppable():
                opened.run(on_progress=line.show)
        except KeyboardInterrupt:
            line.end()
            say(f"Stopped; every finished training is kept in {study}. Go on with the same command.")
            raise typer.Exit(130) from None
        line.end()
        rows = front_rows(opened)
        images = opened.data["test_images"]
        costs = opened.config.cost_columns
        hypervolume = opened.hypervolume()
        why = "" if rows else why_empty(opened)
        failure = _common_failure(opened)
        page = None if no_report else _write_report(opened, report)
    if failure is not None:
        raise failure
    if as_json:
        print_json({"study": study, "hypervolume": hypervolume, "front": rows, "report": page and str(page)})
        return
    print(front_table(rows, images, costs))
    if why:
        say(why)
    say(f"\nhypervolume {hypervolume:.4g}; study {study}" + (f"; report {page}" if page else ""))


def _say_beginning(opened: Any) -> None:
    """What a new study has taken over from earlier ones, and which settings of an old one change."""
    for told in opened.store.meta("from") or []:
        left = f", {told['outside']} lie outside this study's space" if told["outside"] else ""
        say(f"{told['designs']} designs of {told['study']} are known{left}")
    for change in opened.changes:
        say(f"changed setting {change}")


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


def _choices(fix: list[str] | None, choose: list[str] | None) -> dict[str, list[str]]:
    """Values by variable, as text: one each of ``--fix``, any number of ``--choose``."""
    from nax_bo.errors import InputError
    from nax_cli.settings import pairs

    fixed, several = pairs("--fix", fix), pairs("--choose", choose)
    if both := set(fixed) & set(several):
        raise InputError(f"{', '.join(sorted(both))} with both --fix and --choose", "Use one of them.")
    chosen = {name: [v.strip() for v in values.split(",") if v.strip()] for name, values in several.items()}
    return {**{name: [value] for name, value in fixed.items()}, **chosen}


def _learn_costs(names: list[str] | None) -> bool | None:
    """Whether costs are to be learned: any that is named is; what is measured always is."""
    from nax_bo.outcomes import outcome

    return any(outcome(name).source == "priced" for name in names) if names else None


def _write_report(opened: Any, folder: Path) -> Path:
    from nax_bo.report.collect import collect
    from nax_bo.report.page import write_report

    say("writing the report ...")
    return write_report(collect(opened, None), folder)
