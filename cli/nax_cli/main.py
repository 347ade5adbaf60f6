"""Entry point: the list of commands, and how errors leave.

Every command lives in a module of its own that imports nothing heavy until it runs, so ``naxbo --help`` and hardware
what-ifs start at once.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from nax_cli import (
    bench,
    devices,
    doctor,
    evaluate,
    evaluators,
    export,
    init,
    optimize,
    pareto,
    report,
    reproduce,
    spaces,
    study,
    surrogates,
    trials,
    whatif,
)
from nax_cli.help import grouped

EPILOG = """
Begin with: naxbo doctor; naxbo what-if --network resnet20 --vs adc_bits=6; naxbo optimize; naxbo pareto; naxbo report.

Exit codes: 0 done; 1 unexpected failure; 2 wrong input; 3 data set; 4 study file; 5 surrogate; 6 evaluation;
7 machine or workers; 75 stopped by --minutes; 130 interrupted (a study keeps everything that had finished).
"""

app = typer.Typer(
    name="naxbo",
    help="Find neural networks and analog compute-in-memory chips that are best together.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # brackets in help texts are defaults, not markup; and help starts faster
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("optimize", epilog=optimize.EXAMPLES, cls=grouped(optimize.GROUPS))(optimize.optimize)
app.command("what-if", epilog=whatif.EXAMPLES)(whatif.what_if)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("pareto", epilog=pareto.EXAMPLES)(pareto.pareto)
app.command("trials", epilog=trials.EXAMPLES)(trials.trials)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("reproduce", epilog="Example: naxbo reproduce xpert --minutes 60")(reproduce.reproduce)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("spaces", epilog=spaces.EXAMPLES)(spaces.spaces)
app.command("devices", epilog=devices.EXAMPLES)(devices.devices)
app.add_typer(surrogates.app, name="surrogates")
app.add_typer(evaluators.app, name="evaluators")
app.add_typer(study.app, name="study")
app.command("bench", epilog=bench.EXAMPLES)(bench.bench)
app.command("init", epilog=init.EXAMPLES)(init.init)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("naxbo"))
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def _say_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """A warning as a person reads it, without the place in the code that it came from."""
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line; naxbo's own errors become two lines on stderr and an exit code."""
    import warnings

    from nax_bo.errors import NaxboError

    warnings.showwarning = _say_warning
    try:
        try:
            app()
        except SystemExit as ex:  # Typer's way to say that the reader went away
            if isinstance(ex.__context__, BrokenPipeError):
                raise ex.__context__ from None
            raise
        finally:
            sys.stdout.flush()
    except NaxboError as ex:
        print(f"error: {ex.message}", file=sys.stderr)
        if ex.hint:
            print(f"hint: {ex.hint}", file=sys.stderr)
        sys.exit(ex.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        _drop_output()  # the reader went away: nothing more to say
        sys.exit(0)
    except OSError as ex:
        if ex.errno != errno.ENOSPC:
            raise
        _drop_output()
        print("error: cannot write the answer: no space left\nhint: Send it somewhere else.", file=sys.stderr)
        sys.exit(1)


def _drop_output() -> None:
    """Nothing more is written to stdout, what is buffered included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
