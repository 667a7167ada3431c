"""The section that lays predictions out on the slides that the patches were cut from.

The section that counts patients beside images, by magnification and tumour type.

The sections that put an article's claims beside what came out here, and say what they are worth.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.data.idc import SIDE
from mammoscan.evaluation.bootstrap import MIN_PATIENTS, TOO_FEW
from mammoscan.evaluation.patient_accuracy import EVERYTHING, score_patients
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.figures.slide_map import draw_probability_map as draw_map
from mammoscan.figures.slide_map import pick_slides
from mammoscan.params import EvaluationParams, Question, SplitParams
from mammoscan.pipelines.author import nodes
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import History

BY = ("magnification", "group")
NAMES = {"magnification": "Magnification", "group": "Type"}


def score_breakdown(
    predictions: pd.DataFrame, samples: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Measure the network by image and by patient: over all, at each magnification and for each tumour type."""
    by = [name for name in BY if len(samples[name].unique()) > 1]
    return score_patients(predictions, samples, question, evaluation, by)


def describe_breakdown(
    scores: pd.DataFrame, samples: pd.DataFrame, predictions: pd.DataFrame, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Put the breakdown into words: a section of the report."""
    # A note that says nothing comes back from a file as a missing value.
    scores = scores.fillna({"note": ""})
    overall = scores.iloc[0]
    level = f"{100 * evaluation.level:.0f} %"
    paragraphs = [
        f"Image by image, {format_share(overall, 'image_accuracy')} of the answers are right. BreaKHis' own measure, "
        "the patient score, is the mean over patients of the share of a patient's images that are right: "
        f"{format_share(overall, 'patient_score')}. In brackets stand {level} intervals over patients.",
        _say_constant(samples, predictions),
    ]
    if overall["note"]:
        paragraphs.insert(
            0,
            f"The rarest label has {overall['fewest']} patients, fewer than {MIN_PATIENTS}: {TOO_FEW}. "
            "The figures below show that the software runs, and no more.",
        )
    elif (scores["note"] != "").any():
        paragraphs.append(f"Where a row rests on fewer than {MIN_PATIENTS} patients of a label, it says so.")
    rows = [
        [
            "All images"
            if row["by"] == EVERYTHING
            else f"{NAMES.get(row['by'], row['by'])} {_name_level(row['subgroup'])}",
            int(row["images"]),
            int(row["patients"]),
            format_share(row, "image_accuracy"),
            format_share(row, "patient_score"),
            row["note"],
        ]
        for row in scores.to_dict("records")
    ]
    table = {
        "caption": "Share of right answers at the stated threshold",
        "columns": ["", "Images", "Patients", "Right, by image", "Patient score", ""],
        "rows": rows,
    }
    return {
        "title": "Image by image, and patient by patient",
        "paragraphs": paragraphs,
        "tables": [table],
        "figures": [],
    }


def format_share(row: Any, name: str) -> str:
    """Return a share with its interval in percent."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return "not defined"
    if pd.isna(low) or pd.isna(high):
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _say_constant(samples: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """Say what always giving the most frequent answer would reach: accuracy means little without it."""
    tested = samples[samples["sample_id"].astype(str).isin(set(predictions["sample_id"].astype(str)))]
    frequent = str(tested["label"].value_counts().idxmax())
    right = tested["label"] == frequent
    by_patient = right.groupby(tested["patient_id"]).mean().mean()
    return (
        f"Whoever always answers {frequent} is right for {100 * right.mean():.1f} % of the images and has a patient "
        f"score of {100 * by_patient:.1f} %; within a single tumour type that answer is always right or always wrong."
    )


def _name_level(level: str) -> str:
    return f"{level}X" if level.isdigit() else level.replace("_", " ")


# What the BreaKHis article states; its precision and recall are on as many benign as malignant images.
ACCURACY, PRECISION, RECALL, F1, AREA = 0.983, 0.65, 0.95, 0.77, 0.692


def describe_breakhis_claims(
    metrics: dict[str, Any], history: History, folds: pd.DataFrame, leak_audit: dict[str, Any]
) -> dict[str, Any]:
    """Show how 98.3 % accuracy and a ROC-AUC of .692 can stand in one article: they are not of the same images."""
    network = metrics["cnn"]
    sides = folds["fold_0"].value_counts()
    best = max(epoch.val_accuracy or 0.0 for epoch in history.epochs)
    hard = _average(network["sensitivity"], network["specificity"])
    false_alarms = RECALL * (1 - PRECISION) / PRECISION
    implied = (RECALL + 1 - false_alarms) / 2
    rows = [
        [
            "Images to train",
            "2,000, divided 80/20",
            f"{sides.get('train', 0):,} + {sides.get('validation', 0):,}",
            "",
        ],
        ["Further images", "500", f"{sides.get('test', 0):,}", "not used in training"],
        [
            "Accuracy on the images that chose the epoch",
            f"{100 * ACCURACY:.1f} %",
            f"{100 * best:.1f} %",
            "the best of all epochs, on the images by which it is the best",
        ],
        ["Accuracy on the further images", "", format_percent(network["accuracy"]), ""],
        ["Precision on malignant", f"{100 * PRECISION:.0f} %", format_percent(network["precision"]), ""],
        ["Recall on malignant", f"{100 * RECALL:.0f} %", format_percent(network["sensitivity"]), ""],
        ["F1 on malignant", f"{F1:.2f}", _format(network["f1"]), ""],
        ["ROC-AUC of hard labels", f"{AREA:.3f}", hard, "the mean of recall and specificity"],
        ["ROC-AUC of probabilities", "", _format(network["auc"]), ""],
    ]
    paragraphs = [
        "The article states 98.3 % accuracy and a ROC-AUC of .692. Of the same images that cannot be. A curve drawn "
        "from hard labels has one point, and the area under it is the mean of recall and specificity; with as many "
        "benign as malignant images that is the accuracy itself. An accuracy of 98.3 % would make it .983.",
        f"Its own precision of {PRECISION:.2f} at a recall of {RECALL:.2f} says the same: with equal classes they mean "
        f"false alarms on {100 * false_alarms:.0f} % of the benign images, hence an accuracy, and an area of hard "
        f"labels, of about {implied:.2f}. The reading that makes both true: 98.3 % is of the images that chose the "
        "epoch, the other four figures of other images, on which the network is right about seven times in ten.",
        f"Here the best accuracy on the images that chose the epoch is {100 * best:.1f} %, and on the further images "
        f"it is {format_percent(network['accuracy'])}; the area of hard labels is {hard}, that of probabilities "
        f"{_format(network['auc'])}. Hard labels throw the ranking away: that is all that stands between the last two.",
        say_shared(leak_audit),
    ]
    return _make(paragraphs, rows)


def describe_listed_claims(
    metrics: dict[str, Any], history: History, leak_audit: dict[str, Any], split: SplitParams
) -> dict[str, Any]:
    """Put the claims on the 400X images beside what came out here."""
    epochs = history.epochs
    learnt = next((epoch.epoch for epoch in epochs if epoch.accuracy >= 0.9995), None)
    seconds = sum(epoch.seconds for epoch in epochs)
    rows = [
        ["Time to train", "256 s", f"{seconds:.0f} s", f"{len(epochs)} epochs on this machine"],
        [
            "Training accuracy of 100 %",
            "by about epoch 3",
            f"by epoch {learnt}" if learnt else "not reached",
            f"highest: {100 * max(epoch.accuracy for epoch in epochs):.1f} %",
        ],
        ["Accuracy on the other images", "85.5 %", format_percent(network_accuracy(metrics)), ""],
        ["AUC on the other images", "", _format(metrics["cnn"]["auc"]), ""],
    ]
    return _make([say_shared(leak_audit), _say_choice(split)], rows)


def describe_patch_claims(
    metrics: dict[str, Any], leak_audit: dict[str, Any], split: SplitParams
) -> dict[str, Any]:
    """Put the claim on the IDC patches beside what came out here."""
    tested = metrics["cnn"]
    frequent = max(label["samples"] for label in tested["labels"].values()) / tested["samples"]
    rows = [
        ["Accuracy on the other patches", "over 85 %", format_percent(network_accuracy(metrics)), ""],
        [
            "Always the more frequent answer",
            "",
            f"{100 * frequent:.0f} %",
            "what an accuracy has to be held against",
        ],
        ["Balanced accuracy", "", format_percent(tested["balanced_accuracy"]), ""],
        ["AUC", "", _format(tested["auc"]), ""],
    ]
    return _make([say_shared(leak_audit), _say_choice(split)], rows)


def network_accuracy(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the network's accuracy with its interval."""
    accuracy: dict[str, Any] = metrics["cnn"]["accuracy"]
    return accuracy


def say_shared(leak_audit: dict[str, Any]) -> str:
    """Say how many of the tested images are of patients that the network has learnt from."""
    shared = leak_audit["patient"]
    return (
        f"Images are divided, not patients: {100 * shared['share']:.0f} % of the tested images are of patients who "
        "have other images on the training side. A slide's stain is its own, so the network can know the slide "
        "instead of the tumour. The study of the same name without the author's division keeps patients apart: compare."
    )


def _say_choice(split: SplitParams) -> str:
    if split.choose_epoch_on == "test":
        return (
            "The article names one set beside the training set, so the tested images also chose the epoch; that "
            "flatters every figure here."
        )
    return "The epoch was chosen on a part of the training images, not on the tested ones."


def _make(paragraphs: list[str], rows: list[list[str]]) -> dict[str, Any]:
    table = {
        "caption": "What the article states, and what came out here",
        "columns": ["", "Article", "Here", "Note"],
        "rows": rows,
    }
    return {
        "title": "The article's figures beside ours",
        "paragraphs": paragraphs,
        "tables": [table],
        "figures": [],
    }


def _average(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one["value"] is None or other["value"] is None:
        return "not defined"
    return f"{(one['value'] + other['value']) / 2:.2f}"


def format_percent(measure: dict[str, Any]) -> str:
    """Return a share with its interval in percent, or that it is not defined: nothing may be called malignant."""
    return "not defined" if measure["value"] is None else nodes.format_percent(measure)


def _format(measure: dict[str, Any]) -> str:
    if measure["value"] is None:
        return "not defined"
    if measure["low"] is None or measure["high"] is None:
        return f"{measure['value']:.2f}"
    return f"{measure['value']:.2f} [{measure['low']:.2f}, {measure['high']:.2f}]"


SHOWN = 6


def place_predictions(predictions: pd.DataFrame, samples: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return ``patient_id``, ``x``, ``y``, ``is_positive`` and ``probability`` of each of the network's predictions."""
    network = predictions[predictions["model"] == MAIN_MODEL]
    places = samples[["sample_id", "patient_id", "x", "y", "label"]].merge(
        network[["sample_id", f"p_{question.positive}"]], on="sample_id", validate="one_to_one"
    )
    return pd.DataFrame(
        {
            "patient_id": places["patient_id"].astype(str),
            "x": places["x"],
            "y": places["y"],
            "is_positive": places["label"] == question.positive,
            "probability": places[f"p_{question.positive}"],
        }
    )


def draw_probability_map(
    record: DatasetRecord, predictions: pd.DataFrame, samples: pd.DataFrame, question: Question
) -> Figure:
    """Draw slides patch by patch: the truth, and beside it what the network says."""
    places = place_predictions(predictions, samples, question)
    return draw_map(places, choose_stamp(record), positive=question.positive, side=SIDE, limit=SHOWN)


def describe_slides(predictions: pd.DataFrame, samples: pd.DataFrame, question: Question) -> dict[str, Any]:
    """Tell how well patches are ranked within each slide, which is what a map of one slide needs."""
    places = place_predictions(predictions, samples, question)
    slides = places.groupby("patient_id")
    areas = pd.Series({str(slide): _measure_area(part) for slide, part in slides}, dtype=float)
    known = areas.dropna()
    paragraphs = [
        "Each square of the map is a patch in its place. A map is of use where the network's warm region covers the "
        "true one and little else.",
        f"Within a slide the AUC compares only patches of that slide, so a slide's stain cannot help. Over "
        f"{len(known)} of {len(areas)} slides that hold both labels its median is {known.median():.2f}, and half of "
        f"them lie between {known.quantile(0.25):.2f} and {known.quantile(0.75):.2f}."
        if len(known)
        else "No slide holds patches of both labels, so nothing can be said within slides.",
    ]
    rows = [
        [
            slide,
            len(slides.get_group(slide)),
            f"{100 * slides.get_group(slide)['is_positive'].mean():.0f} %",
            None if pd.isna(areas[slide]) else f"{areas[slide]:.2f}",
        ]
        for slide in pick_slides(places, SHOWN)
    ]
    columns = ["Slide", "Patches", f"of them {question.positive}", "AUC within the slide"]
    return {
        "title": "Slides, patch by patch",
        "paragraphs": paragraphs,
        "tables": [{"caption": "The slides of the map", "columns": columns, "rows": rows}],
        "figures": ["probability_map"],
    }


def _measure_area(part: pd.DataFrame) -> float:
    """Return the AUC within one slide, NaN where it holds one label only."""
    ranks = part["probability"].rank().to_numpy()
    positive = part["is_positive"].to_numpy(dtype=bool)
    many, few = positive.sum(), (~positive).sum()
    if not many or not few:
        return float("nan")
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
