"""Typed records for tests."""

from __future__ import annotations

from typing import Any

from mammoscan.records.dataset import DatasetRecord


def make_dataset_record(**changes: Any) -> DatasetRecord:
    """Return the record of mini-MIAS as published, or one with some fields changed."""
    facts: dict[str, Any] = {
        "dataset": "mias",
        "title": "mini-MIAS",
        "kind": "real",
        "verified": True,
        "source": "/data/mias",
        "folder": "/data/mias",
        "fingerprint": "f" * 64,
        "unit": "scans",
        "images": 322,
        "patients": 161,
    }
    return DatasetRecord(**{**facts, **changes})
