"""A study that runs: what to do next, who does it, and who is to blame when nothing comes of it."""
