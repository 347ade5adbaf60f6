"""``naxbo bench``: strategies compared by the fronts that they find for their evaluations."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nax_cli.output import JsonFlag, print_json, say, table


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
        str, typer.Option("--strategies", help="Comma-separated names, or module:Class references.")
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
    as_json: JsonFlag = False,
) -> None:
    """Compare search strategies on a problem whose truth is known.

    Its evaluations cost nothing. Prints the share of the best known hypervolume after a quarter, half
    and all of the budget, and the CPU seconds
    that the strategy itself took.
    """
    from nax_bo.search import load_strategy
    from nax_bo.search.bench import bench as run
    from nax_bo.search.bench import best_known_hypervolume
    from nax_bo.search.synthetic import synthetic_problem

    testbed: Any = synthetic_problem(problem, proxy) if study is None else _testbed(study)
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    for name in names:
        load_strategy(name)  # an unknown one is refused before the first run
    say("best known front ...")
    best = best_known_hypervolume(testbed)
    curves = []
    for name in names:
        say(f"{name}: {seeds} x {budget} evaluations ...")
        curves += run(testbed, [name], range(seeds), budget=budget, surrogate=surrogate)
    marks = sorted({max(1, budget // 4), max(1, budget // 2), budget})
    rows = [_row(name, [c for c in curves if c.strategy == name], marks, best) for name in names]
    if as_json:
        runs = [
            {"strategy": c.strategy, "seed": c.seed, "hypervolume": c.hypervolume, "seconds": c.seconds}
            for c in curves
        ]
        print_json(
            {
                "problem": study or problem,
                "proxy": proxy,
                "best_known_hypervolume": best,
                "summary": rows,
                "runs": runs,
            }
        )
    else:
        print(table(rows))


def _testbed(path: str) -> Any:
    from nax_bo.study import Study
    from nax_bo.study.testbed import study_testbed

    with Study(path) as study:
        return study_testbed(study)


def _row(name: str, curves: list[Any], marks: list[int], best: float) -> dict[str, Any]:
    from statistics import fmean

    shares = {f"after {n}": fmean(c.at(n) / best for c in curves) for n in marks}
    return {"strategy": name, **shares, "seconds": fmean(c.seconds[-1] for c in curves)}
