"""Ask about a part of the space, in three objectives, starting from designs of your own.

On the command line:

    naxbo optimize --fix device=rram --choose crossbar=64,128 --objective accuracy --objective energy --objective area \
        --max latency_ms=0.1 --start mine.csv

A formula takes the place of trainings here (my_accuracy.py), so that this runs in seconds.
"""

import csv
import io
import tempfile
from pathlib import Path

from nax_bo.space import read_designs
from nax_bo.study import Study, StudyConfig

MINE = """\
depth,width_1,kernel_1,width_2,kernel_2,crossbar,device,bits_per_cell,weight_bits,input_bits,adc_bits,adc_type,mux
2,16,3,16,3,64,rram,2,4,4,6,sar,8
2,32,3,32,3,128,rram,1,4,4,6,sar,8
"""


def rows():
    """The table, with its one crossbar column spread over the layers, as the space has it."""
    for row in csv.DictReader(io.StringIO(MINE)):
        side = row.pop("crossbar")
        yield {**row, "crossbar_1": side, "crossbar_2": side}


if __name__ == "__main__":
    settings = StudyConfig(
        budget=12,
        accuracy=f"{Path(__file__).with_name('my_accuracy.py')}:Formula",
        choose={"device": ["rram"], "crossbar": [64, 128]},
        objectives=("accuracy", "energy", "area"),
        max={"latency_ms": 0.1},
        workers=1,
    )
    with tempfile.TemporaryDirectory() as folder, Study(f"{folder}/rram.naxbo", settings) as study:
        study.add(read_designs(study.store.space, rows()))
        study.run()
        for trial in study.front():
            row = study.row(trial)
            print(
                f"design {trial.number}: {100 * row['accuracy']:.1f} %, {row['energy_uj']:.3g} µJ, "
                f"{row['area_mm2']:.3g} mm², {trial.design['crossbar_1']} rows, {trial.design['adc_bits']} bits"
            )
