"""``naxbo reproduce``: a published system's claims, and what a joint search adds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nax_cli.output import JsonFlag, print_json, say, table


def reproduce(
    system: Annotated[
        str, typer.Argument(help="xpert, nax, nacim, cimnet, cimnet-vit, saha (naxbo spaces).")
    ],
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            help="small: scaled-down networks on small images, minutes; paper: the paper's networks, with --data.",
        ),
    ] = "small",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Searches of each kind.")] = 1,
    data: Annotated[
        str | None, typer.Option("--data", help="Another data set than the scale's: as in naxbo optimize.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where everything is kept. [reproduce-SYSTEM-SCALE]")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.01, help="Stop after so long; the same command goes on."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-j", min=0, help="Trainings at once; 0: one per core.")
    ] = 0,
    joint: Annotated[
        bool,
        typer.Option("--union", help="Search the union of the systems too: a proposal takes half a minute."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Reproduce or refute a published system's claims.

    Trains its baselines; runs its own search, a random one and naxbo's at the same budget; trains the winners from the
    seeds of the baseline. Ends with the claims beside what was obtained, a table of factors, and a figure. Everything
    finished is kept in the folder: the same command goes on.
    """
    import json

    from nax_bo.files import write_whole
    from nax_bo.report.reproduce_chart import draw_reproduction
    from nax_bo.reproduce import Reproduction, TimeUpError
    from nax_bo.reproduce.scale import scale as named
    from nax_cli.interrupt import stoppable
    from nax_cli.output import strict
    from nax_cli.settings import check_folder

    where = folder or Path(f"reproduce-{system.replace('/', '-').replace(':', '-')}-{scale}")
    check_folder("--folder", where)
    seconds = 60 * minutes if minutes else float("inf")
    work = Reproduction(system, where, named(scale), data or "", seeds, workers, seconds, joint, say)
    try:
        with stoppable():
            result = work.run()
    except TimeUpError as ex:
        say(f"{ex.message}\n{ex.hint}")
        raise typer.Exit(75) from None
    except KeyboardInterrupt:
        say(f"Stopped; what is finished is kept in {where}. Go on with the same command.")
        raise typer.Exit(130) from None
    answer = result.to_dict()
    write_whole(where / "result.json", json.dumps(strict(answer), indent=1))
    draw_reproduction(strict(answer), where / "result.svg", "--folder")
    if as_json:
        print_json({**answer, "folder": str(where), "figure": str(where / "result.svg")})
        return
    print(f"{system}, scale {scale}, {result.data}\n\nbaselines\n{table(result.baseline_rows())}")
    print(f"\nwinners, gains in {result.main}\n{table(result.rows())}")
    if result.claims:
        print(
            f"\nclaims, and what was obtained against each baseline\n{table(_verdicts(answer['verdicts']))}"
        )
        for line in dict.fromkeys(
            f"{v['search']}, {v['claim']}: {v['why not']}" for v in answer["verdicts"] if v["why not"]
        ):
            print(f"  {line}")
    print(f"\nfactors of the gain over the paper's baseline\n{table(result.factor_rows())}")
    if result.assumptions:
        print(f"\nassumed, as the sources do not say\n{table(result.assumptions)}")
    say(f"\nfigure: {where / 'result.svg'}; all of it: {where / 'result.json'}")


def _verdicts(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    shown = []
    for row in rows:
        against = row["reached against"]
        reached = ", ".join(against) if isinstance(against, list) and against else "no"
        shown.append(
            {
                **{k: v for k, v in row.items() if k not in ("why not", "reached against")},
                "reached against": reached,
            }
        )
    return shown
