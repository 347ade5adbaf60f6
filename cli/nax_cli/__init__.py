"""The ``naxbo`` command: parse, call nax_bo, print."""
