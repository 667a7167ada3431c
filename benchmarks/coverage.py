"""Measure by simulation how often each interval that a report prints covers the truth, and how often a verdict errs.

Patients have one to four images each, which are alike; labels are the patients'. First the networks are given: their
scores are drawn, so that the truth is known. Then a cheap model (logistic regression) is really trained in five folds,
which shows what training adds: without a signal the verdict must say so.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from mammoscan.evaluation import decision_curve
from mammoscan.evaluation.comparison import compare_predictions
from mammoscan.evaluation.metrics import measure_predictions
from mammoscan.evaluation.operating_point import measure_trust
from mammoscan.evaluation.patient_accuracy import score_patients
from mammoscan.params import EvaluationParams, Question

QUESTION = Question(text="?", labels=("benign", "malignant"), positive="malignant")
PATIENTS, PREVALENCES = (25, 50, 100), (0.1, 0.3, 0.5)
MAX_IMAGES, ALIKE, FOLDS = 4, 0.5, 5
AREAS = (0.8, 0.95)
# Distances between the labels' means in the features of the model that is trained; 0 is no signal.
SIGNALS = (0.0, 0.75, 1.5)
FEATURES = 10
LEVEL = 0.95
NET_THRESHOLDS = (0.1, 0.2, 0.3, 0.5)
TABLES = ("trained", "given", "net_benefit")
Outcome = tuple[str, bool, bool]


@dataclass(frozen=True)
class Case:
    """What is simulated: so many patients, a share of them positive, and an AUC."""

    patients: int
    prevalence: float
    auc: float

    @property
    def prior(self) -> float:
        """Logit of the prevalence."""
        return float(np.log(self.prevalence / (1 - self.prevalence)))

    @property
    def gap(self) -> float:
        """Distance between the labels' scores in standard deviations."""
        return float(np.sqrt(2) * norm.ppf(self.auc))


def draw_patients(case: Case, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Return each patient's label and each image's patient."""
    positive = rng.random(case.patients) < case.prevalence
    while not 2 <= positive.sum() <= case.patients - 2:
        positive = rng.random(case.patients) < case.prevalence
    return positive, np.repeat(np.arange(case.patients), rng.integers(1, MAX_IMAGES + 1, case.patients))


def tabulate(
    score: NDArray, positive: NDArray, patients: NDArray, folds: NDArray | int = 0, model: str = "cnn"
) -> pd.DataFrame:
    """Return scores in the layout of predictions."""
    p = 1 / (1 + np.exp(-score))
    return pd.DataFrame(
        {
            "model": model,
            "fold": folds,
            "sample_id": np.arange(len(p)),
            "patient_id": patients,
            "label": np.where(positive, "malignant", "benign"),
            "p_benign": 1 - p,
            "p_malignant": p,
        }
    )


def draw_given(case: Case, rng: np.random.Generator) -> pd.DataFrame:
    """Draw calibrated scores of a network that is given; folds only divide the patients."""
    positive, patients = draw_patients(case, rng)
    shared, own = rng.normal(size=case.patients)[patients], rng.normal(size=len(patients))
    x = case.gap * positive[patients] + np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * own
    return tabulate(case.prior + case.gap * (x - case.gap / 2), positive[patients], patients)


def find_truth(case: Case) -> dict[str, float]:
    """Compute the measures of so many images that chance plays no part, decided at even odds."""
    grid = np.linspace(-9, 9 + case.gap, 40_001)
    logit = case.prior + case.gap * (grid - case.gap / 2)
    p = 1 / (1 + np.exp(-logit))
    weights = [norm.pdf(grid), norm.pdf(grid - case.gap)]
    negative, positive = (
        share * weight / weight.sum()
        for share, weight in zip((1 - case.prevalence, case.prevalence), weights, strict=True)
    )
    said = p >= 0.5
    hit, false = positive[said].sum(), negative[said].sum()
    missed, right = case.prevalence - hit, 1 - case.prevalence - false
    above = (positive + negative)[::-1].cumsum()[::-1]
    precision = positive[::-1].cumsum()[::-1] / np.maximum(above, 1e-300)
    f1 = 2 * hit / (2 * hit + missed + false)
    other = 2 * right / (2 * right + missed + false)
    return {
        "auc": case.auc,
        "accuracy": hit + right,
        "balanced_accuracy": (hit / case.prevalence + right / (1 - case.prevalence)) / 2,
        "sensitivity": hit / case.prevalence,
        "specificity": right / (1 - case.prevalence),
        "precision": hit / (hit + false) if hit + false else np.nan,
        "f1": f1,
        "macro_f1": (f1 + other) / 2,
        "average_precision": (precision * positive).sum() / case.prevalence,
        "brier": (positive * (1 - p) ** 2 + negative * p**2).sum(),
        "log_loss": -(positive * np.log(p) + negative * np.log1p(-p)).sum(),
    }


def name_outcome(name: str, measure: Any, truth: float) -> Iterator[Outcome]:
    """Yield a measure's name, whether its interval covers the truth, and whether too few patients are noted."""
    if measure["low"] is not None:
        yield name, bool(measure["low"] <= truth <= measure["high"]), bool(measure["note"])


def simulate_given(case: Case, sets: int, resamples: int, seed: int) -> Iterator[Outcome]:
    """Yield what becomes of the intervals of networks that are given."""
    truth, rng = find_truth(case), np.random.default_rng(seed)
    evaluation = EvaluationParams(
        threshold={"rule": "sensitivity", "at": 0.9}, resamples=resamples, level=LEVEL, metadata_columns=()
    )
    for _ in range(sets):
        table = draw_given(case, rng)
        measured = measure_predictions(table, QUESTION, evaluation)["cnn"]
        for name, value in truth.items():
            yield from name_outcome(name, measured[name], value)
        scores = score_patients(table, table, QUESTION, evaluation).iloc[0]
        patient = {
            "low": scores["patient_score_low"],
            "high": scores["patient_score_high"],
            "note": scores["note"],
        }
        yield from name_outcome("patient_score", patient, truth["accuracy"])
        trust = measure_trust(table.assign(fold=table["patient_id"] % FOLDS), QUESTION, evaluation)
        before = trust["calibration"]["before"]
        for name, value in (("slope", 1.0), ("intercept", 0.0)):
            yield from name_outcome(name, before[name], value)
        yield from name_outcome("ece_if_calibrated", before["ece_if_calibrated"], before["ece"]["value"])
        yield from name_outcome("temperature", trust["fitted_temperature"], 1.0)
        cut = trust["temperature"] * np.log(trust["threshold"] / (1 - trust["threshold"]))
        place = (cut - case.prior) / case.gap + case.gap / 2
        chosen, alarms = trust["operation"]["chosen"], norm.sf(place)
        found = norm.sf(place - case.gap)
        yield from name_outcome("chosen: sensitivity", chosen["sensitivity"], found)
        yield from name_outcome("chosen: specificity", chosen["specificity"], 1 - alarms)
        share = evaluation.threshold.prevalence
        recalled = share * found + (1 - share) * alarms
        yield from name_outcome("chosen: ppv", chosen["ppv"], share * found / recalled)
        right = (1 - share) * (1 - alarms)
        yield from name_outcome("chosen: npv", chosen["npv"], right / (right + share * (1 - found)))
        yield from name_outcome("chosen: recalled", chosen["recalled"], recalled)
        # What was said of a threshold before: on these patients it finds the share that the rule promises.
        yield "chosen: true sensitivity at least .85", bool(found >= 0.85), False


def simulate_net_benefit(case: Case, sets: int, resamples: int, seed: int) -> Iterator[Outcome]:
    """Yield what becomes of the intervals of the net benefit, at the share of positives that each data set has."""
    rng = np.random.default_rng(seed)
    evaluation = EvaluationParams(resamples=resamples, level=LEVEL, metadata_columns=())
    for _ in range(sets):
        curve = decision_curve.measure_decision_curve(draw_given(case, rng), QUESTION, evaluation)
        for point in curve.points:
            if point.threshold not in NET_THRESHOLDS:
                continue
            odds = point.threshold / (1 - point.threshold)
            place = (np.log(odds) - case.prior) / case.gap + case.gap / 2
            found, false = norm.sf(place - case.gap), norm.sf(place)
            truth = curve.prevalence * found - (1 - curve.prevalence) * odds * false
            yield from name_outcome(f"net benefit at {100 * point.threshold:.0f} %", point.model, truth)


def fit_logistic(features: NDArray, positive: NDArray, ridge: float = 1.0) -> NDArray:
    """Return the weights of a logistic regression, the constant last."""
    design = np.c_[features, np.ones(len(features))]
    penalty = np.diag([*[ridge] * features.shape[1], 1e-6])
    weights = np.zeros(design.shape[1])
    for _ in range(8):
        p = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (p - positive) + penalty @ weights
        weights -= np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + penalty, slope)
    return weights


def cross_validate(case: Case, signal: float, rng: np.random.Generator) -> tuple[list[pd.DataFrame], float]:
    """Train two models in the same folds, each on its own features; return predictions and the first's true AUC."""
    positive, patients = draw_patients(case, rng)
    folds = np.zeros(case.patients, int)
    for label in (True, False):
        own = rng.permutation(np.flatnonzero(positive == label))
        folds[own] = (np.arange(len(own)) + rng.integers(FOLDS)) % FOLDS
    tables, areas = [], []
    for model in ("cnn", "texture"):
        shared = rng.normal(size=(case.patients, FEATURES))[patients]
        features = np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * rng.normal(size=shared.shape)
        features[:, 0] += signal * positive[patients]
        score = np.zeros(len(patients))
        for fold in range(FOLDS):
            inside = folds[patients] == fold
            weights = fit_logistic(features[~inside], positive[patients][~inside])
            score[inside] = features[inside] @ weights[:-1] + weights[-1]
            areas.append(norm.cdf(signal * weights[0] / np.sqrt(2 * (weights[:-1] ** 2).sum())))
        tables.append(tabulate(score, positive[patients], patients, folds[patients], model))
    return tables, float(np.mean(areas[:FOLDS]))


def simulate_training(case: Case, signal: float, sets: int, resamples: int, seed: int) -> dict[str, float]:
    """Return coverages and errors of intervals with the variance of training."""
    rng = np.random.default_rng(seed)
    evaluation = EvaluationParams(resamples=resamples, level=LEVEL, metadata_columns=())
    lows, highs, given, truths, leads = [], [], [], [], []
    for _ in range(sets):
        tables, truth = cross_validate(case, signal, rng)
        compared = compare_predictions(tables[0], tables[1], QUESTION, evaluation)
        auc = compared["a"]
        lows.append(auc["low"])
        highs.append(auc["high"])
        truths.append(truth)
        # What the interval was without the variance of training: on the logit scale narrower by the root of 2.
        ends = np.clip([auc[key] for key in ("value", "low", "high")], 1e-9, 1 - 1e-9)
        value, low, high = np.log(ends / (1 - ends))
        given.append([value - (value - low) / np.sqrt(2), value + (high - value) / np.sqrt(2)])
        leads.append((compared["low"] > 0, compared["high"] < 0))
    low, high, expected = np.array(lows), np.array(highs), float(np.mean(truths))
    narrow = 1 / (1 + np.exp(-np.array(given)))
    lead = np.mean(leads, axis=0)
    return {
        "true AUC": expected,
        "covers the procedure's AUC": float(np.mean((low <= expected) & (expected <= high))),
        "covers these networks' AUC": float(np.mean((low <= truths) & (truths <= high))),
        "signal is said": float(np.mean(low > 0.5)),
        "below chance is said": float(np.mean(high < 0.5)),
        "signal would be said of given networks": float(np.mean(narrow[:, 0] > 0.5)),
        "a lead is said of equal models": float(lead.sum()),
    }


def write_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def find_range(cells: Iterable[str]) -> str:
    """Return the lowest and the highest coverage of the cells that are not in brackets."""
    shown = [int(cell) for cell in cells if cell.isdigit()]
    return f"{min(shown)} to {max(shown)}" if shown else "–"


def tabulate_given(
    sets: int,
    resamples: int,
    seed: int,
    areas: Iterable[float],
    simulate: Callable[[Case, int, int, int], Iterator[Outcome]] = simulate_given,
) -> str:
    """Return the table of coverages in percent; in brackets where most intervals are flagged as of too few patients."""
    cells: dict[tuple[str, float], dict[tuple[int, float], str]] = defaultdict(dict)
    # Cells do not share their data sets: what chance does in one says nothing of the next.
    cases = itertools.product(areas, PATIENTS, PREVALENCES)
    for number, (auc, patients, prevalence) in enumerate(cases, seed):
        found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for name, covered, flagged in simulate(Case(patients, prevalence, auc), sets, resamples, number):
            found[name].append((covered, flagged))
        for name, outcomes in found.items():
            covered, flagged = np.mean(outcomes, axis=0)
            shown = f"{100 * covered:.0f}"
            cells[name, auc][patients, prevalence] = f"({shown})" if flagged > 0.5 else shown
        print(f"# {auc} {patients} {prevalence} {time.process_time():.0f} s", flush=True)
    keys = [(patients, prevalence) for patients in PATIENTS for prevalence in PREVALENCES]
    rows = [
        [name, f"{auc:g}", *(row.get(key, "–") for key in keys), find_range(row.values())]
        for (name, auc), row in sorted(cells.items(), key=lambda item: list(cells).index(item[0]) % 1000)
    ]
    rows.sort(key=lambda row: [name for name, _ in cells].index(row[0]))
    heads = [f"{patients}, {100 * prevalence:.0f} %" for patients, prevalence in keys]
    return write_table(["Interval", "AUC", *heads, "range"], rows)


def tabulate_training(sets: int, resamples: int, seed: int) -> str:
    """Return the table of what training adds, in percent."""
    rows = []
    for patients, prevalence in ((25, 0.5), (50, 0.3), (100, 0.1), (100, 0.5)):
        for signal in SIGNALS:
            count = min(sets, 300) if signal else sets
            found = simulate_training(Case(patients, prevalence, 0.5), signal, count, resamples, seed)
            truth = found.pop("true AUC")
            values = [f"{100 * value:.1f}" for value in found.values()]
            rows.append([f"{patients}, {100 * prevalence:.0f} %", f"{truth:.2f}", *values])
            print(f"# {patients} {prevalence} {signal} {time.process_time():.0f} s", flush=True)
    return write_table(["Patients, prevalence", "True AUC", *found], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400, help="data sets per cell of networks that are given")
    parser.add_argument("--trained", type=int, default=1000, help="data sets without a signal; with one, 300")
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="which of them to make")
    args = parser.parse_args()
    if "trained" in args.tables:
        print(tabulate_training(args.trained, args.resamples, args.seed), flush=True)
    if "given" in args.tables:
        print(tabulate_given(args.sets, args.resamples, args.seed, AREAS), flush=True)
    if "net_benefit" in args.tables:
        print(tabulate_given(args.sets, args.resamples, args.seed, AREAS, simulate_net_benefit), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
