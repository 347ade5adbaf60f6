"""``naxbo what-if``: change hardware settings and see what the chip then costs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from nax_cli.output import JsonFlag, StudyOption, TrustFlag, print_json, say, table

if TYPE_CHECKING:
    from nax_bo.hardware import ChipSpec, CostModel
    from nax_bo.network import NetworkSpec

DEFAULT_NETWORK, DEFAULT_DATA = "vgg16", "cifar10"
SHAPES = {
    "cluttered-digits": ("1x10x10", 10),
    "digits": ("1x8x8", 10),
    "cifar10": ("3x32x32", 10),
    "cifar100": ("3x32x32", 100),
    "tiny-imagenet": ("3x64x64", 200),
    "imagenet": ("3x224x224", 1000),
}
"""Image shape and classes of known data sets; what a cost model needs to know of them."""

DEFAULT_AXES = (
    "device=rram,pcm,fefet",
    "crossbar=64,128,256",
    "bits_per_cell=1,2",
    "weight_bits=4,6,8",
    "input_bits=4,6,8",
    "adc_bits=4:8",
    "adc_type=sar,flash",
    "mux=4,8,16",
)
"""Settings whose influence is shown when --sensitivity comes without --sweep."""


class Part(StrEnum):
    """Breakdowns."""

    layer = "layer"
    component = "component"


EXAMPLES = (
    "Examples: naxbo what-if --vs adc_bits=6 --vs mux=16,adc_type=flash; naxbo what-if --sweep "
    "adc_bits=3:8 --sweep mux=2,4,8; naxbo what-if --network resnet20 --per layer; naxbo what-if "
    "--design 17 --set adc_bits=4."
)


def what_if(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a setting: adc_bits=5, crossbar=128, device=pcm, layer3.adc_bits=6. Repeats apply together.",
        ),
    ] = None,
    vs: Annotated[
        list[str] | None,
        typer.Option(
            "--vs",
            metavar="NAME=VALUE,...",
            help="Compare with another set of changes. Repeat for more columns.",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NAME=VALUES",
            help="Try several values: adc_bits=3:8, mux=2,4,8, mux=1:32:*2. Repeated ones form a grid.",
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity",
            help="Which settings matter most, over the values of --sweep (or a usual range of each).",
        ),
    ] = False,
    per: Annotated[
        Part | None, typer.Option("--per", help="Break the costs down by layer or component.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            help="vgg8, resnet18, mobilenet-v2, vit-tiny, ...; or your own: file.py:make, model.onnx, timm:NAME, "
            f"torchvision:NAME. [{DEFAULT_NETWORK}]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help=f"Image size and classes: {', '.join(SHAPES)}. No images are read. [{DEFAULT_DATA}]",
        ),
    ] = None,
    shape: Annotated[str | None, typer.Option("--shape", metavar="CxHxW", help="Another image size.")] = None,
    design: Annotated[
        int | None,
        typer.Option(
            "--design",
            help="Start from this design of --study: cost by its cost model, and accuracy as its trainings predict it.",
        ),
    ] = None,
    study: StudyOption = "study.naxbo",
    cost_model: Annotated[
        str | None,
        typer.Option(
            "--cost-model",
            help="published, isaac, puma, neurosim, xpertsim, xpert-lut, a TOML profile or a class. [published]",
        ),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.png", help="Draw the answer too.")
    ] = None,
    trust: TrustFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """See at once what a chip costs when its settings change.

    Energy, latency and area in closed form; nothing is trained or searched. Without --design a
    published network is priced on the cost model's default chip; with it, a design of a study, whose noise-aware
    accuracy is predicted too, with a 95 % interval.
    """
    from nax_bo.errors import InputError

    changes = [list(set_ or []), *[[part.strip() for part in text.split(",")] for text in vs or []]]
    if (sweep or sensitivity) and vs:
        raise InputError("--vs compares single designs", "Leave it out with --sweep and --sensitivity.")
    if design is not None:
        from nax_cli import whatif_study

        given = {"--network": network, "--data": data, "--shape": shape, "--cost-model": cost_model}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError(
                f"{' and '.join(wrong)} with --design", "The design brings its network and cost model."
            )
        if sensitivity or per or chart:
            raise InputError(
                "--design comes with --set, --vs and --sweep only",
                "Drivers and layers of a design: naxbo report --design.",
            )
        whatif_study.answer(study, design, changes, sweep or [], as_json, trust)
        return

    spec = _network(network or DEFAULT_NETWORK, data or DEFAULT_DATA, shape)
    from nax_bo.hardware import cost_model as load

    named = cost_model or "published"
    model = Priced(named, load(named))
    if sensitivity:
        _sensitivity(spec, changes[0], sweep or list(DEFAULT_AXES), model, chart, as_json)
    elif sweep:
        _sweep(spec, changes[0], sweep, model, chart, as_json)
    else:
        _compare(spec, changes, model, per, chart, as_json)
    if as_json:
        return
    shown = "x".join(map(str, spec.input_shape))
    say(f"\n{spec.name} for {shown} images (--network, --data), cost model {named} (--cost-model)")
    if note := getattr(model.model, "note", ""):
        say(note)
    if chart is not None:
        say(f"chart: {chart}")


def _network(name: str, data: str, shape: str | None) -> NetworkSpec:
    from nax_bo.errors import InputError
    from nax_bo.network import named_network
    from nax_cli.settings import image_shape

    known = data.partition(":")[0]
    if known not in SHAPES:
        raise InputError(
            f"the image size of {data!r} is not known here", f"Use {', '.join(SHAPES)}, or add --shape CxHxW."
        )
    size, classes = SHAPES[known]
    images = image_shape(shape or size)
    if ":" in name or name.endswith(".onnx"):
        from nax_bo.interop.given import load_network

        return load_network(name, images, classes).spec
    return named_network(name, images, classes)


class Priced(NamedTuple):
    """A cost model by the name that was given."""

    name: str
    model: CostModel

    @property
    def chip(self) -> ChipSpec:
        """The chip that it starts from."""
        from nax_bo.hardware.protocol import base_chip

        return base_chip(self.model)


def _chip(spec: NetworkSpec, base: ChipSpec, changes: list[str]) -> ChipSpec:
    from nax_bo.whatif import Setting, apply_settings, implied

    settings = [Setting.parse(text) for text in changes]
    for setting in implied(base, settings):
        say(f"with {setting.label}, the most that the device stores")
    return apply_settings(spec, base, settings)


def _compare(
    spec: NetworkSpec,
    changes: list[list[str]],
    model: Priced,
    per: Part | None,
    chart: Path | None,
    as_json: bool,
) -> None:
    from nax_bo.whatif import Setting, compare, variants

    sets = [[Setting.parse(text) for text in texts] for texts in changes if texts]
    comparison = compare(variants(spec, model.chip, sets), model.model)
    if chart is not None:
        from nax_bo.report.whatif_chart import draw

        draw(comparison, chart)
    if as_json:
        print_json({"network": spec.name, "cost_model": model.name, **comparison.to_dict()})
        return
    from nax_cli.whatif_text import breakdown, side_by_side

    print(side_by_side(comparison.rows()))
    if per is not None:
        rows = comparison.layer_rows() if per is Part.layer else comparison.component_rows()
        print("\n" + breakdown(rows))
    for name, report in zip(comparison.names, comparison.reports, strict=True):
        for problem in report.violations:
            say(f"\n{name}: {problem}")


def _sweep(
    spec: NetworkSpec, changes: list[str], texts: list[str], model: Priced, chart: Path | None, as_json: bool
) -> None:
    from nax_bo.whatif import parse_sweep, sweep

    result = sweep(spec, _chip(spec, model.chip, changes), [parse_sweep(text) for text in texts], model.model)
    if chart is not None:
        from nax_bo.report.whatif_chart import draw

        draw(result, chart)
    if as_json:
        print_json({"network": spec.name, "cost_model": model.name, "base": changes, **result.to_dict()})
        return
    from nax_cli.whatif_text import sweep_table

    print(sweep_table(result.rows(), result.addresses))


def _sensitivity(
    spec: NetworkSpec, changes: list[str], texts: list[str], model: Priced, chart: Path | None, as_json: bool
) -> None:
    from nax_bo.whatif import one_at_a_time, parse_sweep, sobol

    axes, chip = [parse_sweep(text) for text in texts], _chip(spec, model.chip, changes)
    alone, shares = one_at_a_time(spec, chip, axes, model.model), sobol(spec, chip, axes, model.model)
    if chart is not None:
        from nax_bo.report.whatif_chart import draw

        draw(shares, chart)
    if as_json:
        answer: dict[str, Any] = {
            "network": spec.name,
            "cost_model": model.name,
            "base": changes,
            "ranges": texts,
        }
        print_json({**answer, "one_at_a_time": alone.to_dict(), "sobol": shares.to_dict()})
        return
    from nax_cli.whatif_text import influence_rows

    print(table(influence_rows(alone.rows(), shares.rows())))
    say(
        f"\nswing: largest over smallest cost while this setting alone moves over its values ({', '.join(texts)}).\n"
        "Shares of the variance of each log10 cost when all move at once, interactions counted with every setting "
        f"involved ({shares.method}, {shares.evaluations} designs)."
    )
