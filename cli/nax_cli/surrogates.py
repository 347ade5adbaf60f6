"""``naxbo surrogates``: which models of accuracy there are, and whether one keeps the contract."""

from __future__ import annotations

from typing import Annotated

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say, table

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, check and compare models of accuracy."
)


@app.command("list", epilog="Example: naxbo surrogates list")
def list_(as_json: JsonFlag = False) -> None:
    """List surrogates by name, with who provides them."""
    from nax_bo.surrogate import describe_surrogates

    rows = [
        {"name": s.name, "provider": s.provider, "state": s.problem or "ok"} for s in describe_surrogates()
    ]
    if as_json:
        print_json(rows)
    else:
        print(table(rows))
        say(
            "\nYour own: naxbo surrogates check ./mine.py:Model, then naxbo optimize --surrogate ./mine.py:Model"
        )


@app.command(epilog="Example: naxbo surrogates check ./examples/my_forest.py:Forest,n_trees=100")
def check(
    reference: Annotated[
        str, typer.Argument(help="A name, package.module:Class or file.py:Class, with ,key=value arguments.")
    ],
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that one check may take.")
    ] = 30.0,
    as_json: JsonFlag = False,
) -> None:
    """Check that a surrogate keeps the contract.

    Shapes, finite numbers, seeds, no side effects. Runs its code in a process of its own. Exit code 5
    if it breaks the contract. Says nothing about how well it
    predicts: that is `naxbo surrogates compare`.
    """
    from nax_surrogates.conformance import check as run

    report = run(reference, timeout_s=timeout)
    print_json(report.to_dict()) if as_json else print(report.table())
    if not report.passed:
        raise typer.Exit(5)


@app.command(epilog="Example: naxbo surrogates compare gp gbt --study study.naxbo")
def compare(
    references: Annotated[
        list[str] | None, typer.Argument(help="Surrogates to compare. [gp gbt and the study's own]")
    ] = None,
    study: StudyOption = "study.naxbo",
    folds: Annotated[
        int, typer.Option("--folds", min=2, help="Parts; each is predicted from the others.")
    ] = 10,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare surrogates on the trainings of a study.

    Each fully trained design is predicted from the others.
    Coverage should be near 0.95; tau is the rank correlation with the measured accuracy, which is what
    a search needs.
    """
    from nax_bo.study import Study
    from nax_bo.study.answers.prediction import cross_validate

    with Study(study, trust=trust) as opened:
        own = () if "surrogate" in opened.refused else (opened.config.surrogate,)
        if not references and not own:
            say(
                f"the study's own surrogate is left out: {opened.config.surrogate!r} is loaded with --trust only"
            )
        names = references or list(dict.fromkeys((*own, "gp", "gbt")))
        rows = []
        for name in names:
            c = cross_validate(opened, name, folds)
            rows.append(
                {
                    "surrogate": name,
                    "designs": len(c.numbers),
                    "tau": c.tau,
                    "r2": c.r2,
                    "coverage_95": c.coverage,
                }
            )
    print_json({"study": study, "surrogates": rows}) if as_json else print(table(rows))
