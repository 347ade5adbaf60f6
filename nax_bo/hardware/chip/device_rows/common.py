"""What several rows share: files that they cite, and cells that are stuck."""

from __future__ import annotations

from nax_bo.hardware.chip.device import Range

AIHWKIT = "github.com/IBM/aihwkit@4545f11 inference/noise"
NVMEXPLORER = "github.com/lpentecost/NVMExplorer@16eb289 (arXiv:2109.01188)"
CIMLOOP = "github.com/mit-emze/cimloop@d6e1390 models/memory_cells"

# Fractions of cells that stay at one end. Published arrays reach from parts in a billion after repair to a tenth of an
# early one; this project assumes one in a thousand at either end where a row's source counts none.
STUCK = 0.001
STUCK_RANGES = (
    Range(
        "stuck_on_probability", 0.0, 0.0175, "assumed; high: 4 Mb HfO2 RRAM, Chen et al., IEEE TC 64(1), 2015"
    ),
    Range("stuck_off_probability", 0.0, 0.0904, "assumed; high: the same array"),
)
