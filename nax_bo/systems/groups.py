"""What kind of choice a variable is: of the network, the device, the circuit, or the hierarchy of the chip."""

from __future__ import annotations

from collections.abc import Mapping

from nax_bo.space import Variable

GROUPS: Mapping[str, tuple[str, ...]] = {
    "device": ("device", "bits_per_cell", "fefet_bits_per_cell", "technology_nm"),
    "bits": ("weight_bits", "input_bits", "adc_bits", "encoding"),
    "crossbar": ("crossbar", "stem_crossbar", "shortcut_crossbar", "classifier_crossbar"),
    "converter type": ("adc_type",),
    "sharing": ("mux",),
}
"""Variables of each group, without the layer at their end. Others are the network's by their scope, or else the
hierarchy's: tiles, buffers, links."""

NETWORK, HIERARCHY = "network", "hierarchy"
ORDER = (NETWORK, "device", "crossbar", "bits", "converter type", "sharing", HIERARCHY)


def group_of(variable: Variable) -> str:
    """The group of a variable."""
    stem = variable.name.rpartition(".")[2].rstrip("0123456789").rstrip("_")
    for group, names in GROUPS.items():
        if stem in names:
            return group
    return HIERARCHY if variable.scope == "chip" else NETWORK
