"""The exact inner optimum: choices that change what a chip costs, and never what it computes."""
