"""What one asks of a study: predictions, variants, single designs, files for other tools."""
