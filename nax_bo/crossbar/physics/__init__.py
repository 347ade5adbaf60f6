"""What cells hold and wires lose: programming, drift, read noise, faults, IR drop."""
