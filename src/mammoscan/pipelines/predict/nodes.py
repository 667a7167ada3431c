from __future__ import annotations

import logging
from pathlib import Path

import mlflow
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import PredictParams
from mammoscan.progress import show_progress
from mammoscan.records.card import Card, PackagedModel
from mammoscan.reporting.prediction_gallery import build_gallery
from mammoscan.serving.batch import (
    draw_thumbnails,
    find_out_of_distribution,
    list_pictures,
    predict_files,
    withhold_answers,
)
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.decode_pool import DecodePool
from mammoscan.serving.model_files import find_model, read_card
from mammoscan.serving.signature import check_signature

logger = logging.getLogger("mammoscan")


def open_model(predict: PredictParams) -> PackagedModel:
    """Find the packaged model."""
    list_pictures(predict.images)
    folder = find_model(predict.study, predict.model, mlflow.get_tracking_uri())
    if predict.require_signature:
        check_signature(folder, Path(predict.require_signature).expanduser())
    card = read_card(folder)
    if card.study != predict.study:
        raise MammoscanError(
            f"predict.model {predict.model} is of study {card.study}, expected {predict.study}; "
            f"pass predict.study={card.study}"
        )
    logger.info("model of run %s: %s", card.run_id or "unknown", card.notice)
    return PackagedModel(folder=str(folder), card=card)


def predict_images(
    predict: PredictParams, packaged: PackagedModel
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Predict every image; a file that cannot be used is a row with its reason.

    Returns:
        The answers, one row per file; the same for spreadsheets, with the warnings as one text; and the places to look
        in whole scans.
    """
    folder, files = list_pictures(predict.images)
    classifier = Classifier.load(Path(packaged.folder), predict.runtime)
    with show_progress("predict images") as advance, DecodePool(packaged.card.takes) as decoders:
        answers, regions = predict_files(classifier, folder, files, advance, decoders)
    if predict.abstain == "out_of_distribution":
        answers = withhold_answers(answers, packaged.card)
        regions = regions[~regions["file"].isin(answers.loc[answers["label"].isna(), "file"])]
    answers["notice"] = packaged.card.notice
    # Columns of one type, whatever the first file was.
    numbers = [name for name in packaged.card.answer_columns if name in answers.columns]
    answers = answers.astype(dict.fromkeys(numbers, float))
    bad = int(answers["error"].notna().sum())
    logger.info(
        "%d images predicted%s", len(answers) - bad, f", {bad} files could not be used" if bad else ""
    )
    return answers, answers.assign(warnings=answers["warnings"].map("; ".join)), regions


def choose_shown(answers: pd.DataFrame, card: Card, count: int) -> pd.DataFrame:
    """Return the answers that the gallery shows, those out of distribution last and at most a fifth of them."""
    order = answers[answers["error"].isna()].sort_values(
        card.rank_column, ascending=False, na_position="last"
    )
    unlike = find_out_of_distribution(order)
    familiar, others = order[~unlike], order[unlike]
    others = others.iloc[: max(count // 5, count - len(familiar))]
    return pd.concat([familiar.iloc[: count - len(others)], others])


def write_gallery(
    predict: PredictParams, packaged: PackagedModel, answers: pd.DataFrame, regions: pd.DataFrame
) -> str:
    """Show the images with their answers on one page, those first that are likeliest to be positive, or highest.

    Images unlike those of the training come after them, since what the model says of them means little.
    """
    card = packaged.card
    folder, files = list_pictures(predict.images)
    chosen = choose_shown(answers, card, predict.shown)
    with show_progress("draw gallery") as advance:
        pictures = draw_thumbnails(
            folder,
            {name: files[name] for name in chosen["file"]},
            set(regions["file"]),
            packaged.folder,
            advance,
        )
    return build_gallery(card, answers, chosen, find_out_of_distribution(chosen), regions, pictures)
