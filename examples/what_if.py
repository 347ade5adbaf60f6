"""Hardware questions in Python: no training, no torch.

python examples/what_if.py
"""

from dataclasses import replace

from nax_bo.hardware import ArraySpec, ChipSpec, cost_model
from nax_bo.hardware.optimum.peripherals import best_peripherals
from nax_bo.network.named import named_network

network = named_network("resnet20", (3, 32, 32), 10)
model = cost_model("published")
chip = ChipSpec(device="rram", arrays=(ArraySpec(rows=64, cols=64, adc_bits=6),))

for bits in (5, 6, 8):
    report = model.evaluate(network, replace(chip, arrays=(replace(chip.arrays[0], adc_bits=bits),)))
    cost = f"{report.energy_pj * 1e-6:6.1f} uJ, {report.latency_ns * 1e-3:6.1f} us, {report.area_um2 * 1e-6:6.2f} mm2"
    print(
        f"{bits}-bit converters: {cost}, "
        f"EDAP known within a factor of {report.spread.edap[1] / report.spread.edap[0]:.1f}"
    )

# Column sharing and converter type cannot change accuracy: their best setting per layer is computed, not searched.
best = best_peripherals(network, chip, model, objective="edap")
better = model.evaluate(network, best)
before = model.evaluate(network, chip)
edap = [r.energy_pj * r.latency_ns * r.area_um2 for r in (before, better)]
print(f"best converter type and sharing in each layer: EDAP x {edap[1] / edap[0]:.2f}")
print("columns per converter:", [array.mux for array in best.arrays])
