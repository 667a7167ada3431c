from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from mammoscan import new_study
from mammoscan.data import own_images
from mammoscan.data.image_folder import list_rejected
from mammoscan.errors import MammoscanError
from mammoscan.evaluation import drift, metrics, training_fingerprint
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.params import EvaluationParams, ExternalParams, Question
from mammoscan.pipelines.images.nodes import keep_near_copies_together
from mammoscan.pipelines.reporting.nodes import write_page
from mammoscan.progress import show_progress
from mammoscan.records.card import Card, PackagedModel
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.run_info import RunInfo
from mammoscan.records.section import Section
from mammoscan.reporting.external_section import build_external_section
from mammoscan.serving.batch import make_reader, prepare_files
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.decode_pool import DecodePool
from mammoscan.serving.model_files import TRAINING_FINGERPRINT, find_files, find_model, read_card
from mammoscan.serving.prepare_input import PreparedImage

logger = logging.getLogger("mammoscan")
CHUNK = 256


def open_model(external: ExternalParams) -> tuple[PackagedModel, Question, EvaluationParams]:
    """Find the finished model, and ask of the images what it answers, at the threshold that goes with it."""
    if not external.model:
        raise MammoscanError(
            "external.model: found nothing, expected a run's id, models:/name/version or a packaged model's folder; "
            "pass --params external.model=<one of these>"
        )
    folder = find_model("external", external.model, mlflow.get_tracking_uri())
    card = read_card(folder)
    if card.target is not None:
        raise MammoscanError(
            f"external.model is of {card.study}, which predicts {card.target.quantity}, expected a model of labels: "
            "only these can be tested so"
        )
    logger.info("model of %s, run %s: %s", card.study, card.run_id or "unknown", card.notice)
    question = Question(
        title=f"{card.title or card.study}: external test",
        text=card.question or f"Which label does the image have: {' or '.join(card.labels)}?",
        unit=card.unit,
        labels=card.labels,
        positive=card.positive,
    )
    evaluation = EvaluationParams.model_validate(
        {
            "threshold": {
                "rule": "fixed",
                "at": float(np.clip(card.threshold, 1e-6, 1 - 1e-6)),
                "prevalence": card.prevalence or 0.1,
            },
            "resamples": external.resamples,
            "seed": external.seed,
            "level": card.level,
        }
    )
    return PackagedModel(folder=str(folder), card=card), question, evaluation


def open_images(
    external: ExternalParams, packaged: PackagedModel, raw_folder: Path
) -> tuple[DatasetRecord, pd.DataFrame, pd.DataFrame]:
    """Find the images with their labels and patients, as ``mammoscan new`` does, and put them in the model's words.

    Returns:
        The record of the images; those that have one of the model's labels; and the others, with the reason.
    """
    if not external.source:
        raise MammoscanError(
            "external.source: found nothing, expected labelled images: a folder, an archive, an address or a table; "
            "pass --params external.source=<one of these>"
        )
    is_table = Path(external.source).suffix.lower() in own_images.TABLE_SUFFIXES
    wishes = new_study.Wishes(
        name="external",
        images=external.images if is_table else external.source,
        table=external.source if is_table else None,
        image_column=external.image_column,
        label_from=external.label_from,
        patient_from=external.patient_from,
    )
    params, home, notes = new_study.settle_images(wishes, raw_folder)
    for note in notes:
        logger.info("%s", note)
    record = own_images.open_own_images("external", params, raw_folder)
    found = own_images.index_own_images("external", home, params)
    if len(found.rejected):
        reasons = found.rejected["reason"].value_counts()
        logger.info("%d files left out, most for: %s", len(found.rejected), reasons.index[0])
    chosen, others = name_labels(found.images, packaged.card, external)
    record = record.model_copy(
        update={
            "title": f"external images for {packaged.card.study}",
            "images": len(chosen),
            "patients": int(chosen["patient_id"].nunique()),
            "limits": (*record.limits, *list_limits(packaged.card)),
        }
    )
    people = f"of {record.patients:,} patients" if record.patients_known else "(patients unknown)"
    logger.info("%s data: %d images %s in %s", record.kind, record.images, people, record.folder)
    return record, chosen, pd.concat([found.rejected, others], ignore_index=True)


def list_limits(card: Card) -> list[str]:
    """Return what a reader must know of the model's own origin."""
    if card.data == "phantom":
        return [
            "The model was trained on synthetic images: no figure here says anything of its use on patients."
        ]
    return [] if card.patients_apart else [f"The model's own test had leaks: {card.division}."]


def name_labels(
    images: pd.DataFrame, card: Card, external: ExternalParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the images that have a label of the model, in its words, and the others with the reason.

    Raises:
        MammoscanError: If fewer than two of the model's labels are among the images, or the positive one is not.
    """
    for label in external.labels:
        if label not in card.labels:
            raise MammoscanError(
                f"external.labels names {label!r}, expected the model's labels: {', '.join(card.labels)}"
            )
    words = {label.casefold(): label for label in card.labels}
    words |= {name.casefold(): label for label, names in external.labels.items() for name in names}
    named = images["label"].astype(str).str.casefold().map(words)
    counts = images["label"].value_counts()
    shown = ", ".join(f"{name} ({count:,})" for name, count in counts.head(10).items())
    there = set(named.dropna())
    if len(there) < 2 or card.positive not in there:
        raise MammoscanError(
            f"external.source: found images labelled {shown}, expected at least two of the model's labels "
            f"{', '.join(card.labels)}, {card.positive} among them; say what the images call them, e.g. "
            f"external.labels='{card.positive}={counts.index[0]}'"
        )
    other = named.isna()
    reasons = (
        "labelled " + images.loc[other, "label"].astype(str) + ": the model knows " + ", ".join(card.labels)
    )
    rejected = list_rejected(list(zip(images.loc[other, "source"], reasons, strict=True)))
    chosen = images[~other].assign(label=named[~other])
    chosen["target"] = chosen["label"].map(card.labels.index).astype("int64")
    return chosen.reset_index(drop=True), rejected


def predict_images(
    packaged: PackagedModel, record: DatasetRecord, chosen: pd.DataFrame, left_out: pd.DataFrame
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Predict every image with the model as it is handed on: its temperature, and its out-of-distribution check.

    Returns:
        ``samples``, with ``flagged`` where the model says that an image is out of distribution; ``pixels`` as the
        network takes them, in the same order; ``predictions``; and all that is not among them, with the reason.
    """
    classifier, card = Classifier.load(Path(packaged.folder)), packaged.card
    home, names = Path(record.folder), chosen["source"].tolist()
    blocks, tables, kept, refused = [], [], [], []
    with show_progress("predict images") as advance, DecodePool(card.takes) as decoders:
        for first in range(0, len(names), CHUNK):
            chunk = names[first : first + CHUNK]
            prepared = prepare_files(decoders, [(name, make_reader(home, name, name)) for name in chunk])
            good = []
            for at, (name, image) in enumerate(zip(chunk, prepared, strict=True), first):
                if isinstance(image, PreparedImage) and image.pixels is not None:
                    good.append(image.pixels)
                    kept.append(at)
                else:
                    why = (
                        "a whole scan, expected a window"
                        if isinstance(image, PreparedImage)
                        else image.message
                    )
                    refused.append((name, why))
            if good:
                blocks.append(np.stack(good))
                tables.append(classifier.classify(blocks[-1]))
            advance(min(first + CHUNK, len(names)), len(names), chunk[-1])
    if not kept:
        name, why = refused[0]
        raise MammoscanError(f"external.source: none of the {len(names):,} images can be used; {name}: {why}")
    pixels, answers = np.concatenate(blocks), pd.concat(tables, ignore_index=True)
    samples = chosen.iloc[kept].reset_index(drop=True)
    samples["flagged"] = [bool(warnings) for warnings in answers["warnings"]]
    if not record.patients_known:
        samples = keep_near_copies_together(samples, pixels)
    predictions = samples[["sample_id", "patient_id", "label", "target"]].copy()
    predictions.insert(0, "model", MAIN_MODEL)
    predictions.insert(1, "fold", 0)
    for label in card.labels:
        predictions[f"p_{label}"] = answers[f"p_{label}"].to_numpy()
    rejected = pd.concat([left_out, list_rejected(refused)], ignore_index=True)
    return samples, pixels, predictions, rejected


def audit_images(packaged: PackagedModel, record: DatasetRecord, pixels: np.ndarray) -> dict[str, Any]:
    """Count the images that the model has seen in training, by the fingerprint that it carries."""
    file = find_files(Path(packaged.folder)) / TRAINING_FINGERPRINT
    known = pd.read_parquet(file) if file.is_file() else None
    same = record.fingerprint == packaged.card.data_fingerprint
    found = training_fingerprint.audit_images(known, pixels, same)
    logger.info("%s", found["sentence"])
    return found


def measure_subgroups(
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    external: ExternalParams,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Measure within each value of the columns that ``external.subgroups`` names."""
    for name in external.subgroups:
        if name not in samples.columns:
            raise MammoscanError(
                f"external.subgroups names {name!r}, expected a column of the table: {', '.join(samples.columns)}"
            )
    return metrics.measure_subgroups(predictions, samples, question, evaluation, external.subgroups)


def measure_drift(
    packaged: PackagedModel,
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    metrics: dict[str, Any],
    calibration: dict[str, Any],
) -> dict[str, Any]:
    """Set what was measured here beside what the model's own test had promised, each difference with its interval."""
    return drift.measure_drift(
        packaged.card, samples, predictions, metrics[MAIN_MODEL], calibration[MAIN_MODEL]
    )


def write_external_section(
    packaged: PackagedModel, drift: dict[str, Any], record: DatasetRecord, question: Question
) -> Section:
    """Say whether the model does elsewhere what its own test had promised."""
    return build_external_section(packaged.card, drift, record, question)


def write_report(
    record: DatasetRecord,
    run_info: RunInfo,
    question: Question,
    evaluation: EvaluationParams,
    **entries: Any,
) -> str:
    """Put all of it on one self-contained HTML page: the report of a study, without what only a training can tell."""
    entries |= {"record": record, "run_info": run_info, "question": question, "evaluation": evaluation}
    return write_page(entries | {"protocol": "external"})
