"""The documentation's site: ``sphinx-build -W -b html docs docs/_build/html``. It needs no network."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from mammoscan import __version__

ROOT = Path(__file__).resolve().parents[1]

# Written anew each time: a page of a module that is gone would be an error.
shutil.rmtree(ROOT / "docs" / "reference" / "api", ignore_errors=True)

# Keras, imported for its annotations, takes the backend that is always installed, and says nothing.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "Mammoscan"
author = copyright = "The Mammoscan developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
root_doc = "index"

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

autosummary_generate = True
napoleon_use_ivar = True  # a record's attributes are described once
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"

# A class that a room offers again under a shorter name is documented where it stands.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "Mammoscan"
html_static_path: list[str] = []
html_copy_source = False


def point_outside(_: Any, docname: str, source: list[str]) -> None:
    """Turn links to files beside docs/ into plain code: the site holds the pages alone."""
    folder = (ROOT / "docs" / docname).parent

    def replace(match: re.Match[str]) -> str:
        words, target = match.groups()
        path = target.partition("#")[0]
        if re.match(r"[a-z]+:", target) or not path:
            return match[0]
        file = (folder / path).resolve()
        if file.is_relative_to(ROOT / "docs"):
            return match[0]
        return (
            f"{words} (`{file.relative_to(ROOT)}`)" if words != file.name else f"`{file.relative_to(ROOT)}`"
        )

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", replace, source[0])


def setup(app: Any) -> None:
    """Register what changes the pages' sources."""
    app.connect("source-read", point_outside)
