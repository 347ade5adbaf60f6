"""naxbo: Bayesian co-optimisation of neural networks and analog compute-in-memory chips."""
