"""The page about findings on whole scans."""

from __future__ import annotations

from collections.abc import Mapping

from mammoscan.figures.style import STAMPS
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.froc import Froc
from mammoscan.reporting.render import render_page, say
from mammoscan.reporting.report import embed_picture


def build_froc_page(record: DatasetRecord, froc: Froc, figures: Mapping[str, bytes]) -> str:
    """Return the page; it needs no other file, no script and no network.

    Args:
        record: The data set.
        froc: What was measured.
        figures: PNG bytes of ``froc`` and ``findings``.
    """
    return render_page(
        "froc.html.j2",
        record=record,
        froc=froc,
        banner=(STAMPS.get(record.kind, ""), say("banner", record.kind)),
        pictures={name: embed_picture(name, png) for name, png in figures.items()},
    )
