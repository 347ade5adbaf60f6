"""Strategies: naxbo's own, those of published systems, baselines."""
