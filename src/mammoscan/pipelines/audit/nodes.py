from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.data import division_table, packing
from mammoscan.data.image_folder import list_rejected
from mammoscan.datasets import ArrayFile
from mammoscan.evaluation import division_repair, leak_audit
from mammoscan.params import AuditParams, PackParams
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting.audit_page import AuditPage, build_page

logger = logging.getLogger("mammoscan")
UNREADABLE = "not compared: no such file, or it cannot be read"


def open_division(audit: AuditParams) -> tuple[DatasetRecord, pd.DataFrame]:
    """Read the table of the division, and find and fingerprint the images that it names."""
    record, division = division_table.open_division(audit)
    sides = ", ".join(f"{count:,} {side}" for side, count in division["side"].value_counts().items())
    people = f"{record.patients:,} patients" if record.patients_known else "patients unknown"
    logger.info("%d images, %s: %s", record.images, people, sides)
    return record, division


def pack_division(
    record: DatasetRecord, division: pd.DataFrame, audit: AuditParams, pack_folder: Path
) -> tuple[pd.DataFrame, ArrayFile, pd.DataFrame]:
    """Decode the images at the size at which they are compared.

    Returns:
        ``samples``, ``pixels`` in the same order, and the rejected lines: no such file, or one that cannot be read.
    """
    there = division["source"] != ""
    missing = list_rejected([(name, "no such file") for name in division.loc[~there, "sample_id"]])
    # Copies with two labels are for the audit to show, not for packing to refuse.
    chosen = division[there].assign(label="image").reset_index(drop=True)
    params = PackParams(size=(audit.size, audit.size), channels=1, workers=audit.workers)
    with show_progress("read images") as advance:
        packed = packing.pack_images(
            record, chosen, params, pack_folder, lambda done, total: advance(done, total, "")
        )
    labels = division.set_index("sample_id")["label"]
    samples = packed.samples.assign(
        label=labels.reindex(packed.samples["sample_id"]).to_numpy(),
        file=packed.samples["source"],
        # The audit's regions and scans: here every line is an image of its own.
        source=packed.samples["sample_id"],
        region_id=packed.samples["sample_id"],
    )
    return samples, ArrayFile(packed.pixels), pd.concat([missing, packed.refused], ignore_index=True)


def audit_division(record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray) -> dict[str, Any]:
    """Count what the sides share."""
    audit = audit_roles(record, samples, pixels, samples["role"])
    logger.info("%s", audit["sentence"])
    return audit


def audit_roles(
    record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray, roles: pd.Series
) -> dict[str, Any]:
    """Return the leak audit of a division."""
    folds = division_repair.lay_out_folds(samples, roles)
    return leak_audit.audit_leaks(samples, pixels, folds, patients_known=record.patients_known)


def find_pairs(
    record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray, leak_audit: dict[str, Any]
) -> pd.DataFrame:
    """List the images that have a copy, a near copy or their patient on another side, each with one of those."""
    keys = division_repair.find_keys(samples, pixels, leak_audit, record.patients_known)
    return division_repair.find_pairs(samples, samples["role"], keys)


def correct_division(
    audit: AuditParams,
    record: DatasetRecord,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    leak_audit: dict[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Make a division whose sides share nothing.

    Returns:
        The division's own table, every line and column of it, with the corrected side; ``side_before``, and
        ``change``: why the side is another one, or that the image could not be compared. And the leak audit of that.
    """
    keys = division_repair.find_keys(samples, pixels, leak_audit, record.patients_known)
    roles, why = division_repair.repair_division(samples, samples["role"], keys, audit.repair)
    _, table = division_table.read_division(audit)
    # In the table's own words.
    words = dict(zip(samples["role"], samples["side"], strict=True)) | {
        division_repair.OUT: division_repair.OUT
    }
    changed = why != ""
    ids = samples["sample_id"].to_numpy()
    sides = pd.Series(roles[changed].map(words).to_numpy(), ids[changed])
    lines = pd.Series(division_table.name_lines(table[audit.image]), table.index)
    said = pd.Series(why.to_numpy(), ids).reindex(lines).fillna(UNREADABLE)
    corrected = table.copy()
    corrected["side_before"] = table[audit.side]
    corrected[audit.side] = lines.map(sides).fillna(table[audit.side])
    corrected["change"] = said.to_numpy()
    logger.info("corrected division: %d of %d images change their side", changed.sum(), len(samples))
    return corrected, audit_roles(record, samples, pixels, roles)


def write_page(
    audit: AuditParams,
    record: DatasetRecord,
    run_info: RunInfo,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rejected: pd.DataFrame,
    found: dict[str, Any],
    pairs: pd.DataFrame,
    corrected: pd.DataFrame,
    corrected_audit: dict[str, Any],
) -> str:
    """Put what was found, with the pairs of images, on one self-contained HTML page."""
    return build_page(
        AuditPage(
            audit=audit,
            record=record,
            run_info=run_info,
            samples=samples,
            pixels=pixels,
            rejected=rejected,
            found=found,
            pairs=pairs,
            corrected=corrected,
            corrected_audit=corrected_audit,
        )
    )
