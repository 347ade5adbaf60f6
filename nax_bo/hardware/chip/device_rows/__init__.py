"""Rows of memory devices: one publication or one openly licensed file each, never an average."""
