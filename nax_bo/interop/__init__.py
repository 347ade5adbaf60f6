"""Designs from and to other tools."""
