"""The report's sentences, made from its numbers.

The words under each figure, and what is told to a reader who cannot see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.figures.style import MODIFIED_STAMP, PHANTOM_STAMP, is_number, name_model
from mammoscan.records.dataset import DatasetRecord
from mammoscan.reporting.render import name_measure

CAPTIONS: dict[str, str] = {
    "metric_intervals": "The network is worth its trouble where its bar lies to the right of the simple "
    "models' bars and of the chance line.",
    "roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "precision_recall": "Further right, more cases are found; higher up, fewer of the warnings are false.",
    "confusion_matrix": "A row holds all samples that truly bear a label; "
    "what lies off the diagonal is wrong.",
    "reliability": "Below the dotted line probabilities are stated too high, above it too low. "
    "The bars below say how many samples bear each probability.",
    "calibration": "The same samples on both sides: calibration moves the probabilities, not their order.",
    "wrong_gallery": "The mistakes that the network was surest of: "
    "look here for a pattern, or for a wrong label. The bright places speak most for what was said (Grad-CAM); "
    "where they lie beside the finding, the network judged something else.",
    "class_counts": "How many samples of each class there were to learn from.",
    "scan_sheet": "Scans as they were read, with the annotated regions as rings.",
    "sample_sheet": "What the network was shown. "
    "What brightness or blur alone tells about the label, it will find.",
    "views": "Turned and mirrored copies of one image.",
    "probability_map": "Left of each pair what was marked, right of it what the network said.",
    "place_map": "If the clouds differ from label to label, place alone tells something about the label.",
    "topology": "The layers from input to output.",
    "training_curves": "Where the two curves part, "
    "the network goes on learning its training images by heart.",
    "compared_roc": "A curve that hugs the upper left corner finds much with few false alarms; "
    "the dotted line is guessing.",
    "compared_training": "Where a bold curve turns up while its thin one falls, that run learns by heart.",
    "ablation": "How far the number falls when one flaw of the procedure is taken away.",
    "experiment_chart": "The article's experiments repeated, with the claims that it made for them.",
}

# For these the best constant guess stands at a half, whatever the shares of the labels are.
_CHANCE = {"auc": 0.5}


def find_chance(metrics: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    """Return where a useless model stands: 0.5 for the AUC, else what the majority baseline reaches."""
    if metric in _CHANCE:
        return _CHANCE[metric]
    value = metrics.get("majority", {}).get(metric, {}).get("value")
    return float(value) if is_number(value) else None


def say_headline(
    metric: str, measures: Mapping[str, Any], unit: str, protocol: str, level: float = 0.95
) -> str:
    """Return the headline in one sentence: the value, its interval, on how many, and whether they were new.

    Args:
        metric: Name of the measure.
        measures: The network's measures, with ``samples`` and ``patients``.
        unit: What a sample is called, in the plural.
        protocol: ``patient`` or ``author``.
        level: Coverage of the interval.
    """
    measure = measures.get(metric) or {}
    on = _say_amount(measures, unit)
    if not is_number(measure.get("value")):
        return f"{name_measure(metric)} could not be measured{on}."
    interval = ""
    if is_number(measure.get("low")) and is_number(measure.get("high")):
        holds = ", with the variance of training" if "with the variance" in measure.get("method", "") else ""
        interval = f" ({100 * level:.0f} % interval {measure['low']:.2f} to {measure['high']:.2f}{holds})"
    new = (
        ", each measured by a network that had not seen that patient"
        if protocol == "patient"
        else ", divided the way the article did"
    )
    return f"{name_measure(metric)} {measure['value']:.2f}{interval}{on}{new}."


def say_meaning(metric: str, value: Any, positive: str) -> str:
    """Return what the value of a measure means for a reader who does not know it, or nothing."""
    if not is_number(value):
        return ""
    times = round(100 * float(value))
    if metric == "auc":
        return (
            f"Shown one {positive} case and one other, it gives the {positive} one the higher probability "
            f"{times} times in 100; guessing would do so 50 times."
        )
    if metric == "accuracy":
        return f"It is right {times} times in 100."
    if metric in ("sensitivity", "recall"):
        return f"It finds {times} of 100 {positive} cases."
    return ""


def judge_chance(measure: Mapping[str, Any], chance: float | None, leaking: bool = False) -> tuple[str, str]:
    """Return the verdict against chance: a tone and a sentence.

    Args:
        measure: The network's value with its interval.
        chance: Where a useless model stands, where that is known.
        leaking: Whether the training side has seen test images, scans or patients.

    Returns:
        ``good`` (the interval lies above chance), ``doubt`` (so it does, but the division leaks), ``nothing``
        (it includes chance, or there are too few patients), ``worse`` (it lies below) or ``unknown``, each
        with its sentence.
    """
    if chance is None or not all(is_number(measure.get(key)) for key in ("value", "low", "high")):
        return "unknown", "Whether this is better than chance was not measured."
    if measure.get("note"):
        return "nothing", f"This says nothing yet: {measure['note']}."
    if measure["low"] > chance and leaking:
        return "doubt", (
            f"The whole interval lies above chance ({chance:.2f}), but the network may have recognised "
            "what it had seen in training: this is no proof of skill."
        )
    if measure["low"] > chance:
        return "good", f"The whole interval lies above chance ({chance:.2f}): there is a signal."
    if measure["high"] < chance:
        return "worse", (
            f"The whole interval lies below chance ({chance:.2f}): look for swapped labels or a fault of the "
            "division before anything else."
        )
    return "nothing", f"This says nothing yet: the interval includes chance ({chance:.2f})."


def find_best_baseline(
    metrics: Mapping[str, Mapping[str, Any]], metric: str
) -> tuple[str, Mapping[str, Any]] | None:
    """Return the best baseline by a measure, with its measure; one that only guesses does not count."""
    found = [
        (model, measures[metric])
        for model, measures in metrics.items()
        if model not in ("cnn", "majority")
        and isinstance(measures.get(metric), Mapping)
        and is_number(measures[metric].get("value"))
    ]
    return max(found, key=lambda pair: float(pair[1]["value"]), default=None)


def say_baselines(
    metrics: Mapping[str, Mapping[str, Any]], metric: str, difference: Mapping[str, Any] | None = None
) -> str:
    """Return how the network stands to the best simple baseline, or nothing where there is none.

    Args:
        metrics: The measures of all models.
        metric: Name of the measure.
        difference: The paired difference, network less that baseline, where it was computed.
    """
    best = find_best_baseline(metrics, metric)
    measure = metrics.get("cnn", {}).get(metric) or {}
    if best is None or not is_number(measure.get("value")):
        return ""
    model, other = best
    name = name_model(model).lower()
    reached = f"The best simple model, the {name}, reaches {other['value']:.2f}"
    if other["value"] >= measure["value"]:
        return f"{reached}, as much as the network or more: by this measure nothing here needs a network."
    if difference and all(is_number(difference.get(key)) for key in ("value", "low", "high")):
        lead = f"{difference['value']:.2f} [{difference['low']:.2f}, {difference['high']:.2f}]"
        if difference["low"] > 0:
            return f"{reached}; on the same patients the network leads by {lead}."
        return f"{reached}; on the same patients the network's lead is {lead}, which may be no lead at all."
    if is_number(measure.get("low")) and other["value"] < measure["low"]:
        return f"{reached}, below the network's whole interval."
    return f"{reached}, within the network's interval: that the network is better is not certain."


def say_protocol(protocol: str, folds: int) -> str:
    """Return how the samples were divided, in words."""
    if protocol == "patient":
        return (
            f"The patients were divided into {folds} folds, and no patient is on both sides of any. "
            "Each fold's network was trained on the other patients, and its epoch was chosen on some of "
            "those, never on the patients that it is measured on. The AUC is the mean of "
            "the folds' own: only samples that one network scored are ranked against each other."
        )
    return (
        "The images were divided as the article divided them, so that its claim can be reproduced and "
        "weighed. Images of one scan may lie on both sides, so the figures do not tell how the network does "
        "on new patients."
    )


def say_worth(
    audit: Mapping[str, Any], claimed: Mapping[str, Any], apart: Mapping[str, Any] | None, metric: str = "auc"
) -> str:
    """Return what an author's number is worth and why.

    Args:
        audit: The leak audit of the article's division.
        claimed: The measure under that division.
        apart: The same measure with patients kept apart, where it was measured.
        metric: Name of the measure.
    """
    seen = audit.get("views") or {}
    parts = []
    if seen.get("count"):
        parts.append(
            f"{100 * seen['share']:.0f} % of the test images are also in the training set, as they are, "
            "turned or mirrored, so much of this number is memory, not skill."
        )
    if audit.get("epoch_chosen_on_test"):
        parts.append("The test images also chose the epoch, which flatters the number further.")
    if apart and is_number(apart.get("value")) and is_number(claimed.get("value")):
        fall = (
            f"With patients kept apart, {name_measure(metric)} goes from {claimed['value']:.2f} to "
            f"{_say_interval(apart)}"
        )
        tone, _ = judge_chance(apart, _CHANCE.get(metric))
        parts.append(f"{fall}, which says nothing yet." if tone == "nothing" else f"{fall}.")
    return " ".join(parts) or "No leak was found in this division."


def say_banner(kind: str) -> tuple[str, str]:
    """Return the warning that stands on top, and what it means; both empty for the published data."""
    if kind == "phantom":
        return PHANTOM_STAMP, "The numbers below test the software; they say nothing about any disease."
    if kind == "modified":
        return (
            MODIFIED_STAMP,
            "The numbers below cannot be compared with others' numbers.",
        )
    return "", ""


def say_data(record: DatasetRecord) -> str:
    """Return what the data are, in words."""
    size = f"{record.images:,} {record.unit}"
    size += f" of {record.patients:,} patients" if record.patients_known else "; patients unknown"
    if record.kind == "phantom":
        return f"Synthetic stand-in: {size}, drawn by a program. No image is of a person."
    if record.kind == "modified":
        return (
            f"{size}; not as published: {len(record.changed)} {record.unit} differ from it and "
            f"{len(record.missing)} are missing."
        )
    if record.verified:
        return f"{size}, every file as published."
    return f"{size}, as found there; there are no published checksums to compare the files with."


def find_leak(audit: Mapping[str, Any]) -> bool:
    """Return whether an audit found any test image, scan or patient on the training side."""
    shared = (audit.get(name) for name in ("exact", "views", "region", "source", "patient"))
    return any(isinstance(found, Mapping) and found.get("count") for found in shared)


def say_folds(measures: Mapping[str, Any]) -> str:
    """Return the folds' own AUCs in words, or nothing where there are not several."""
    folds = measures.get("fold_auc") or {}
    values = list((folds.get("values") or {}).values())
    if len(values) < 2:
        return ""
    told = ", ".join(f"{value:.2f}" if is_number(value) else "not defined" for value in values)
    return f"AUC of each fold by itself: {told}."


def say_duration(seconds: float) -> str:
    """Return a duration as a person says it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _say_amount(measures: Mapping[str, Any], unit: str) -> str:
    samples, patients = measures.get("samples"), measures.get("patients")
    if not samples:
        return ""
    return f" on {int(samples):,} {unit}" + (f" of {int(patients):,} patients" if patients else "")


def _say_interval(measure: Mapping[str, Any]) -> str:
    if is_number(measure.get("low")) and is_number(measure.get("high")):
        return f"{measure['value']:.2f} [{measure['low']:.2f}, {measure['high']:.2f}]"
    return f"{measure['value']:.2f}"
