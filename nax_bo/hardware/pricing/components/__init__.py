"""Prices of single components: energy per action, area, time, leakage, as functions of their settings."""
