"""Studies: settings, records on disk, and the loop that makes them grow."""
