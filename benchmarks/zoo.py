"""Whether models of torchvision and timm are imported, priced, converted and simulated as they are.

For each model, with random weights, on one image of 128 pixels a side, or of its own size where that is fixed:

* multiply-accumulates and parameters of the import equal those that ``torch.utils.flop_counter`` counts;
* the published cost model prices it on the default chip;
* ``convert(model, chip, network=import)`` gives the same layers in the same order, and no product of a layer is left
  in floating point;
* ``float`` mode equals the model bit for bit;
* ``ideal`` mode equals an integer reference in every layer: codes of inputs and weights, multiplied in float64.

Prints one row per model and one line of JSON. Needs the extra ``zoo``; weights are never downloaded.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nax_bo.crossbar import CrossbarNetwork, convert
from nax_bo.crossbar.layers import CrossbarConv2d, CrossbarLayer
from nax_bo.errors import NaxboError
from nax_bo.hardware import cost_model
from nax_bo.hardware.chip import ChipSpec
from nax_bo.interop.torch_import import from_torch

MODELS = (
    "torchvision:resnet18", "torchvision:squeezenet1_1", "torchvision:shufflenet_v2_x0_5", "torchvision:mobilenet_v2",
    "torchvision:mobilenet_v3_small", "torchvision:mnasnet0_5", "torchvision:regnet_y_400mf",
    "torchvision:efficientnet_b0", "torchvision:densenet121", "torchvision:googlenet", "torchvision:resnext50_32x4d",
    "torchvision:convnext_tiny", "torchvision:swin_t", "timm:resnet10t", "timm:resnetv2_18", "timm:nf_resnet26",
    "timm:tf_efficientnet_b0", "timm:tf_mobilenetv3_small_100", "timm:repvgg_a0", "timm:ghostnet_050",
    "timm:hrnet_w18_small",
    "timm:ecaresnet26t", "timm:skresnet18", "timm:dla46x_c", "timm:starnet_s1", "timm:convnext_atto",
    "timm:mobilevit_xxs", "timm:edgenext_xx_small", "timm:efficientvit_b0", "timm:fastvit_t8", "timm:poolformer_s12",
    "timm:pvt_v2_b0", "timm:levit_128s", "timm:deit_tiny_patch16_224", "timm:vit_tiny_patch16_224",
    "timm:eva02_tiny_patch14_224",
    "timm:xcit_nano_12_p16_224", "timm:pit_ti_224", "timm:swin_tiny_patch4_window7_224", "timm:lambda_resnet26t",
)  # fmt: skip
_SIDE = 128
"""Of the images of networks that take images of any size; the others have their own."""

_WITHOUT_HEADS = ("googlenet", "inception_v3")
_FIXED = ("swin", "levit", "xcit", "pit_", "lambda")
_TOLERANCE = 1e-5  # of a layer's largest output: the last digits of float32


def make(name: str) -> tuple[nn.Module, int]:
    """A model with random weights, and the side of its images."""
    library, _, short = name.partition(":")
    if library == "timm":
        model = timm.create_model(short, pretrained=False)
        own = int(model.default_cfg["input_size"][-1])
        fixed = model.default_cfg.get("fixed_input_size") or any(x in short for x in _FIXED)
        return model, own if fixed else _SIDE
    settings = {"aux_logits": False, "init_weights": False} if short in _WITHOUT_HEADS else {}
    return torchvision.models.get_model(
        short, weights=None, **settings
    ), 299 if short == "inception_v3" else 224


def randomised(model: nn.Module) -> None:
    """Scales, shifts, tokens and running statistics that do something, whatever they are initialised to."""
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim < 2 or not bool(p.any()):
                p.add_(0.05 * torch.randn_like(p))


def counted(model: nn.Module, image: Tensor) -> tuple[int, int]:
    """Multiply-accumulates and parameters, as torch counts them; fused kernels are switched off to be counted."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), unfused(), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() // 2, sum(p.numel() for p in model.parameters())


@contextmanager
def unfused() -> Iterator[None]:
    """Without torch's kernels for whole attention layers."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def farthest_from_reference(network: CrossbarNetwork, image: Tensor) -> tuple[str, float]:
    """The layer whose ideal output lies farthest from integer arithmetic, relative to its largest output."""
    worst = ("", 0.0)

    def compare(layer: CrossbarLayer, inputs: tuple[Tensor, ...], y: Tensor) -> None:
        nonlocal worst
        x, ranges, bits = inputs[0], layer.calibrated_range(), layer.hardware.array.weight_bits
        if isinstance(layer, CrossbarConv2d) and x.ndim == len(layer.kernel_size) + 1:
            return  # calls itself with the missing axis
        high = 2 ** (bits - 1) - 1
        w = layer.weight.detach()
        step = w.flatten(1).abs().amax(1).clamp_min(1e-38) / high
        shape = (-1, *[1] * (w.ndim - 1))
        codes = (w / step.reshape(shape)).round().double()
        given = (x * (1 / ranges.scale)).round().clamp(ranges.low, ranges.high).double()
        if isinstance(layer, CrossbarConv2d):
            two = len(layer.kernel_size) == 2
            if layer.padding_mode != "zeros":
                given, padding = functional.pad(given, layer._padded, layer.padding_mode), 0
            else:
                padding = layer.padding
            convolve = functional.conv2d if two else functional.conv1d
            out = convolve(given, codes, None, layer.stride, padding, layer.dilation, layer.groups)
            along = (-1, *[1] * len(layer.kernel_size))
        else:
            out, along = given @ codes.T, (-1,)
        out = out * (step.double() * ranges.scale).reshape(along)
        if layer.bias is not None:
            out = out + layer.bias.detach().double().reshape(along)
        error = float((out - y).abs().max() / out.abs().max().clamp_min(1e-30))
        if error >= worst[1]:
            worst = (layer.name, error)

    handles = [layer.register_forward_hook(compare) for layer in network.layers.values()]
    network.mode = "ideal"
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return worst


def judge(name: str) -> dict[str, object]:
    """One row of the table."""
    torch.manual_seed(0)
    model, side = make(name)
    model.eval().requires_grad_(False)
    randomised(model)
    image = torch.randn(1, 3, side, side)
    started = time.perf_counter()
    row: dict[str, object] = {"model": name}
    try:
        spec = from_torch(model, (3, side, side))
        row |= {"gmacs": spec.macs / 1e9, "mparams": spec.parameters / 1e6, "layers": len(spec.static_layers)}
        row["seconds"] = time.perf_counter() - started
        faults = [] if (spec.macs, spec.parameters) == counted(model, image) else ["counts differ"]
        row["edap_uj_ms_mm2"] = cost_model("published").evaluate(spec, ChipSpec()).edap_uj_ms_mm2
        network = convert(model, ChipSpec(), network=spec).eval()
        network.calibrate(image, vectors=16)  # converters are not judged here
        layer, error = farthest_from_reference(network, image)
        row |= {"ideal_error": error}
        if error > _TOLERANCE:
            faults.append(f"{layer}: ideal differs from integers by {error:.1e}")
        network.mode = "float"
        with torch.no_grad():
            if not torch.equal(network(image), model(image)):
                faults.append("float mode differs from the model")
        left = network.report().left_float
        row |= {"left_float": left, "outcome": "; ".join(faults) or "pass"}
    except NaxboError as ex:
        row["outcome"] = f"refused: {ex.message}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, help="timm:NAME or torchvision:NAME")
    warnings.simplefilter("ignore")
    rows = []
    for name in parser.parse_args().models:
        row = judge(name)
        rows.append(row)
        numbers = (
            f"{row.get('gmacs', 0):8.3f} GMAC {row.get('mparams', 0):8.3f} M {row.get('layers', 0):4} layers"
        )
        print(f"{name:40} {numbers} {row.get('seconds', 0):5.1f} s  {row['outcome']}", flush=True)
    passed = sum(row["outcome"] == "pass" for row in rows)
    print(json.dumps({"models": len(rows), "passed": passed, "rows": rows}))


if __name__ == "__main__":
    main()
