"""Crossbar simulator: bit-sliced weights, bit-streamed inputs, converters, devices and wires under any torch model.

::

    network = convert(model, chip)                  # a copy; its layers with weights become crossbar layers
    network.calibrate(images)                       # input ranges and converter ranges, on a few training images
    network.program(seed=0, conditions=Conditions(), draws=1)   # writes the present weights into cells
    network.eval(); network.mode = "exact"          # "float" | "ideal" | "fast" | "adaptive" | "exact"
    logits = network(images)
    accuracies = monte_carlo(network, images, labels, draws=8, seed=0, conditions=Conditions(),
                             target_standard_error=0.01, min_draws=4)      # programs each draw itself

    network = noise_aware(model, chip, Conditions(), seed=0)    # convert, ready to train
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)   # train() path: quantised, noise fresh at each step
    network.calibrate(images)                       # after training, before the modes above

    save(network, "chip.safetensors")               # ranges, weights, seeds of the chips
    restore(convert(model, chip), "chip.safetensors")           # gives the same outputs

    print(network.report().table())                 # what is on crossbars, what is not and why, what is clipped
    print(network.explain("conv1").table())         # what was sliced and clipped; error budget by source

``network.model`` is the converted model; its ``state_dict`` has the keys and shapes of the original's.
After weights change, call ``program`` again (``calibrate`` too if activations moved). ``program([3, 4, 5])`` programs
three chips at once, faster than one by one; ``network.draw = i`` chooses which is read.

``exact`` simulates every slice, stream and row block; ``adaptive`` only the pairs that carry the converters' error;
``fast`` is one product per layer with the mean response and resampled residuals of the exact mode. Everything but
``exact`` is an estimate, worst where converters ruin the network (``benchmarks/crossbar_agreement.py``). The compiled
kernel (:mod:`nax_bo.crossbar.arithmetic.compiled`) is optional.

Simulation follows the device of the network and its images; a programmed network takes its chips along when it moves.
Random numbers are drawn where they are used, by the same law but not with the same bits on each kind of device; the
compiled kernel serves CPU tensors alone. None of it has been run on CUDA: tests stand meta tensors in for those of a
device, on which reads and training steps may hold no host tensor and ask for no value.
"""

from nax_bo.crossbar.conversion_report import ConversionReport
from nax_bo.crossbar.convert import convert, noise_aware
from nax_bo.crossbar.explain import Explanation
from nax_bo.crossbar.layers import MODES, CrossbarConv2d, CrossbarLinear, Mode
from nax_bo.crossbar.monte_carlo import accuracy, monte_carlo
from nax_bo.crossbar.network import CrossbarNetwork
from nax_bo.crossbar.saved import restore, save

__all__ = [
    "MODES",
    "ConversionReport",
    "CrossbarConv2d",
    "CrossbarLinear",
    "CrossbarNetwork",
    "Explanation",
    "Mode",
    "accuracy",
    "convert",
    "monte_carlo",
    "noise_aware",
    "restore",
    "save",
]
