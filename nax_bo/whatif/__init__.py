"""What would change if ...: compare chips, sweep settings, find which settings matter. No optimisation, no torch."""

from nax_bo.whatif.designs import Comparison, SweepResult, compare, sweep, variants
from nax_bo.whatif.sensitivity import Sensitivity, one_at_a_time, sobol
from nax_bo.whatif.settings import Setting, Sweep, apply_settings, implied, parse_sweep, setting_names

__all__ = [
    "Comparison",
    "Sensitivity",
    "Setting",
    "Sweep",
    "SweepResult",
    "apply_settings",
    "compare",
    "implied",
    "one_at_a_time",
    "parse_sweep",
    "setting_names",
    "sobol",
    "sweep",
    "variants",
]
