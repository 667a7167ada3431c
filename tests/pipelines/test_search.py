"""A search that sees training patients only, keeps what it did, and tries the same after an interruption."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from histories import make_history
from mammoscan.errors import MammoscanError
from mammoscan.evaluation import splits
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SearchParams,
    SplitParams,
    ViewParams,
    apply_values,
)
from mammoscan.pipelines.search import nodes, trials
from mammoscan.records.dataset import DatasetRecord
from mammoscan.reporting.format import format_value
from mammoscan.training.engines.base import EngineError

SPLIT = SplitParams(folds=5)
RANGES: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "batch_size": {"low": 8, "high": 64, "whole": True},
    "class_weights": {"choices": ["none", "balanced"]},
    "views": {"choices": ["none", "random"]},
}
OWN = {"learning_rate": 1e-3, "batch_size": 32, "class_weights": "none", "views": "random"}


def make_search(**words: Any) -> SearchParams:
    return SearchParams.model_validate(
        {"trials": 6, "startup": 2, "inner_folds": 3, "ranges": RANGES} | words
    )


def rate(values: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """The best learning rate is 0.003."""
    return 1 - abs(np.log10(values["learning_rate"] / 0.003)), {"best_epochs": "1 2 3"}


def run(folder: Path, search: SearchParams, evaluate: Any = rate, fold: int = 1) -> pd.DataFrame:
    study = trials.open_search(folder, "abc", search)
    trials.run_trials(study, search, OWN, evaluate, fold=fold)
    return trials.tabulate_trials(study, fold, list(search.list_ranges()))


@pytest.fixture
def rows(samples: pd.DataFrame) -> pd.DataFrame:
    return splits.split_folds(splits.divide_samples(samples, SPLIT, 5))["fold_2"].assign(fold=2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Train and predict nothing; keep which rows were asked for."""
    kept: list[dict[str, Any]] = []

    def train(data: Any, recipe: Any, machine: Any, views: Any) -> tuple[Any, Any]:
        if recipe.learning_rate > 0.5:
            raise EngineError("the loss became nan")
        kept.append({"training": data.training_rows, "validation": data.validation_rows})
        kept[-1] |= {"recipe": recipe, "machine": machine, "views": views}
        return "model", make_history(best_epoch=len(kept))

    def predict(model: Any, pixels: Any, test: Any, **more: Any) -> np.ndarray:
        kept[-1]["test"] = test
        positive = pixels[test].mean(axis=(1, 2, 3)) / 255
        return np.column_stack([1 - positive, positive]).astype(np.float32)

    monkeypatch.setattr(trials, "train_network", train)
    monkeypatch.setattr(trials, "predict_probabilities", predict)
    return kept


class TestTrials:
    def test_the_first_is_the_studys_own_recipe_and_the_best_one_is_chosen(self, tmp_path: Path) -> None:
        table = run(tmp_path, make_search())
        assert list(table["trial"]) == list(range(6))
        assert table.loc[0, list(OWN)].to_dict() == OWN
        assert list(table["own_recipe"]) == [True] + [False] * 5
        assert table.loc[table["chosen"], "value"].tolist() == [table["value"].max()]
        assert table["learning_rate"].between(1e-4, 1e-2).all()
        assert table["batch_size"].between(8, 64).all()
        assert set(table["best_epochs"]) == {"1 2 3"}

    def test_an_interrupted_search_keeps_its_trials_and_tries_the_same_as_one_that_was_not(
        self, tmp_path: Path
    ) -> None:
        whole = run(tmp_path / "whole", make_search())
        tried = []

        def interrupt(values: dict[str, Any]) -> tuple[float, dict[str, Any]]:
            tried.append(values)
            if len(tried) == 4:
                raise KeyboardInterrupt
            return rate(values)

        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "part", make_search(), interrupt)
        tried.clear()
        resumed = run(
            tmp_path / "part", make_search(), lambda values: (tried.append(values), rate(values))[1]
        )
        assert len(tried) == 3
        pd.testing.assert_frame_equal(resumed.drop(columns="seconds"), whole.drop(columns="seconds"))

    def test_a_search_that_was_interrupted_in_its_first_trial_begins_with_the_own_recipe(
        self, tmp_path: Path
    ) -> None:
        def interrupt(values: dict[str, Any]) -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, make_search(), interrupt)
        table = run(tmp_path, make_search(trials=2))
        assert table.loc[0, list(OWN)].to_dict() == OWN
        assert table.loc[1, "learning_rate"] != OWN["learning_rate"]

    def test_a_longer_search_goes_on_from_a_shorter_one(self, tmp_path: Path) -> None:
        short = run(tmp_path, make_search(trials=2))
        pd.testing.assert_frame_equal(
            run(tmp_path, make_search(trials=4)).iloc[:2][short.columns.drop("chosen")],
            short.drop(columns="chosen"),
        )

    def test_each_fold_tries_others(self, tmp_path: Path) -> None:
        tables = [run(tmp_path / str(fold), make_search(trials=3), fold=fold) for fold in (0, 1)]
        assert set(tables[0].learning_rate[1:]).isdisjoint(tables[1].learning_rate[1:])

    def test_the_lowest_loss_is_the_best(self, tmp_path: Path) -> None:
        table = run(tmp_path, make_search(measure="loss"))
        assert table.loc[table["chosen"], "value"].tolist() == [table["value"].min()]

    def test_an_own_recipe_outside_the_ranges_is_not_tried(self, tmp_path: Path) -> None:
        ranges = {"learning_rate": {"low": 0.01, "high": 0.02}}
        table = run(tmp_path, make_search(ranges=ranges, trials=2))
        assert not table["own_recipe"].any()

    def test_a_training_that_diverges_ends_its_trial_and_not_the_search(self, tmp_path: Path) -> None:
        def diverge(values: dict[str, Any]) -> Any:
            if values["learning_rate"] > 1e-3:
                raise trials.DivergedError("the loss became nan in epoch 1")
            return rate(values)

        table = run(tmp_path, make_search(), diverge)
        lost = table["learning_rate"] > 1e-3
        assert 0 < lost.sum() < 6
        assert table["value"].isna().equals(lost)
        assert set(table.loc[lost, "note"]) == {"the loss became nan in epoch 1"}

    def test_a_search_in_which_all_diverge_says_so(self, tmp_path: Path) -> None:
        def diverge(values: dict[str, Any]) -> Any:
            raise trials.DivergedError("x")

        with pytest.raises(MammoscanError, match=r"search, fold 2: 2 trials ended and none with a value"):
            run(tmp_path, make_search(trials=2), diverge)

    def test_without_optuna_the_search_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MammoscanError, match=r'pip install "mammoscan\[search\]"'):
            nodes.count_trainings(make_search(), SPLIT)

    def test_trainings_are_counted_before_the_first(self) -> None:
        assert nodes.count_trainings(make_search(), SPLIT)["trainings"] == 5 * 6 * 3


class TestNode:
    def search(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        record: DatasetRecord,
        folder: Path,
        **words: Any,
    ) -> tuple[dict[str, Any], pd.DataFrame]:
        return nodes.search_recipe(
            *(samples, pixels, rows, question, recipe, ViewParams(), SPLIT, BalanceParams()),
            *(make_search(**{"trials": 2} | words), MachineParams(), record, folder),
        )

    def test_test_patients_are_never_looked_at(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        record: DatasetRecord,
        asked: list[dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        self.search(samples, pixels, rows, question, recipe, record, tmp_path)
        assert len(asked) == 2 * 3
        hidden = set(samples["patient_id"].iloc[rows.loc[rows["role"] == "test", "row"]])
        tested: list[int] = []
        for call in asked:
            sides = [
                set(samples["patient_id"].iloc[call[side]]) for side in ("training", "validation", "test")
            ]
            assert all(sides)
            assert len(set.union(*sides)) == sum(map(len, sides))
            assert set.union(*sides).isdisjoint(hidden)
            tested += list(call["test"])
        used = rows.loc[rows["role"] != "test", "row"]
        assert sorted(tested) == sorted([*used, *used])

    def test_it_returns_the_best_recipe_whole(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        record: DatasetRecord,
        asked: list[dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        found, table = self.search(samples, pixels, rows, question, recipe, record, tmp_path)
        [chosen] = table[table["chosen"]].to_dict("records")
        assert Recipe(**found["training"]).epochs == recipe.epochs
        assert found["training"]["learning_rate"] == chosen["learning_rate"]
        assert found["views"]["training"] == chosen["views"]
        assert (found["trial"], found["value"]) == (chosen["trial"], chosen["value"])
        assert set(table["fold"]) == {2}

    @pytest.mark.slow
    def test_finished_trials_are_kept_unless_data_or_ranges_change(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        record: DatasetRecord,
        asked: list[dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        def count(**words: Any) -> int:
            asked.clear()
            given = {
                "samples": samples,
                "pixels": pixels,
                "rows": rows,
                "record": record,
                "recipe": recipe,
            } | words
            self.search(question=question, folder=tmp_path, **given)
            return len(asked)

        assert count() == 6
        assert count() == 0
        assert count(trials=3) == 3
        assert count(record=record.model_copy(update={"fingerprint": "1" * 64})) == 6
        assert count(ranges=RANGES | {"views": None}) == 6
        assert count(recipe=recipe.model_copy(update={"epochs": 9})) == 6
        flipped = pixels.copy()
        flipped[0] = 255 - flipped[0]
        assert count(pixels=flipped) == 6
        assert count() == 0

    def test_a_diverging_training_is_a_trial_without_a_value(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        record: DatasetRecord,
        asked: list[dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        ranges = {"learning_rate": {"choices": [0.001, 1.0]}}
        _, table = self.search(
            samples, pixels, rows, question, recipe, record, tmp_path, ranges=ranges, trials=6
        )
        assert table["value"].isna().equals(table["learning_rate"] == 1.0)
        assert table["value"].isna().any()


class TestTelling:
    def test_the_score_stands_beside_that_of_the_own_recipe(
        self, question: Question, evaluation: EvaluationParams
    ) -> None:
        def predict(strength: float) -> pd.DataFrame:
            rng = np.random.default_rng(0)
            target = np.arange(40) % 2
            positive = np.clip(0.5 + strength * (target - 0.5) + rng.normal(0, 0.2, 40), 0, 1)
            return pd.DataFrame(
                {
                    "model": "cnn",
                    "fold": np.arange(40) // 20,
                    "sample_id": [f"s{number}" for number in range(40)],
                    "patient_id": [f"p{number}" for number in range(40)],
                    "label": np.array(question.labels)[target],
                    "target": target,
                    "p_benign": 1 - positive,
                    "p_malignant": positive,
                }
            )

        tried = pd.DataFrame(
            {
                "fold": [0, 0, 1, 1],
                "trial": [0, 1, 0, 1],
                "value": [0.5, 0.75, 0.7, np.nan],
                **{key: [value] * 4 for key, value in OWN.items()},
                "own_recipe": [True, False, True, False],
                "chosen": [False, True, True, False],
            }
        )
        section = nodes.describe_search(
            nodes.count_trainings(make_search(), SPLIT),
            {"trials": tried},
            predict(0.9),
            predict(0.1),
            question,
            evaluation,
            make_search(),
        )
        score, found = section.tables
        values = [row[1]["value"] for row in score.rows]
        assert values[0] > values[1]
        assert values[2] == pytest.approx(values[0] - values[1])
        assert found.rows == (
            ("1", "0.5", "0.75", "2", "0.001", "32", "none", "random"),
            ("2", "0.7", "0.7", "1", "0.001", "32", "none", "random"),
        )
        assert format_value(None) == "none"


class TestRanges:
    @pytest.mark.parametrize(
        ("ranges", "message"),
        [
            ({}, "search.ranges is empty"),
            ({"views": None}, "search.ranges is empty"),
            (
                {"seed": {"choices": [1]}},
                "search.ranges.seed: cannot be searched, expected one of: learning_rate",
            ),
            (
                {"learning_rate": {"low": 0, "high": 1}},
                "search.ranges.learning_rate holds 0.0, expected greater",
            ),
            ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "with log it begins above 0"),
            ({"learning_rate": {"low": 2, "high": 1}}, "from 2 to 1 is no range"),
            (
                {"optimizer": {"choices": ["adam", "sdg"]}},
                "search.ranges.optimizer holds 'sdg', expected 'adam'",
            ),
            ({"views": {"choices": ["all"]}}, "search.ranges.views holds 'all', expected 'none' or 'random'"),
        ],
    )
    def test_what_is_no_recipe_is_refused(self, ranges: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            make_search(ranges=ranges)

    def test_values_go_into_the_recipe_and_its_views(self) -> None:
        recipe, views = apply_values({"batch_size": 8, "views": "none"}, Recipe(epochs=3), ViewParams())
        assert (recipe.batch_size, recipe.epochs, views.training, views.prediction) == (8, 3, "none", True)
