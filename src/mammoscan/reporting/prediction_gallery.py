"""One self-contained HTML page of images with what a model said of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mammoscan.reporting.model_card import INTENDED_USE

_FOLDER = Path(__file__).parent
# What more errors would say is in the table.
MOST_ERRORS = 100


def build_gallery(
    card: Mapping[str, Any],
    answers: pd.DataFrame,
    chosen: pd.DataFrame,
    regions: pd.DataFrame,
    pictures: Mapping[str, bytes],
) -> str:
    """Return the page; it needs no other file, no script and no network.

    Args:
        card: The model's.
        answers: All answers.
        chosen: Those that are shown, in this order.
        regions: The places to look at in whole scans.
        pictures: PNG bytes by file.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scans = set(regions["file"])
    good = chosen[chosen["error"].isna()]
    shown = [
        {
            "file": row["file"],
            "label": row["label"],
            "shares": [(label, float(row[f"p_{label}"])) for label in card["labels"]],
            "warnings": list(row["warnings"]),
            "picture": _embed(pictures.get(row["file"])),
            "wide": row["file"] in scans,
            "regions": regions[regions["file"] == row["file"]].to_dict("records"),
        }
        for row in good.to_dict("records")
    ]
    errors = answers.loc[answers["error"].notna(), "error"].tolist()
    return environment.get_template("gallery.html.j2").render(
        card=card,
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),
        intended=INTENDED_USE,
        counts=answers["label"].dropna().value_counts().to_dict(),
        total=len(answers),
        used=len(answers) - len(errors),
        warned=int((answers["warnings"].map(len) > 0).sum()),
        shown=shown,
        errors=errors[:MOST_ERRORS],
        more_errors=max(0, len(errors) - MOST_ERRORS),
    )


def _embed(png: bytes | None) -> str:
    return "" if png is None else "data:image/png;base64," + base64.b64encode(png).decode("ascii")
