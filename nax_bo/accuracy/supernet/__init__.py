"""One network that holds all networks of a space: trained once, its slices are looked at without a training."""
