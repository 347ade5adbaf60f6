"""What a look would add: expected hypervolume improvement, in closed form and by BoTorch, and its promise kept."""
