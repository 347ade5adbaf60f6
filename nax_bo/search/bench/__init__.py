"""Strategies beside each other, on problems whose answer is known."""
