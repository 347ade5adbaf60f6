"""Re-implementations of published simulators, to compare with; nothing else depends on them."""
