"""What the search has learned of the outcomes so far."""
