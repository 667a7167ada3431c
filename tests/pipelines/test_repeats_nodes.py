"""Repeated cross-validations, with a network that takes no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammoscan.params import (
    BalanceParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)
from mammoscan.pipelines.modelling.nodes import divide_samples, split_folds
from mammoscan.pipelines.repeats import nodes

SPLIT = SplitParams(folds=5, seed=3)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Train nothing, predict by the seed; keep what was to be trained."""
    kept: list[dict[str, Any]] = []

    def train(
        samples: Any, pixels: Any, rows: Any, question: Any, recipe: Any, *more: Any
    ) -> tuple[str, None]:
        kept.append({"rows": rows, "seed": recipe.seed, "split": more[1].seed, "folder": more[3]})
        return "model", None

    def predict(model: Any, samples: pd.DataFrame, pixels: Any, rows: Any, *more: Any) -> pd.DataFrame:
        test = rows.loc[rows["role"] == "test", "row"]
        table = samples.iloc[test][["sample_id", "patient_id", "label", "target"]].reset_index(drop=True)
        p = np.random.default_rng(len(kept)).random(len(table))
        return table.assign(model="cnn", fold=int(rows["fold"].iloc[0]), p_benign=1 - p, p_malignant=p)

    monkeypatch.setattr(nodes, "train_fold", train)
    monkeypatch.setattr(nodes, "predict_fold", predict)
    return kept


def repeat(
    samples: pd.DataFrame, pixels: np.ndarray, question: Question, recipe: Recipe, split: SplitParams
) -> pd.DataFrame:
    rows = split_folds(divide_samples(samples, split))["fold_2_rows"]
    machine, folder = MachineParams(), Path("data") / "mias"
    return nodes.repeat_fold(
        samples, pixels, rows, question, recipe, ViewParams(), split, BalanceParams(), machine, folder
    )


def test_nothing_is_trained_unless_it_is_wanted(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    recipe: Recipe,
    trained: list[dict[str, Any]],
) -> None:
    table = repeat(samples, pixels, question, recipe, SPLIT)
    assert table.empty
    assert trained == []
    assert {"varied", "repeat", "p_malignant"} <= set(table.columns)


def test_splits_and_seeds_vary_each_by_itself(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    recipe: Recipe,
    trained: list[dict[str, Any]],
) -> None:
    table = repeat(samples, pixels, question, recipe, SPLIT.model_copy(update={"repeats": 2}))
    own = recipe.seed
    assert [(each["split"], each["seed"]) for each in trained] == [
        (4, own),
        (3, own + 1),
        (5, own),
        (3, own + 2),
    ]
    assert [each["folder"].name for each in trained] == [
        "mias.split_1", "mias.seed_1", "mias.split_2", "mias.seed_2"
    ]  # fmt: skip
    tested = {name: set(part["sample_id"]) for name, part in table.groupby(["varied", "repeat"], sort=False)}
    assert tested["seed", 1] == tested["seed", 2]
    assert tested["split", 1] != tested["seed", 1]


def test_a_published_split_is_the_only_one() -> None:
    split = SplitParams(folds=5, together="published", repeats=2)
    varied = nodes.vary_cross_validation(split, Recipe(epochs=1))
    assert [name for name, *_ in varied] == ["seed", "seed"]


MEASURED: dict[str, Any] = {
    "auc": {"value": 0.7, "low": 0.6, "high": 0.8},
    "patients": 0.055,
    "split": {"values": [0.72, 0.66], "spread": 0.031},
    "seed": {"values": [0.71, None], "spread": 0.007},
}


def test_the_section_sets_the_three_spreads_beside_each_other() -> None:
    section = nodes.write_repeats_section(MEASURED)
    assert section.tables[0].rows == (
        ("other patients, these networks", "0.055", "–"),
        ("another split, the same seed", "0.031", "0.66 to 0.72"),
        ("another seed, the same split", "0.007", "0.71 to 0.71"),
    )
    assert "repeated 2 times" in section.paragraphs[0]
    assert "0.70 [0.60, 0.80]" in section.paragraphs[0]


def test_without_repeats_the_report_has_no_section() -> None:
    nothing = {"values": [], "spread": None}
    section = nodes.write_repeats_section(MEASURED | {"split": nothing, "seed": nothing})
    assert (section.paragraphs, section.tables) == ((), ())
