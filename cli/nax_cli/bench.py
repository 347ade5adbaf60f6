"""``naxbo bench``: strategies compared by the fronts that they find for their evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nax_cli.output import JsonFlag, TrustFlag, print_json, say, table

if TYPE_CHECKING:
    from nax_bo.search.bench.compare import Curve


EXAMPLES = (
    "Examples: naxbo bench chain24 --strategies naxbo,linas,random --seeds 3 --plot bench.png; naxbo "
    "bench --study study.naxbo --strategies naxbo,nsga2 --q 4."
)


def bench(
    problem: Annotated[
        str, typer.Argument(help="chip16, chain24, mixed40 or deep64: synthetic, about as many variables.")
    ] = "chain24",
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            "-s",
            metavar="FILE",
            help="Take this study's space and costs instead; its surrogate's predictions play the trainings.",
        ),
    ] = None,
    strategies: Annotated[
        str,
        typer.Option(
            "--strategies",
            help="Comma-separated: naxbo, linas, nsga2, random, sobol, local-search, module:Class references; and, "
            "with naxbo[peers] installed: ax, smac, optuna-gp, optuna-tpe, optuna-nsga2, pymoo-nsga2.",
        ),
    ] = "naxbo,nsga2,random",
    surrogate: Annotated[
        str, typer.Option("--surrogate", help="Surrogate of strategies that use one.")
    ] = "gp",
    budget: Annotated[int, typer.Option("--budget", "-n", min=2, help="Evaluations per run.")] = 100,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Runs per strategy, with different seeds.")
    ] = 3,
    proxy: Annotated[
        str,
        typer.Option(
            "--proxy", help="Training-free score offered to the search: none, useful, random, adverse."
        ),
    ] = "none",
    q: Annotated[
        int, typer.Option("--q", help="Designs suggested at once, before any of them has been evaluated.")
    ] = 1,
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--asynchronous",
            help="Keep --q evaluations under way; suggest the next design whenever one ends, in random order.",
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw hypervolume against evaluations and seconds: a .png, .svg or .pdf file.",
        ),
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare search strategies on a problem whose truth is known.

    Its evaluations cost nothing. Prints the share of the best known hypervolume, mean of the seeds,
    after a quarter, half and all of the evaluations, and within CPU seconds that the strategy took.
    """
    from nax_bo.search.bench.compare import bench as run
    from nax_bo.search.bench.compare import best_known_hypervolume, summary
    from nax_bo.search.bench.synthetic import synthetic_problem

    names = _checked(strategies, surrogate, q, plot)
    testbed: Any = synthetic_problem(problem, proxy) if study is None else _testbed(study, trust)
    say("best known front ...")
    best = best_known_hypervolume(testbed)
    curves: list[Curve] = []
    for name in names:
        say(f"{name}: {seeds} x {budget} evaluations ...")
        curves += run(
            testbed, [name], range(seeds), budget=budget, q=q, asynchronous=asynchronous, surrogate=surrogate
        )
    title = _title(study or problem, budget, seeds, q, asynchronous)
    if plot is not None:
        from nax_bo.report.bench_chart import draw_bench

        draw_bench(curves, best, title, plot)
    if as_json:
        settings = {"problem": study or problem, "proxy": proxy, "q": q, "asynchronous": asynchronous}
        runs = [asdict(curve) for curve in curves]
        print_json(
            {**settings, "best_known_hypervolume": best, "summary": summary(curves, best), "runs": runs}
        )
        return
    print(f"Share of the best known hypervolume: {title}\n")
    print(_text(summary(curves, best)))
    if plot is not None:
        say(f"\nplot: {plot}")


def _checked(strategies: str, surrogate: str, q: int, plot: Path | None) -> list[str]:
    """Names of the strategies; everything that can be refused is refused before the first run."""
    from nax_bo.errors import InputError
    from nax_bo.search import load_strategy
    from nax_bo.surrogate import parse_reference
    from nax_bo.surrogate.reference import load_factory

    if q < 1:
        raise InputError(f"--q {q}", "Suggest at least one design at a time.")
    names = list(dict.fromkeys(name.strip() for name in strategies.split(",") if name.strip()))
    if not names:
        raise InputError("--strategies names none", "Separate names by commas: --strategies naxbo,random")
    for name in names:
        load_strategy(name)
    load_factory(parse_reference(surrogate)[0])
    if plot is not None:
        from nax_bo.report.files import check_file

        check_file(plot, "--plot")
    return names


def _testbed(path: str, trust: bool) -> Any:
    from nax_bo.study import Study
    from nax_bo.study.answers.testbed import study_testbed

    with Study(path, trust=trust) as study:
        return study_testbed(study)


def _title(problem: str, budget: int, seeds: int, q: int, asynchronous: bool) -> str:
    how = "" if q == 1 else f", {q} at once" if not asynchronous else f", {q} under way"
    return f"{problem}, {budget} evaluations{how}, {seeds} seed{'s' if seeds > 1 else ''}"


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The summary as a table whose headings tell evaluations from seconds."""
    return table(
        [
            {
                "strategy": row["strategy"],
                **{f"{n} eval.": round(share, 3) for n, share in row["share_after_evaluations"].items()},
                **{f"in {s} s": round(share, 3) for s, share in row["share_within_seconds"].items()},
                "CPU s": row["seconds"],
                "s/suggestion": row["seconds_per_suggestion"],
            }
            for row in rows
        ]
    )
