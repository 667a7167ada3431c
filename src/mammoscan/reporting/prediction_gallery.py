"""One self-contained HTML page of images with what a model said of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mammoscan.records.card import Card
from mammoscan.reporting.model_card import INTENDED_USE
from mammoscan.reporting.render import render_page

# The table of answers has the rest.
MAX_ERRORS = 100


def build_gallery(
    card: Card,
    answers: pd.DataFrame,
    chosen: pd.DataFrame,
    unlike: pd.Series,
    regions: pd.DataFrame,
    pictures: Mapping[str, bytes],
) -> str:
    """Return the page; it needs no other file, no script and no network.

    Args:
        card: The model's.
        answers: All answers.
        chosen: Those that are shown, in this order.
        unlike: Which of them are of images unlike those of the training: they are shown apart.
        regions: The places to look at in whole scans.
        pictures: PNG bytes by file.
    """
    scans = set(regions["file"])
    shown: list[dict[str, Any]] = [
        {
            "file": row["file"],
            "label": row["label"] if isinstance(row["label"], str) else "no answer",
            "shares": []
            if card.target
            else [(label, float(row[f"p_{label}"])) for label in card.labels if pd.notna(row[f"p_{label}"])],
            "range": (row["low"], row["high"]) if card.target and pd.notna(row["low"]) else None,
            "warnings": list(row["warnings"]),
            "picture": _embed(pictures.get(row["file"])),
            "wide": row["file"] in scans,
            "regions": regions[regions["file"] == row["file"]].to_dict("records"),
        }
        for row in chosen.to_dict("records")
    ]
    apart = [image for image, is_unlike in zip(shown, unlike, strict=True) if is_unlike]
    errors = answers.loc[answers["error"].notna(), "error"].tolist()
    return render_page(
        "gallery.html.j2",
        card=card,
        intended=INTENDED_USE,
        counts={}
        if card.target and not card.target.levels
        else answers["label"].dropna().value_counts().to_dict(),
        total=len(answers),
        used=len(answers) - len(errors),
        warned=int((answers["warnings"].map(len) > 0).sum()),
        shown=[image for image in shown if image not in apart],
        apart=apart,
        withheld=int((answers["label"].isna() & answers["error"].isna()).sum()),
        errors=errors[:MAX_ERRORS],
        more_errors=max(0, len(errors) - MAX_ERRORS),
    )


def _embed(png: bytes | None) -> str:
    return "" if png is None else "data:image/png;base64," + base64.b64encode(png).decode("ascii")
