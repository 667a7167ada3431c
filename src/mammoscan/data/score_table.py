"""Tables of truth and scores, from any model: read, checked, and brought into the layout of ``predictions``."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mammoscan.data.checksums import fingerprint_checksums, hash_tree
from mammoscan.data.image_folder import list_rejected
from mammoscan.data.tables import read_table
from mammoscan.errors import MammoscanError
from mammoscan.params import EvaluateParams, Question
from mammoscan.records.dataset import DatasetRecord

MAIN_MODEL = "cnn"
MAX_LABELS = 100
PATIENTS_UNKNOWN = (
    "Patients are unknown: the intervals take every row for a patient of its own, and are too narrow where a patient "
    "has several."
)
# How far the scores of a row's labels may be from a sum of 1: they may have been rounded when they were written.
ROUNDING = 0.01


@dataclass(frozen=True)
class ScoreTable:
    """What a table says.

    Attributes:
        predictions: In the layout of the entry ``predictions``.
        samples: One row per image: ``sample_id``, ``patient_id``, ``label`` and the columns of the subgroups.
        rejected: ``source`` and ``reason`` of rows without a truth.
        notes: What was decided while reading, in sentences.
    """

    predictions: pd.DataFrame
    samples: pd.DataFrame
    rejected: pd.DataFrame
    notes: tuple[str, ...]


def find_table(parameter: str, path: str | None) -> Path:
    """Return the file that a parameter names."""
    if not path:
        raise MammoscanError(
            f"{parameter}: found nothing, expected a table of truth and scores; pass --params {parameter}=<file>"
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise MammoscanError(f"{parameter} is {path}: there is no such file, expected a table")
    return file


def describe_table(
    file: Path, scores: ScoreTable, params: EvaluateParams, kind: str = "real"
) -> DatasetRecord:
    """Return the record of a table: its fingerprint, and how many images and patients it is about."""
    limits = (*scores.notes, *(() if params.patient else (PATIENTS_UNKNOWN,)))
    return DatasetRecord.model_validate(
        {
            "dataset": file.name,
            "title": file.name,
            "kind": kind,
            "source": str(file),
            "folder": str(file.parent.resolve()),
            "fingerprint": fingerprint_checksums(hash_tree(file.parent, [file.name])),
            "images": len(scores.samples),
            "patients": int(scores.samples["patient_id"].nunique()),
            "patients_known": params.patient is not None,
            "limits": limits,
        }
    )


def ask_question(file: Path, labels: Sequence[str], params: EvaluateParams) -> Question:
    """Return the question that a table answers."""
    positive = params.positive or labels[-1]
    if positive not in labels:
        raise MammoscanError(f"evaluate.positive is {positive!r}, expected one of: {', '.join(labels)}")
    return Question(
        title=params.title or file.stem,
        text=f"Which label does each of the {params.unit} have: {' or '.join(labels)}?",
        unit=params.unit,
        labels=tuple(labels),
        positive=positive,
    )


def read_labels(file: Path, params: EvaluateParams) -> tuple[str, ...]:
    """Return the labels that the parameters, the columns of scores or the truth name."""
    if params.labels:
        return params.labels
    rows = read_table(file, ())
    _check_column(file, rows, params.truth, "truth")
    return _find_labels(file, rows, rows[params.truth], params)


def read_scores(file: Path, params: EvaluateParams, question: Question) -> ScoreTable:
    """Read a table of truth and scores.

    Args:
        file: The table.
        params: Which column is which.
        question: The labels, and the positive one.

    Raises:
        MammoscanError: If a column is missing, or a cell cannot be used; it names the column or the line.
    """
    rows = read_table(file, ())
    if rows.empty:
        raise MammoscanError(f"{file} has no row, expected one per image")
    optional = {"sample": "sample_id", "fold": "fold", "model": "model"}
    columns: dict[str, str | None] = {}
    for key in ("truth", "patient", "sample", "fold", "model"):
        name = getattr(params, key)
        # What stands there by default need not be there.
        columns[key] = None if name == optional.get(key) and name not in rows.columns else name
        _check_column(file, rows, columns[key], key)
    for name in params.subgroups:
        _check_column(file, rows, name, "subgroups")
    truth = rows[str(columns["truth"])]
    notes: list[str] = []
    found = question.labels
    empty = truth == ""
    rejected = list_rejected(
        [(f"line {number}", "no truth") for number in np.flatnonzero(empty.to_numpy()) + 2]
    )
    kept = rows[~empty]
    truth, note = _name_truth(file, truth[~empty], found, params)
    notes += [note] if note else []
    table = pd.DataFrame(
        {
            "model": _read_models(file, kept, columns["model"]),
            "fold": _number_folds(kept[columns["fold"]]) if columns["fold"] else 0,
        },
        index=kept.index,
    )
    table["sample_id"] = (
        kept[columns["sample"]]
        if columns["sample"]
        else [f"row {number + 1}" for number in table.groupby("model").cumcount()]
    )
    table["patient_id"] = kept[columns["patient"]] if columns["patient"] else table["sample_id"]
    for key, what in (("sample_id", "sample"), ("patient_id", "patient")):
        _check_filled(file, table[key], what, columns[what])
    doubled = table.duplicated(["model", "sample_id"])
    if doubled.any():
        line, name = table.index[doubled][0] + 2, table.loc[doubled, "sample_id"].iloc[0]
        raise MammoscanError(
            f"{file}, line {line}: {name} stands there again, expected each image once; where a file holds several "
            "models, evaluate.model names their column"
        )
    table["label"] = truth
    table["target"] = [found.index(label) for label in truth]
    shares = _read_shares(file, kept, question, params)
    for at, label in enumerate(found):
        table[f"p_{label}"] = shares[:, at]
    extra = kept[list(params.subgroups)].add_prefix("by_").set_axis(params.subgroups, axis=1)
    samples = pd.concat([table[["sample_id", "patient_id", "label"]], extra], axis=1)
    samples = samples.loc[:, ~samples.columns.duplicated()].drop_duplicates("sample_id")
    return ScoreTable(table.reset_index(drop=True), samples.reset_index(drop=True), rejected, tuple(notes))


def _check_column(file: Path, rows: pd.DataFrame, name: str | None, key: str) -> None:
    if name is not None and name not in rows.columns:
        also = ", or null where patients are unknown" if key == "patient" else ""
        raise MammoscanError(
            f"{file} has no column {name!r}; found {', '.join(rows.columns)}; expected evaluate.{key} to be one of "
            f"them{also}"
        )


def _check_filled(file: Path, values: pd.Series, what: str, column: str | None) -> None:
    empty = values.index[values == ""]
    if len(empty):
        raise MammoscanError(
            f"{file}, line {empty[0] + 2}: column {column} is empty, expected the {what} of every row"
        )


def _find_labels(file: Path, rows: pd.DataFrame, truth: pd.Series, params: EvaluateParams) -> tuple[str, ...]:
    """Return the labels that the columns of scores name, or those of the truth where there is one column."""
    if params.score is not None:
        found = tuple(sorted(set(truth) - {""}))
        if len(found) != 2:
            raise MammoscanError(
                f"{file}: column {params.truth} holds {len(found)} labels ({', '.join(found[:10])}), expected two "
                "with a single column of scores (evaluate.score)"
            )
        return found
    before, after = params.scores.split("{label}", 1)
    pattern = re.compile(f"{re.escape(before)}(.+){re.escape(after)}")
    matches = [match[1] for match in map(pattern.fullmatch, rows.columns) if match]
    if not 2 <= len(matches) <= MAX_LABELS:
        raise MammoscanError(
            f"{file} has {len(matches)} columns of scores called {params.scores.replace('{label}', '<label>')}; found "
            f"{', '.join(rows.columns)}; expected one per label, or evaluate.score to name the positive label's"
        )
    return tuple(matches)


def _name_truth(
    file: Path, truth: pd.Series, labels: Sequence[str], params: EvaluateParams
) -> tuple[pd.Series, str]:
    """Return the truth in the words of the labels; numbers count them from 0."""
    if truth.empty:
        raise MammoscanError(f"{file}: column {params.truth} is empty in every row, expected the true labels")
    numbers = {str(number): label for number, label in enumerate(labels)}
    if set(truth) <= set(numbers) and not set(truth) & set(labels):
        said = ", ".join(f"{number} is {label}" for number, label in numbers.items())
        return truth.map(numbers), f"The truth is written in numbers, which count the labels: {said}."
    unknown = truth[~truth.isin(list(labels))]
    if len(unknown):
        raise MammoscanError(
            f"{file}, line {unknown.index[0] + 2}: {params.truth} is {unknown.iloc[0]!r}, expected one of: "
            f"{', '.join(labels)}"
        )
    return truth, ""


def _read_models(file: Path, rows: pd.DataFrame, column: str | None) -> list[str]:
    if column is None:
        return [MAIN_MODEL] * len(rows)
    names = list(dict.fromkeys(rows[column]))
    if len(names) == 1:
        return [MAIN_MODEL] * len(rows)
    if MAIN_MODEL not in names:
        raise MammoscanError(
            f"{file}: column {column} holds the models {', '.join(names[:10])}, expected one of them to be called "
            f"{MAIN_MODEL}, which is reported beside the others; or a file of one model"
        )
    return rows[column].tolist()


def _number_folds(values: pd.Series) -> list[int]:
    if all(value.isdigit() for value in values):
        return [int(value) for value in values]
    return [int(code) for code in pd.factorize(values, sort=True)[0]]


def _read_shares(file: Path, rows: pd.DataFrame, question: Question, params: EvaluateParams) -> np.ndarray:
    """Return each label's probability."""
    names = (
        [params.score]
        if params.score is not None
        else [params.scores.replace("{label}", label) for label in question.labels]
    )
    for name in names:
        _check_column(file, rows, name, "score" if params.score is not None else "scores")
    scores = np.stack([_read_numbers(file, rows[name]) for name in names], axis=1)
    if params.logits:
        scores = _apply_softmax(scores)
    else:
        low, high = scores.min(), scores.max()
        if low < 0 or high > params.score_max:
            raise MammoscanError(
                f"{file}: scores go from {low:g} to {high:g}, expected 0 to {params.score_max:g}; set "
                "evaluate.score_max to the score that means certainty, or evaluate.logits=true for outputs before "
                "softmax"
            )
        if params.score_max != 1:
            scores = scores / params.score_max
    if params.score is not None:
        shares = np.concatenate([1 - scores, scores], axis=1)
        return shares if question.labels.index(question.positive) == 1 else shares[:, ::-1]
    sums = scores.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > ROUNDING)
    if len(wrong):
        raise MammoscanError(
            f"{file}, line {rows.index[wrong[0]] + 2}: the scores of the labels sum to {sums[wrong[0]]:.3g}, expected "
            "1; evaluate.logits=true takes outputs before softmax"
        )
    # What was rounded when it was written; the sums of a study's own table are left as they are.
    off = np.abs(sums - 1) > 1e-3
    scores[off] /= sums[off, None]
    return scores


def _read_numbers(file: Path, texts: pd.Series) -> np.ndarray:
    """Return a column's numbers, to the bit as the catalog reads those of a study."""
    numbers = pd.read_csv(io.StringIO("\n".join(["x", *(text or "nan" for text in texts)])), dtype=object)[
        "x"
    ]
    numbers = pd.to_numeric(numbers, errors="coerce")
    bad = np.flatnonzero(~np.isfinite(numbers.to_numpy(dtype=float)))
    if len(bad):
        line, found = texts.index[bad[0]] + 2, texts.iloc[bad[0]]
        raise MammoscanError(f"{file}, line {line}: {texts.name} is {found!r}, expected a number")
    return pd.read_csv(io.StringIO("\n".join(["x", *texts])))["x"].to_numpy(dtype=float)


def _apply_softmax(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] == 1:
        return 1 / (1 + np.exp(-scores))
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
