"""Noise-aware accuracy: data sets, training, the fidelity ladder, training-free scores."""
