"""Joint spaces of network and chip choices, and how a design becomes both.

A space of one's own is a file with a factory that takes an image shape and a number of classes::

    from nax_bo.hardware.chip import ChipPlan
    from nax_bo.network import families
    from nax_bo.space import Space, ordinal

    class Mine:
        name, summary = "mine", "two convolutions on shared crossbars"

        def __init__(self, shape, classes):
            self.classes = classes
            self.space = Space([
                ordinal("depth", (1, 2)), ordinal("width", (8, 16, 32)), ordinal("crossbar", (32, 64)),
            ])

        def build(self, graph, choices):
            widths = [choices["width"], choices["width"]]
            families.vgg_layers(graph, self.classes, widths, [3, 3], pool_after=[0], depth=choices["depth"])

        def chip(self, choices):
            return ChipPlan(device="rram", rows=choices["crossbar"], cols=choices["crossbar"])

``naxbo optimize --system mine.py:Mine`` searches it. Choices are single values or arrays of thousands of them; the same
lines give the network that is trained and the table that is priced.
"""

from nax_bo.systems.claims import Assumed, Baselines, Claim
from nax_bo.systems.system import Description, System, load_system, system_names

__all__ = ["Assumed", "Baselines", "Claim", "Description", "System", "load_system", "system_names"]
