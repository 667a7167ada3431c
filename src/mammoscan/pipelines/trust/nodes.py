"""Nodes that write the model's card from the run: nothing in it is typed by hand.

The report's section on what an answer of the final model is worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.data.mias_regions import SCAN_SIDE
from mammoscan.datasets import Bundle
from mammoscan.evaluation import operating_point
from mammoscan.evaluation.calibration import COLDEST, HOTTEST
from mammoscan.evaluation.out_of_distribution import (
    AS_IS,
    describe_levels,
    fit_reference,
    floor_levels,
    measure_distance,
    measure_flagged_shares,
    share_per_distance,
)
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.evaluation.splits import find_used_rows
from mammoscan.figures.style import format_measure, is_number
from mammoscan.inference.embeddings import Embedder
from mammoscan.params import (
    CropParams,
    EvaluationParams,
    MachineParams,
    PackParams,
    Question,
    Recipe,
    ScanGridParams,
    ViewParams,
)
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.card import (
    Card,
    CardOutOfDistribution,
    CardSubgroup,
    ImageInput,
    ModelInput,
    WindowInput,
)
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories, History
from mammoscan.records.run_info import RunInfo
from mammoscan.records.section import Section
from mammoscan.reporting.division import find_division, name_division
from mammoscan.reporting.model_card import choose_notice, write_markdown
from mammoscan.reporting.render import name_measure
from mammoscan.reporting.verdicts import find_protocol

# (key, name, as a share)
OPERATION = (
    ("sensitivity", "Sensitivity: share of {positive} that is found"),
    ("specificity", "Specificity: share of the others that is left alone"),
    ("ppv", "Right when it says {positive}, at a prevalence of {prevalence}"),
    ("npv", "Right when it says the other, at a prevalence of {prevalence}"),
    ("recalled", "Share called {positive}, at a prevalence of {prevalence}"),
    ("recalls_per_found", "Number needed to recall: called {positive} for one that is"),
)


CALIBRATION = ("brier", "slope", "intercept", "ece", "ece_if_calibrated")


def write_trust_section(trust: dict[str, Any], question: Question) -> Section:
    """Say what temperature, threshold and the out-of-distribution check are, and what each is worth."""
    tables = [_tabulate_calibration(trust)]
    if trust["threshold"] is not None:
        tables.append(_tabulate_operation(trust, question))
    tables.append(_tabulate_out_of_distribution(trust))
    section = {
        "title": "Can it be trusted?",
        "paragraphs": [
            _say_calibration(trust),
            *([_say_threshold(trust, question)] if trust["threshold"] is not None else []),
            _say_out_of_distribution(trust, question),
        ],
        "tables": tables,
        "figures": ["calibration"],
    }
    return Section.model_validate(section)


def say_rule(trust: dict[str, Any], positive: str) -> str:
    """Return by which rule the threshold was chosen."""
    at = trust["at"]
    return {
        "fixed": f"fixed at {at:g}",
        "sensitivity": f"the highest that finds at least {100 * at:g} % of {positive}",
        "youden": "the one with the largest sum of sensitivity and specificity",
        "cost": f"the cheapest where a miss is worth {at:g} false alarms and {_percent(trust['prevalence'])} are "
        f"{positive}",
    }[trust["rule"]]


def _say_calibration(trust: dict[str, Any]) -> str:
    fitted, change = trust["fitted_temperature"], trust["log_loss_change"]
    temperature = format_measure(fitted)
    basis = (
        f"One temperature was fitted on the {trust['samples']:,} out-of-fold predictions of {trust['patients']:,} "
        f"patients: {temperature}.{_say_degenerate(fitted['value'])}"
    )
    crossed = f"changes the log loss by {format_measure(change, 3)}, each fold measured with that of the other folds"
    if trust["temperature"] == 1:
        return (
            f"{basis} It {crossed}: no clear gain, so the final model states its probabilities as they are "
            f"(temperature 1). {_say_slope(trust['calibration']['before'])}"
        )
    effect = (
        "brings them nearer to even odds: the networks were surer of themselves than they were right"
        if trust["temperature"] > 1
        else "takes them farther from even odds: the networks were less sure of themselves than they were right"
    )
    return (
        f"{basis} It {crossed}: a clear gain, so it goes with the final model. It {effect}. "
        f"{_say_slope(trust['calibration']['after'])} It was fitted on other networks than the one that it goes with: "
        "those of the folds, which learnt from fewer patients."
    )


def _say_degenerate(temperature: float | None) -> str:
    """Say that a temperature at the end of the searched range is none; nothing for any other."""
    if temperature is None or COLDEST * 1.05 < temperature < HOTTEST / 1.05:
        return ""
    meaning = (
        "no temperature helps, because the probabilities say hardly anything about the labels"
        if temperature > 1
        else "the predictions are all but perfect, too few mistakes to fit it to"
    )
    return f" It is degenerate, at the end of the range from {COLDEST:g} to {HOTTEST:g} that was searched: {meaning}."


def _say_slope(calibration: dict[str, Any]) -> str:
    """Say what the calibration slope and the calibration error tell of the probabilities as they are given."""
    slope, error, band = (calibration[key] for key in ("slope", "ece", "ece_if_calibrated"))
    said = []
    if is_number(slope["low"]) and is_number(slope["high"]):
        found = f"The calibration slope is {format_measure(slope)}"
        if slope["high"] < 1:
            said.append(f"{found}: the probabilities are too extreme.")
        elif slope["low"] > 1:
            said.append(f"{found}: the probabilities are not extreme enough.")
        else:
            said.append(f"{found}, which includes 1, that of calibrated probabilities.")
    beyond = error["value"] > band["high"]
    said.append(
        f"The calibration error is {error['value']:.3f}; calibrated probabilities would show "
        f"{band['low']:.3f} to {band['high']:.3f} here, so it is {'more than' if beyond else 'no more than'} chance "
        "explains."
    )
    return " ".join(said)


def _say_threshold(trust: dict[str, Any], question: Question) -> str:
    rule, on_these, operation = (
        say_rule(trust, question.positive),
        trust["operation"]["on_these"],
        trust["operation"],
    )
    chosen = (
        f"From a probability of {trust['threshold']:.2f} on, the final model says {question.positive}. "
        f"The rule: {rule}."
    )
    if trust["rule"] == "fixed":
        return chosen
    return (
        f"{chosen} On these patients, by whom it was chosen, the sensitivity is "
        f"{_percent(on_these['sensitivity'])} and the specificity {_percent(on_these['specificity'])}; expected on new "
        f"ones are {_say_share(operation['chosen']['sensitivity'])} and "
        f"{_say_share(operation['chosen']['specificity'])}. For that, each fold was decided by the threshold of the "
        f"other folds ({_say_range(trust['fold_thresholds'])}), and the threshold was chosen again in each resample "
        "of the patients. The other sections of this report decide at even odds."
    )


def _say_share(measure: dict[str, Any]) -> str:
    if not (is_number(measure["low"]) and is_number(measure["high"])):
        return _percent(measure["value"])
    return f"{_percent(measure['value'])} ({_percent(measure['low'])} to {_percent(measure['high'])})"


def _say_out_of_distribution(trust: dict[str, Any], question: Question) -> str:
    return (
        "With every answer the model says whether the image is out of distribution, that is, unlike those that it was "
        "trained on: by its grey levels (means, spread, black, white, roughness), and by its embedding, the values "
        "before the network's last layer. Each is a distance from the training images, and an image is flagged "
        f"beyond the distance within which {100 * trust['in_distribution_share']:g} % of them lie. Fitted on each "
        "fold's training side and tried on its test side, it wrongly flagged "
        f"{_percent(trust['out_of_distribution'][AS_IS]['value'])} of the {question.unit}. An image that is not "
        "flagged may be unsuitable all the same."
    )


def _tabulate_calibration(trust: dict[str, Any]) -> dict[str, Any]:
    sides = trust["calibration"]
    return {
        "caption": "What the fitted temperature does, cross-fitted",
        "columns": ["", "as the networks state them", "with the temperature"],
        "rows": [[name_measure(key), sides["before"][key], sides["after"][key]] for key in CALIBRATION],
    }


def _tabulate_operation(trust: dict[str, Any], question: Question) -> dict[str, Any]:
    words = {"positive": question.positive, "prevalence": _percent(trust["prevalence"])}
    ways = trust["operation"]
    return {
        "caption": "What deciding costs on new patients, cross-fitted",
        "columns": ["", "at the chosen threshold", "at even odds, not calibrated"],
        "rows": [
            [name.format(**words), ways["chosen"][key], ways["even_odds"][key]] for key, name in OPERATION
        ],
    }


def _tabulate_out_of_distribution(trust: dict[str, Any]) -> dict[str, Any]:
    names = {AS_IS: "held-out images (flagged wrongly)", "inverted": "the same inverted", "noise": "noise"}
    return {
        "caption": "Share of images flagged as out of distribution",
        "columns": ["Images", "Number", "Share flagged"],
        "rows": [
            [names.get(shown, shown), measured["samples"], measured]
            for shown, measured in trust["out_of_distribution"].items()
        ],
    }


def _say_range(values: dict[str, float]) -> str:
    low, high = min(values.values()), max(values.values())
    return f"{low:.2f}" if round(low, 2) == round(high, 2) else f"{low:.2f} to {high:.2f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.3g} %"


HEADLINE = "auc"


def describe_windows(crop: CropParams, grid: ScanGridParams, pixels: np.ndarray) -> ModelInput:
    """Describe the network's input: a window of a scan's standardised grid, or the square of a region's radius."""
    window = WindowInput(kind=crop.kind, size=crop.size, grid=grid, scan_side=SCAN_SIDE, scales=crop.scales)
    return ModelInput(input=window, shape=_read_shape(pixels))


def describe_images(pack: PackParams, pixels: np.ndarray) -> ModelInput:
    """Describe the network's input: a whole image file, resized."""
    image = ImageInput(kind="image", size=pack.size, channels=pack.channels, levels=pack.levels)
    return ModelInput(input=image, shape=_read_shape(pixels))


def _read_shape(pixels: np.ndarray) -> tuple[int, int, int]:
    height, width, channels = map(int, pixels.shape[1:])
    return height, width, channels


def write_card(
    record: DatasetRecord,
    run_info: RunInfo,
    model_input: ModelInput,
    samples: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    leak_audit: dict[str, Any],
    histories: Histories,
    final: History,
    trust: dict[str, Any],
    reference: dict[str, Any],
    subgroups: pd.DataFrame,
) -> Card:
    """Gather the final model's card; ``reference`` is its fitted out-of-distribution check."""
    card = _describe(
        record,
        run_info,
        model_input,
        samples,
        question,
        training,
        views,
        evaluation,
        metrics,
        leak_audit,
        histories,
    )
    chosen = subgroups[(subgroups["model"] == MAIN_MODEL) & (subgroups["metric"] == HEADLINE)]
    columns = ["by", "subgroup", "samples", "patients", "value", "low", "high", "note"]
    rows = chosen[columns].astype(object).where(chosen[columns].notna(), None).to_dict("records")
    sides, shares = trust["calibration"], trust["out_of_distribution"]
    return Card(
        **card,
        threshold=evaluation.cut if trust["threshold"] is None else trust["threshold"],
        threshold_rule=say_rule(trust, question.positive),
        temperature=trust["temperature"],
        calibration={side: {key: sides[side][key] for key in CALIBRATION} for side in sides},
        operation=trust["operation"],
        prevalence=trust["prevalence"],
        epochs=len(final.epochs),
        subgroups=tuple(CardSubgroup.model_validate(row) for row in rows),
        out_of_distribution=CardOutOfDistribution(
            in_distribution_share=trust["in_distribution_share"],
            held_out=shares[AS_IS],
            altered={shown: value for shown, value in shares.items() if shown != AS_IS},
            limits={name: reference[name]["limit"] for name in ("levels", "features")},
        ),
    )


def write_author_card(
    record: DatasetRecord,
    run_info: RunInfo,
    model_input: ModelInput,
    samples: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    leak_audit: dict[str, Any],
    histories: Histories,
) -> Card:
    """Gather the card of an article's own model: nothing in it would hold on new patients."""
    card = _describe(
        record,
        run_info,
        model_input,
        samples,
        question,
        training,
        views,
        evaluation,
        metrics,
        leak_audit,
        histories,
    )
    return Card(**card, threshold=evaluation.cut, threshold_rule=f"fixed at {evaluation.cut:g}")


def write_model_card(card: Card) -> str:
    """Write the card for people; what a machine reads of it is written when the model is packaged."""
    return write_markdown(card)


def _describe(
    record: DatasetRecord,
    run_info: RunInfo,
    model_input: ModelInput,
    samples: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    leak_audit: dict[str, Any],
    histories: Histories,
) -> dict[str, Any]:
    study = run_info.pipeline
    protocol = find_protocol(study)
    division = find_division(protocol, record.patients_known, leak_audit)
    return {
        "study": study,
        "title": question.title,
        "question": question.text,
        "division": name_division(division, leak_audit),
        "patients_apart": division in ("patients", "images"),
        "verified": record.verified,
        "unit": question.unit,
        "protocol": protocol,
        "data": record.kind,
        "dataset": record.dataset,
        "data_fingerprint": record.fingerprint,
        "citation": record.citation,
        "licence": record.licence,
        "address": record.address,
        "limits": list(record.limits),
        "labels": list(question.labels),
        "positive": question.positive,
        "samples": len(samples),
        "patients": int(samples["patient_id"].nunique()) if record.patients_known else None,
        "label_samples": {label: int((samples["label"] == label).sum()) for label in question.labels},
        "level": evaluation.level,
        "training": training,
        "views": views,
        "input": model_input.input,
        "shape": model_input.shape,
        "folds": len(histories.folds),
        "best_epochs": histories.best_epochs,
        "parameters": histories.folds[0].parameters,
        "metrics": metrics[MAIN_MODEL],
        "baselines": {name: values[HEADLINE] for name, values in metrics.items() if name != MAIN_MODEL},
        "notice": choose_notice(record.kind, division),
        "run_id": run_info.run_id or "",
        "commit": run_info.commit or "",
        "command": run_info.command or f"kedro run --pipeline {study}",
        "python": run_info.python,
        "versions": run_info.versions,
    }


# More images say hardly more, and each costs a pass through the network: the larger they are, the fewer.
MAX_REFERENCES, MAX_TESTED = 500, 300
MIN_REFERENCES, MIN_TESTED = 100, 50
REFERENCE_BYTES, TESTED_BYTES = 15_000_000, 6_000_000


def measure_out_of_distribution(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Fit the out-of-distribution check on a fold's training side, and try it on its test side.

    ``features`` are those of a frozen backbone, where there is one: images as they are need not pass it again.

    Returns:
        A row a test image and way of showing it (as it is, inverted, or noise in its stead): its two distances as
        shares of their limits, and whether it was flagged as out of distribution.
    """
    seen = Embedder(model, pixels, training, machine, features)
    references = _draw(rows, "train", _count_references(pixels), evaluation)
    reference = _fit(seen, samples, pixels, references, evaluation)
    each = int(np.prod(pixels.shape[1:]))
    tested = _draw(rows, "test", int(np.clip(TESTED_BYTES // each, MIN_TESTED, MAX_TESTED)), evaluation)
    shown = np.asarray(pixels[tested])
    noise = np.random.default_rng(evaluation.seed).integers(0, 256, shown.shape, dtype=np.uint8)
    tables = []
    for name, images in ((AS_IS, shown), ("inverted", 255 - shown), ("noise", noise)):
        found = seen.embed_rows(tested) if name == AS_IS else seen.embed_images(images)
        table = samples.iloc[tested][["sample_id", "patient_id"]].assign(shown=name)
        table["levels"] = (
            measure_distance(describe_levels(images), reference["levels"]) / reference["levels"]["limit"]
        )
        table["features"] = measure_distance(found, reference["features"]) / reference["features"]["limit"]
        tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    return result.assign(out_of_distribution=(result["levels"] > 1) | (result["features"] > 1))


def fit_out_of_distribution(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> dict[str, Any]:
    """Fit the final model's out-of-distribution check on its training images."""
    everything = pd.DataFrame({"row": find_used_rows(folds), "role": "train"})
    rows = _draw(everything, "train", _count_references(pixels), evaluation)
    return _fit(Embedder(model, pixels, training, machine, features), samples, pixels, rows, evaluation)


def gather_out_of_distribution(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' tables of the out-of-distribution check into one."""
    return pd.concat(tables, ignore_index=True)


def measure_trust(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, fold_results: Bundle
) -> dict[str, Any]:
    """Fit temperature and threshold on the out-of-fold predictions, and measure what they are worth.

    Returns:
        What ``evaluation.trust.measure_trust`` returns, and ``out_of_distribution``: the share of held-out
        and of altered images that the out-of-distribution check flags.
    """
    measured = operating_point.measure_trust(predictions, question, evaluation)
    shares = measure_flagged_shares(fold_results["out_of_distribution"], evaluation)
    return measured | {
        "in_distribution_share": evaluation.in_distribution_share,
        "out_of_distribution": shares,
    }


def draw_calibration(record: DatasetRecord, measured: dict[str, Any], question: Question) -> Figure:
    """Draw the reliability of the probabilities before and after calibration."""
    sides = measured["calibration"]
    return figures.draw_calibration(
        sides["before"]["bins"], sides["after"]["bins"], choose_stamp(record), positive=question.positive
    )


def _count_references(pixels: np.ndarray) -> int:
    each = int(np.prod(pixels.shape[1:]))
    return int(np.clip(REFERENCE_BYTES // each, MIN_REFERENCES, MAX_REFERENCES))


def _fit(
    seen: Embedder,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: np.ndarray,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    images = np.asarray(pixels[rows])
    patients, share = (
        samples["patient_id"].to_numpy()[rows],
        share_per_distance(evaluation.in_distribution_share),
    )
    return {
        "levels": fit_reference(describe_levels(images), patients, share, floor_levels(images.shape[-1])),
        "features": fit_reference(seen.embed_rows(rows), patients, share),
    }


def _draw(rows: pd.DataFrame, role: str, most: int, evaluation: EvaluationParams) -> np.ndarray:
    """Return some rows of one role, drawn without replacement and in order."""
    found = np.sort(rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int))
    if len(found) <= most:
        return found
    return np.sort(np.random.default_rng(evaluation.seed).choice(found, most, replace=False))
