"""The page on somebody else's division: what its sides share, pair by pair, and what the corrected one looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.figures.style import STAMPS
from mammoscan.params import AuditParams
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting.embed import embed_image
from mammoscan.reporting.render import render_page, say
from mammoscan.reporting.verdicts import find_leak

KINDS = {
    "exact": "The same image",
    "turned": "The same image, turned or mirrored",
    "near": "Nearly the same image",
    "patient": "The same patient",
}
COUNTS = (
    ("exact", "is there byte for byte, once decoded"),
    ("views", "is there as it is, turned or mirrored"),
    ("near", "is there or nearly so: brightness, compression, size, crop, slight turn"),
    ("patient", "has another image of its patient there"),
)


@dataclass(frozen=True)
class AuditPage:
    """What the page is made from.

    Attributes:
        found: The leak audit of the division as it is.
        pairs: Images with a copy, a near copy or their patient on another side.
        corrected: The corrected table.
        corrected_audit: The leak audit of that.
    """

    audit: AuditParams
    record: DatasetRecord
    run_info: RunInfo
    samples: pd.DataFrame
    pixels: np.ndarray
    rejected: pd.DataFrame
    found: Mapping[str, Any]
    pairs: pd.DataFrame
    corrected: pd.DataFrame
    corrected_audit: Mapping[str, Any]


def build_page(page: AuditPage) -> str:
    """Return the page; it needs no other file and no network."""
    side = page.audit.side
    changes = page.corrected["change"][page.corrected[side] != page.corrected["side_before"]]
    return render_page(
        "audit.html.j2",
        title=page.record.title,
        banner=(STAMPS.get(page.record.kind, ""), say("banner", page.record.kind)),
        record=page.record,
        audit=page.found,
        leaking=find_leak(page.found),
        clean=not find_leak(page.corrected_audit),
        corrected_audit=page.corrected_audit,
        counts=_tabulate_counts(page),
        sides=_tabulate_sides(page),
        kinds={KINDS[str(kind)]: int(count) for kind, count in page.pairs["kind"].value_counts().items()},
        contradictions=int(
            (
                page.pairs["kind"].isin(["exact", "turned"])
                & (page.pairs["label"] != page.pairs["other_label"])
            ).sum()
        ),
        pairs=_show_pairs(page),
        changes=changes.value_counts().to_dict(),
        changed=len(changes),
        total=len(page.corrected),
        repair=page.audit.repair,
        rejected=page.rejected["reason"].value_counts().to_dict(),
        run_info=page.run_info,
    )


def _tabulate_counts(page: AuditPage) -> list[dict[str, Any]]:
    left_out = () if page.record.patients_known else ("patient",)
    return [
        {"name": name, "before": page.found[key], "after": page.corrected_audit[key]}
        for key, name in COUNTS
        if key not in left_out
    ]


def _tabulate_sides(page: AuditPage) -> dict[str, Any]:
    """Return images, patients and labels of each side, before and after."""
    side, patient, label = page.audit.side, page.audit.patient, page.audit.label
    labels = sorted(set(page.corrected[label])) if label in page.corrected.columns else []
    rows = []
    for name in sorted(set(page.corrected[side]) | set(page.corrected["side_before"])):
        parts = [page.corrected[page.corrected[column] == name] for column in ("side_before", side)]
        rows.append(
            {
                "name": name or "(empty)",
                "images": [len(part) for part in parts],
                "patients": [part[patient].nunique() for part in parts] if patient else None,
                "labels": [[int((part[label] == each).sum()) for part in parts] for each in labels],
            }
        )
    return {"labels": labels, "rows": rows}


def _show_pairs(page: AuditPage) -> list[dict[str, Any]]:
    """Return the pairs with their pictures: of each kind in turn, patients last and only where there is room."""
    turn = page.pairs.groupby("kind").cumcount() + len(page.pairs) * (page.pairs["kind"] == "patient")
    shown = page.pairs.assign(turn=turn).sort_values("turn", kind="stable")
    place = {name: row for row, name in enumerate(page.samples["sample_id"])}
    return [
        {
            "kind": KINDS[pair["kind"]],
            "score": pair["score"] if pair["kind"] == "near" else None,
            "images": [
                {
                    "name": pair[name],
                    "side": pair[f"{before}side"],
                    "label": pair[f"{before}label"],
                    "picture": embed_image(np.asarray(page.pixels[place[pair[name]]])),
                }
                for name, before in (("sample_id", ""), ("other", "other_"))
            ],
        }
        for pair in shown.head(page.audit.shown).to_dict("records")
    ]
