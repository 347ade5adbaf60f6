"""How currents become numbers: slices, streams, converters, and the three ways to simulate them."""
