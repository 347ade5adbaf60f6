"""Joint spaces of network and chip choices, and how a design becomes both."""

from nax_bo.systems.system import System, load_system, system_names

__all__ = ["System", "load_system", "system_names"]
