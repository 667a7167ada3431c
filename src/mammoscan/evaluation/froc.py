"""Findings on whole scans against the marked regions: sensitivity by false findings per scan (FROC)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.bootstrap import draw_weights
from mammoscan.evaluation.intervals import interval_resampled, measure_auc
from mammoscan.evaluation.predictions import Scored
from mammoscan.params import EvaluationParams
from mammoscan.records.froc import Froc, FrocPoint, FrocSubgroup, RateSensitivity
from mammoscan.records.measures import Measure

RATES = (0.5, 1.0, 2.0, 4.0)
SUBGROUP_RATE = 2.0
# Of the marked radius, in millimetres; a pixel of a mini-MIAS scan is 0.2 mm.
SIZES = ((0.0, 6.0), (6.0, 12.0), (12.0, np.inf))
MM_PER_PIXEL = 0.2
MAX_POINTS = 400
_CHUNK = 200


def match_findings(findings: pd.DataFrame, regions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match findings with regions: one hits a region where its centre lies within the marked radius.

    Args:
        findings: ``source``, ``row``, ``column`` in pixels of the scan, and ``score``.
        regions: ``source``, ``region_id``, ``row``, ``column`` and ``radius``.

    Returns:
        The findings with ``region_id``, that of the nearest region hit or "" for a false finding; and the regions with
        ``score``, that of the highest finding that hits them, NaN where none does.
    """
    hit = np.full(len(findings), "", dtype=object)
    scores = np.full(len(regions), np.nan)
    by_source = regions.reset_index(drop=True).groupby("source").groups
    for number, (source, row, column, score) in enumerate(
        findings[["source", "row", "column", "score"]].itertuples(index=False)
    ):
        nearest = np.inf
        for place in by_source.get(source, ()):
            region = regions.iloc[place]
            distance = float(np.hypot(row - region["row"], column - region["column"]))
            if distance <= region["radius"]:
                scores[place] = np.nanmax([scores[place], score])
                if distance < nearest:
                    nearest, hit[number] = distance, str(region["region_id"])
    return findings.assign(region_id=hit), regions.assign(score=scores)


def measure_froc(
    findings: pd.DataFrame, regions: pd.DataFrame, scans: pd.DataFrame, evaluation: EvaluationParams
) -> Froc:
    """Measure findings on scans whose patients the network did not see.

    Args:
        findings: One row per finding: ``source``, ``patient_id``, ``row``, ``column``, ``score``.
        regions: One row per marked region, with ``patient_id``, ``radius``, ``group``, ``severity`` and ``tissue``.
        scans: One row per scan that was read: ``source``, ``patient_id``, ``fold``.
        evaluation: Resamples, level and seed of the intervals, over patients.
    """
    matched, found = match_findings(findings, regions)
    names, scan_patients = np.unique(scans["patient_id"].to_numpy(str), return_inverse=True)
    number = {name: index for index, name in enumerate(names)}
    false = matched[matched["region_id"] == ""].sort_values("score", ascending=False)
    false_scores = false["score"].to_numpy(float)
    false_patients = false["patient_id"].astype(str).map(number).to_numpy(int)
    region_patients = found["patient_id"].astype(str).map(number).to_numpy(int)
    region_scores = found["score"].fillna(-np.inf).to_numpy(float)

    def find_thresholds(weights: NDArray, rate: float) -> NDArray:
        """Return for each resample the score that a finding must exceed for at most ``rate`` false ones per scan."""
        per_scan = np.cumsum(weights[:, false_patients], axis=1) / weights[:, scan_patients].sum(
            axis=1, keepdims=True
        )
        beyond = per_scan > rate
        first = beyond.argmax(axis=1) if beyond.shape[1] else np.zeros(len(weights), int)
        found_any = beyond.any(axis=1)
        thresholds = np.full(len(weights), -np.inf)
        thresholds[found_any] = false_scores[first[found_any]]
        return thresholds

    def share(weights: NDArray, thresholds: NDArray, chosen: NDArray) -> NDArray:
        part = weights[:, region_patients[chosen]]
        hits = (region_scores[chosen][None, :] > thresholds[:, None]).astype(float)
        with np.errstate(invalid="ignore"):
            return (part * hits).sum(axis=1) / part.sum(axis=1)

    def measure(rate: float, chosen: NDArray) -> tuple[float, Measure]:
        ones = np.ones((1, len(names)))
        threshold = find_thresholds(ones, rate)
        value = float(share(ones, threshold, chosen)[0]) if len(chosen) else float("nan")
        draws = [
            share(weights, find_thresholds(weights, rate), chosen)
            for weights in draw_weights(len(names), evaluation.resamples, evaluation.seed, _CHUNK)
        ]
        patients = len(np.unique(region_patients[chosen]))
        return float(threshold[0]), interval_resampled(
            value, np.concatenate(draws), patients, evaluation.level
        )

    everything = np.arange(len(found))
    at = []
    for rate in RATES:
        threshold, found_share = measure(rate, everything)
        at.append(
            RateSensitivity(
                false_findings=rate,
                threshold=threshold if np.isfinite(threshold) else None,
                measure=found_share,
            )
        )
    subgroups = []
    for by, subgroup, chosen in _list_subgroups(found):
        subgroups.append(
            FrocSubgroup(
                by=by,
                subgroup=subgroup,
                regions=len(chosen),
                patients=len(np.unique(region_patients[chosen])),
                measure=measure(SUBGROUP_RATE, chosen)[1],
            )
        )
    return Froc(
        scans=len(scans),
        normal_scans=int((~scans["source"].isin(found["source"])).sum()),
        regions=len(found),
        patients=len(names),
        findings=len(findings),
        curve=tuple(_trace_curve(false_scores, region_scores, len(scans))),
        at=tuple(at),
        subgroup_rate=SUBGROUP_RATE,
        subgroups=tuple(subgroups),
        scan_auc=_measure_scores(findings, found, scans, "source", evaluation.level),
        patient_auc=_measure_scores(findings, found, scans, "patient_id", evaluation.level),
    )


def _trace_curve(false_scores: NDArray, region_scores: NDArray, scans: int) -> list[FrocPoint]:
    thresholds = np.unique(np.concatenate([false_scores, region_scores[np.isfinite(region_scores)]]))[::-1]
    if len(thresholds) > MAX_POINTS:
        thresholds = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, MAX_POINTS).astype(int))]
    return [
        FrocPoint(
            threshold=float(threshold),
            false_findings=float((false_scores >= threshold).sum() / scans),
            sensitivity=float((region_scores >= threshold).mean()) if len(region_scores) else 0.0,
        )
        for threshold in thresholds
    ]


def _list_subgroups(regions: pd.DataFrame) -> list[tuple[str, str, NDArray]]:
    listed = []
    for by in ("group", "severity", "tissue"):
        if by in regions:
            values = regions[by].astype(str).to_numpy()
            listed += [(by, value, np.flatnonzero(values == value)) for value in sorted(set(values))]
    radius = regions["radius"].to_numpy(float) * MM_PER_PIXEL
    for low, high in SIZES:
        name = f"radius over {low:g} mm" if np.isinf(high) else f"radius {low:g} to {high:g} mm"
        listed.append(("size", name, np.flatnonzero((radius > low) & (radius <= high))))
    return [(by, name, chosen) for by, name, chosen in listed if len(chosen)]


def _measure_scores(
    findings: pd.DataFrame, regions: pd.DataFrame, scans: pd.DataFrame, unit: str, level: float
) -> Measure:
    """Measure how well the highest finding tells units with a region from those without."""
    first = scans.assign(unit=scans[unit].astype(str)).drop_duplicates("unit").reset_index(drop=True)
    units = first["unit"].to_list()
    highest = findings.groupby(findings[unit].astype(str))["score"].max()
    score = np.array([float(highest.get(name, 0.0)) for name in units])
    truth = np.isin(np.array(units), regions[unit].astype(str).unique()).astype(int)
    names, patients = np.unique(first["patient_id"].to_numpy(str), return_inverse=True)
    return measure_auc(
        Scored(
            labels=("normal", "abnormal"),
            positive=1,
            probabilities=np.stack([1 - score, score], axis=1),
            truth=truth,
            patients=patients,
            n_patients=len(names),
            folds=first["fold"].to_numpy(),
        ),
        level,
    )
