"""Charts, each defined once in Vega-Altair: the page runs the definition, files are drawn from it without a browser."""
