"""The analytical cost model: energy, latency and area from components, for one design or many."""
