from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan.data import mias
from mammoscan.data.mias_regions import SCAN_SIDE
from mammoscan.evaluation.froc import match_findings, measure_froc
from mammoscan.figures import froc as figures
from mammoscan.imaging.scan_grid import prepare_scales
from mammoscan.inference.scan_inference import find_peaks, map_scan
from mammoscan.params import (
    CropParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    ScanReading,
    ViewParams,
)
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.froc import Froc
from mammoscan.reporting.froc_page import build_froc_page

logger = logging.getLogger("mammoscan")

FINDING_COLUMNS = ("fold", "source", "patient_id", "rank", "score", "row", "column")


def read_scans(
    model: Any,
    samples: pd.DataFrame,
    rows: pd.DataFrame,
    record: DatasetRecord,
    scans: np.ndarray,
    question: Question,
    crop: CropParams,
    training: Recipe,
    reading: ScanReading,
    machine: MachineParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the whole scans of a fold's test patients with that fold's network; peaks become findings.

    Args:
        model: The fold's network.
        samples: The windows that the folds were made of; their scans are read.
        rows: The fold's rows and roles.
        record: The data set.
        scans: Its standardised scans and breast masks.
        question: Its positive label is what is looked for.
        crop: How windows are cut; scans are read with the same.
        training: The network's recipe.
        reading: How densely scans are read, and how many findings are kept.
        machine: On what it is computed.

    Returns:
        The findings, ``row`` and ``column`` in pixels of the published scan; and the scans that were read, those
        without a finding included.
    """
    fold = int(rows["fold"].iloc[0])
    test = samples.iloc[rows.loc[rows["role"] == "test", "row"].to_numpy(int)]
    listed = test.drop_duplicates("source")[["source", "patient_id"]].reset_index(drop=True)
    places = {name: index for index, name in enumerate(mias.list_scans(record))}
    scale = SCAN_SIDE / scans.shape[1]
    positive = question.labels.index(question.positive)
    views = ViewParams(prediction=reading.average_views)
    others = [other for other in crop.scales if other != 1]
    found: list[tuple[Any, ...]] = []
    with show_progress(f"whole scans, fold {fold + 1}") as advance:
        for done, (source, patient) in enumerate(listed.itertuples(index=False), 1):
            grid, mask = scans[places[source], :, :, 0], scans[places[source], :, :, 1].astype(bool)
            finer = prepare_scales(mias.read_scan(record, source), mask, others) if others else []
            scan_map = map_scan(
                model,
                np.asarray(grid),
                mask,
                reading.stride,
                recipe=training,
                views=views,
                machine=machine,
                others=finer,
            )
            peaks = find_peaks(scan_map, positive, crop.size / 2, reading.findings)
            for rank, peak in enumerate(peaks, 1):
                place = (peak.row * scale, peak.column * scale)
                found.append((fold, source, patient, rank, peak.probability, *place))
            advance(done, len(listed), f"{len(found)} findings")
    return pd.DataFrame(found, columns=list(FINDING_COLUMNS)), listed.assign(fold=fold)


def gather_findings(
    samples: pd.DataFrame, question: Question, **tables: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Put the folds' findings together and match them with the marked regions.

    Args:
        samples: The windows that the folds were made of.
        question: Its positive label marks the regions.
        tables: The folds' ``findings_<k>`` and ``scans_<k>``.

    Returns:
        The findings, each with the region that it hits; the regions, each with its highest finding; and the scans.
    """
    findings, scans = (
        pd.concat([table for name, table in tables.items() if name.startswith(kind)], ignore_index=True)
        for kind in ("findings", "scans")
    )
    marked = samples[(samples["label"] == question.positive) & samples["source"].isin(scans["source"])]
    matched, regions = match_findings(findings, marked.drop_duplicates("region_id"))
    return matched, regions, scans


def measure_findings(
    findings: pd.DataFrame, regions: pd.DataFrame, scans: pd.DataFrame, evaluation: EvaluationParams
) -> Froc:
    """Measure sensitivity by false findings per scan, with intervals over patients."""
    froc = measure_froc(findings, regions, scans, evaluation)
    for point in froc.at:
        measure = point.measure
        value, low, high = (
            float("nan") if measure[key] is None else measure[key] for key in ("value", "low", "high")
        )
        logger.info(
            "sensitivity at %g false findings per scan: %.2f [%.2f, %.2f]",
            *(point.false_findings, value, low, high),
        )
    return froc


def draw_froc(record: DatasetRecord, froc: Froc) -> Figure:
    """Draw sensitivity against false findings per scan."""
    return figures.draw_froc(froc, choose_stamp(record))


def draw_findings(
    record: DatasetRecord, scans: np.ndarray, findings: pd.DataFrame, regions: pd.DataFrame, froc: Froc
) -> Figure:
    """Draw regions found, regions missed and false findings, at two false findings per scan."""
    threshold = next(point.threshold for point in froc.at if point.false_findings == froc.subgroup_rate)
    return figures.draw_findings(
        scans[..., 0],
        mias.list_scans(record),
        findings,
        regions,
        -np.inf if threshold is None else threshold,
        choose_stamp(record),
        scan_size=SCAN_SIDE,
    )


def write_froc_page(record: DatasetRecord, froc: Froc, curve: bytes, gallery: bytes) -> str:
    """Write the findings on one self-contained HTML page."""
    return build_froc_page(record, froc, {"froc": curve, "findings": gallery})
