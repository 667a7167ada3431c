"""What the studies of stained tissue add to their reports: patients beside images, slides, an article's claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.data.idc import SIDE
from mammoscan.evaluation.intervals import MIN_PATIENTS, TOO_FEW
from mammoscan.evaluation.patient_accuracy import EVERYTHING, score_patients
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.figures.slide_map import draw_probability_map as draw_map
from mammoscan.figures.slide_map import pick_slides
from mammoscan.number_format import (
    format_fixed,
    format_measure,
    format_share,
    format_share_measure,
    state_share,
)
from mammoscan.params import EvaluationParams, Question, SplitParams
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories
from mammoscan.records.section import Section, Table
from mammoscan.reporting.render import say_paragraphs

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
) -> Section:
    """Write the section on the network's answers image by image and patient by patient."""
    # An empty note comes back from a file as a missing value.
    scores = scores.fillna({"note": ""})
    overall = scores.iloc[0]
    tested = samples[samples["sample_id"].astype(str).isin(set(predictions["sample_id"].astype(str)))]
    frequent = str(tested["label"].value_counts().idxmax())
    right = tested["label"] == frequent
    rows = [
        (
            _name_row(row["by"], row["subgroup"]),
            int(row["images"]),
            int(row["patients"]),
            _format_cell(row, "image_accuracy", row["images"]),
            _format_cell(row, "patient_score", row["patients"]),
            row["note"],
        )
        for row in scores.to_dict("records")
    ]
    return Section(
        title="Image by image, and patient by patient",
        paragraphs=say_paragraphs(
            "breakdown",
            overall={
                "note": overall["note"],
                "fewest": overall["fewest"],
                "image_accuracy": _format_cell(overall, "image_accuracy", overall["images"]),
                "patient_score": _format_cell(overall, "patient_score", overall["patients"]),
            },
            noted=bool((scores["note"] != "").any()),
            min_patients=MIN_PATIENTS,
            too_few=TOO_FEW,
            level=evaluation.level,
            frequent=frequent,
            frequent_images=right.mean(),
            frequent_patients=right.groupby(tested["patient_id"]).mean().mean(),
        ),
        tables=(
            Table(
                caption="Share of right answers at the stated threshold",
                columns=("", "Images", "Patients", "Right, by image", "Patient score", ""),
                rows=tuple(rows),
            ),
        ),
    )


def _format_cell(row: Any, name: str, cases: int) -> str:
    """Return a table's share with its interval in percent."""
    return format_share_measure(
        {key: row[f"{name}{end}"] for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))}, cases
    )


def _name_row(by: str, level: str) -> str:
    if by == EVERYTHING:
        return "All images"
    return f"{NAMES.get(by, by)} {f'{level}X' if level.isdigit() else level.replace('_', ' ')}"


# What the BreaKHis article states; its precision and recall are on as many benign as malignant images.
BREAKHIS = {"accuracy": 0.983, "precision": 0.65, "recall": 0.95, "f1": 0.77, "area": 0.692}


def describe_breakhis_claims(
    metrics: dict[str, Any], histories: Histories, folds: pd.DataFrame, leak_audit: dict[str, Any]
) -> Section:
    """Show how 98.3 % accuracy and a ROC-AUC of .692 can stand in one article: they are not of the same images."""
    network = metrics["cnn"]
    sides = folds["fold_0"].value_counts()
    best = max(epoch.val_accuracy or 0.0 for epoch in histories.folds[0].epochs)
    hard = _average(network["sensitivity"], network["specificity"])
    false_alarms = BREAKHIS["recall"] * (1 - BREAKHIS["precision"]) / BREAKHIS["precision"]
    implied = (BREAKHIS["recall"] + 1 - false_alarms) / 2
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
            state_share(BREAKHIS["accuracy"]),
            format_share(best),
            "the best of all epochs, on the images by which it is the best",
        ],
        ["Accuracy on the further images", "", format_share_measure(network["accuracy"]), ""],
        [
            "Precision on malignant",
            state_share(BREAKHIS["precision"]),
            format_share_measure(network["precision"]),
            "",
        ],
        [
            "Recall on malignant",
            state_share(BREAKHIS["recall"]),
            format_share_measure(network["sensitivity"]),
            "",
        ],
        ["F1 on malignant", f"{BREAKHIS['f1']:.2f}", format_measure(network["f1"]), ""],
        ["ROC-AUC of hard labels", f"{BREAKHIS['area']:.3f}", hard, "the mean of recall and specificity"],
        ["ROC-AUC of probabilities", "", format_measure(network["auc"]), ""],
    ]
    paragraphs = say_paragraphs(
        "breakhis_claims",
        claim=BREAKHIS,
        best=best,
        accuracy=format_share_measure(network["accuracy"]),
        hard=hard,
        area=format_measure(network["auc"]),
        false_alarms=false_alarms,
        implied=implied,
        shared=leak_audit["patient"]["share"],
    )
    return _make(paragraphs, rows)


def describe_listed_claims(
    metrics: dict[str, Any], histories: Histories, leak_audit: dict[str, Any], split: SplitParams
) -> Section:
    """Put the claims on the 400X images beside what came out here."""
    epochs = histories.folds[0].epochs
    learnt = next((epoch.epoch for epoch in epochs if (epoch.accuracy or 0) >= 0.9995), None)
    seconds = sum(epoch.seconds for epoch in epochs)
    rows = [
        ["Time to train", "256 s", f"{seconds:.0f} s", f"{len(epochs)} epochs on this machine"],
        [
            "Training accuracy of 100 %",
            "by about epoch 3",
            f"by epoch {learnt}" if learnt else "not reached",
            f"highest: {format_share(max(epoch.accuracy or 0 for epoch in epochs))}",
        ],
        ["Accuracy on the other images", "85.5 %", format_share_measure(metrics["cnn"]["accuracy"]), ""],
        ["AUC on the other images", "", format_measure(metrics["cnn"]["auc"]), ""],
    ]
    return _make(_say_division(leak_audit, split), rows)


def describe_patch_claims(metrics: dict[str, Any], leak_audit: dict[str, Any], split: SplitParams) -> Section:
    """Put the claim on the IDC patches beside what came out here."""
    tested = metrics["cnn"]
    frequent = max(label["samples"] for label in tested["labels"].values()) / tested["samples"]
    rows = [
        ["Accuracy on the other patches", "over 85 %", format_share_measure(metrics["cnn"]["accuracy"]), ""],
        [
            "Always the more frequent answer",
            "",
            format_share(frequent),
            "what an accuracy has to be held against",
        ],
        ["Balanced accuracy", "", format_share_measure(tested["balanced_accuracy"]), ""],
        ["AUC", "", format_measure(tested["auc"]), ""],
    ]
    return _make(_say_division(leak_audit, split), rows)


# What the article on chest X-rays states.
CHEST: dict[str, Any] = {
    "images": (4192, 1040, 624),
    "accuracy": 0.9119,
    "loss": 0.3132,
    "val_accuracy": 0.946,
    "val_loss": 0.149,
    "epoch": 10,
    "weights": {"Normal": 1.937, "Opacity": 0.674},
}


def describe_chest_claims(
    metrics: dict[str, Any],
    histories: Histories,
    folds: pd.DataFrame,
    leak_audit: dict[str, Any],
    question: Question,
) -> Section:
    """Put the figures of the article on chest X-rays beside what came out here."""
    network = metrics["cnn"]
    history = histories.folds[0]
    best = history.epochs[history.best_epoch - 1]
    roles = folds["fold_0"]
    rows = []
    for claimed, (role, name) in zip(
        CHEST["images"],
        (("train", "to train"), ("validation", "to validate"), ("test", "to test")),
        strict=True,
    ):
        rows.append([f"Films {name}", f"{claimed:,}", f"{int((roles == role).sum()):,}", ""])
    weights = dict(zip(question.labels, history.class_weights or (), strict=False))
    for label, claimed in CHEST["weights"].items():
        note = "films over labels times the films of the label" if weights else "this recipe weighs no class"
        ours = f"{weights[label]:.3f}" if label in weights else "none"
        rows.append([f"Class weight of {label}", f"{claimed:.3f}", ours, note])
    rows += [
        [
            "Test accuracy",
            state_share(CHEST["accuracy"]),
            format_share_measure(network["accuracy"], network["samples"]),
            "",
        ],
        ["Test loss", f"{CHEST['loss']:.4f}", format_measure(network["log_loss"]), "cross-entropy"],
        [
            "Validation accuracy",
            state_share(CHEST["val_accuracy"]),
            "none" if best.val_accuracy is None else format_share(best.val_accuracy),
            "at the epoch that was kept, on the films that chose it",
        ],
        [
            "Validation loss",
            f"{CHEST['val_loss']:.3f}",
            "none" if best.val_loss is None else format_fixed(best.val_loss),
            "",
        ],
        [
            "Training stopped",
            f"near epoch {CHEST['epoch']}",
            f"after epoch {len(history.epochs)}",
            f"epoch {history.best_epoch} was kept",
        ],
    ]
    paragraphs = say_paragraphs(
        "chest_claims",
        accuracy=format_share_measure(network["accuracy"], network["samples"]),
        claimed=CHEST["accuracy"],
        shared=leak_audit["patient"]["share"],
        audit=leak_audit.get("sentence", ""),
    )
    return _make(paragraphs, rows)


def _say_division(leak_audit: dict[str, Any], split: SplitParams) -> tuple[str, ...]:
    return say_paragraphs(
        "images_divided", shared=leak_audit["patient"]["share"], chosen_on=split.choose_epoch_on
    )


def _make(paragraphs: tuple[str, ...], rows: Iterable[Iterable[str]]) -> Section:
    table = Table(
        caption="What the article states, and what came out here",
        columns=("", "Article", "Here", "Note"),
        rows=tuple(tuple(row) for row in rows),
    )
    return Section(title="The article's figures beside ours", paragraphs=paragraphs, tables=(table,))


def _average(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one["value"] is None or other["value"] is None:
        return "not defined"
    return f"{(one['value'] + other['value']) / 2:.2f}"


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


def describe_slides(predictions: pd.DataFrame, samples: pd.DataFrame, question: Question) -> Section:
    """Write the section on how well patches are ranked within each slide: what a map of one slide rests on."""
    places = place_predictions(predictions, samples, question)
    slides = places.groupby("patient_id")
    areas = pd.Series({str(slide): _measure_area(part) for slide, part in slides}, dtype=float)
    rows = tuple(
        (
            slide,
            len(slides.get_group(slide)),
            format_share(slides.get_group(slide)["is_positive"].mean()),
            None if pd.isna(areas[slide]) else f"{areas[slide]:.2f}",
        )
        for slide in pick_slides(places, SHOWN)
    )
    columns = ("Slide", "Patches", f"of them {question.positive}", "AUC within the slide")
    return Section(
        title="Slides, patch by patch",
        paragraphs=say_paragraphs("slides", slides=len(areas), areas=areas.dropna().tolist()),
        tables=(Table(caption="The slides of the map", columns=columns, rows=rows),),
        figures=("probability_map",),
    )


def _measure_area(part: pd.DataFrame) -> float:
    """Return the AUC within one slide, NaN where it holds one label only."""
    ranks = part["probability"].rank().to_numpy()
    positive = part["is_positive"].to_numpy(dtype=bool)
    many, few = positive.sum(), (~positive).sum()
    if not many or not few:
        return float("nan")
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
