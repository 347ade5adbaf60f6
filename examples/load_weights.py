"""The winner in plain torch: ten lines from a weights file to predictions, then the same network on its chip.

naxbo export 17 --form weights && python examples/load_weights.py design-17.safetensors

Without a file, it trains a small network first (a few seconds).
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open

from nax_bo.network import NetworkSpec
from nax_bo.network.torch_build import build


def load(path, training=0):
    """The network, and what the file knows of it: nothing in the file is run."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["naxbo"])
        start = f"{training}."
        weights = {k.removeprefix(start): file.get_tensor(k) for k in file.keys() if k.startswith(start)}  # noqa: SIM118
    network = build(NetworkSpec.from_dict(about["network"])).eval()
    network.load_state_dict(weights)
    return network, about


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else train_something(Path("small.safetensors"))
    network, about = load(path)
    data = about["data"]
    mean, std = (torch.tensor(data[k]).reshape(-1, 1, 1) for k in ("mean", "std"))
    pixels = torch.randint(
        17, data["input_shape"]
    ).float()  # an image as it is stored: digits go from 0 to 16
    with torch.no_grad():
        scores = network(((pixels - mean) / std)[None])
    print("an image of noise is taken for", data["class_names"][int(scores.argmax())])
    print(f"accuracy in floating point: {100 * about['trainings'][0]['float_accuracy']:.1f} %")
    print(f"accuracy on {len(about['chip_seeds'])} programmed chips: {100 * about['accuracy']['mean']:.1f} %")


def train_something(path):
    """One small design in full, kept as a study keeps it."""
    from nax_bo.accuracy.data import parse_data
    from nax_bo.accuracy.evaluate import evaluate
    from nax_bo.accuracy.kept import DataFacts, KeptDesign, pack
    from nax_bo.hardware import ArraySpec, ChipSpec
    from nax_bo.hardware.chip import Conditions
    from nax_bo.network import vgg

    data = parse_data("digits,train=300,test=150").load()
    small = vgg(data.input_shape, data.num_classes, widths=[8, 8], pool_after=[1])
    chip = ChipSpec("rram", arrays=(ArraySpec(rows=64, adc_bits=8),))
    found = []
    report = evaluate(small, chip, data, keep=found.append)
    facts = DataFacts.of("digits,train=300,test=150", data)
    path.write_bytes(pack(KeptDesign(small, chip, Conditions(), facts, "auto", 0, found[0], report)))
    return path


if __name__ == "__main__":
    main()
