"""Measure accuracy your own way: here a formula; with you perhaps a simulator, a table, or a super-network.

    naxbo evaluators check ./examples/my_accuracy.py:Formula
    naxbo optimize --accuracy ./examples/my_accuracy.py:Formula

An evaluator is any class with this one method. naxbo makes one object per worker process, asks it at rung ``short``
for cheap looks and at ``full`` for what counts, and treats an exception as a failure of the design.
"""

import math
import random


class Formula:
    """Wider networks and finer converters are more accurate; a chip's luck is drawn from the seed."""

    def evaluate(self, network, chip, data, rung, seed):
        """Accuracy of one design, with what is known of its spread."""
        width = sum(layer.out_shape[0] for layer in network.static_layers)
        array = chip.arrays[0]
        score = 0.5 * math.log2(width) + 0.5 * min(array.adc_bits, array.input_bits) - 3.0
        luck = random.Random(seed).gauss(0.0, 0.02 if rung == "short" else 0.005)
        accuracy = 1 / data.num_classes + (1 - 1 / data.num_classes) / (1 + math.exp(-score))
        accuracy = min(max(accuracy + luck, 0.0), 1.0)
        return {"accuracy": accuracy, "standard_error": 0.02 if rung == "short" else 0.005}


if __name__ == "__main__":
    import tempfile

    from nax_bo.study import Study, StudyConfig

    settings = StudyConfig(
        budget=12, accuracy=f"{__file__}:Formula", objectives=("accuracy", "energy", "area"), workers=1
    )
    with tempfile.TemporaryDirectory() as folder, Study(f"{folder}/mine.naxbo", settings) as study:
        study.run()
        for trial in study.front():
            row = study.row(trial)
            print(f"{100 * row['accuracy']:.1f} %  {row['energy_uj']:.3g} µJ  {row['area_mm2']:.3g} mm²")
