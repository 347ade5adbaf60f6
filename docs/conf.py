"""Sphinx settings of the manual: sphinx-build -W -n docs build/manual (extra: docs)."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
for part in ("", "surrogates", "cli"):
    sys.path.insert(0, str(HERE.parent / part))
sys.path.insert(0, str(HERE))

from reference_pages import write_pages  # noqa: E402

project = "naxbo"
author = "naxbo's authors"
copyright = author
version = release = installed("naxbo")

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["build"]
html_theme = "furo"
html_title = "naxbo"
html_static_path: list[str] = []
html_show_sourcelink = False


def setup(app):
    """Reference pages are written from the code before every build."""
    write_pages(HERE / "reference")
