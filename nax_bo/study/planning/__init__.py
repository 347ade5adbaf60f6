"""How long a study takes, and what is cut so that it ends in time."""
