"""Dividing, balancing, training and predicting, with a network that takes no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from histories import make_epoch, make_history
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)
from mammoscan.pipelines.modelling import nodes
from mammoscan.pipelines.modelling.nodes import describe_data
from mammoscan.records.history import Epoch, Histories, History

SPLIT = SplitParams(folds=5)
MACHINE = MachineParams()
VIEWS = ViewParams()


@pytest.fixture
def folds(samples: pd.DataFrame) -> pd.DataFrame:
    return nodes.divide_samples(samples, SPLIT)


@pytest.fixture
def rows(folds: pd.DataFrame) -> pd.DataFrame:
    return nodes.split_folds(folds)["fold_2_rows"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Train and predict nothing; keep what was asked of the learning room."""
    kept: dict[str, Any] = {}

    def train(data: Any, recipe: Any, machine: Any, views: Any, options: Any) -> tuple[str, History]:
        kept.update(vars(options), recipe=recipe, targets=data.targets)
        kept.update(training=data.training_rows, validation=data.validation_rows)
        options.on_epoch(make_epoch(1))
        return "model", make_history(1)

    def predict(model: Any, pixels: Any, test: Any, **more: Any) -> np.ndarray:
        kept.update(more, model=model, test=test)
        return np.column_stack([np.linspace(0, 1, len(test)), np.linspace(1, 0, len(test))])

    monkeypatch.setattr(nodes, "train_network", train)
    monkeypatch.setattr(nodes, "predict_probabilities", predict)
    return kept


class TestDividing:
    def test_no_patient_is_on_two_sides_and_each_is_tested_once(
        self, samples: pd.DataFrame, folds: pd.DataFrame
    ) -> None:
        patients = samples["patient_id"]
        for number in range(5):
            assert folds[f"fold_{number}"].groupby(patients).agg(set).str.len().eq(1).all()
        tested = sum((folds[f"fold_{number}"] == "test").astype(int) for number in range(5))
        assert (tested == 1).all()

    def test_a_division_of_ones_own_is_taken(
        self, samples: pd.DataFrame, folds: pd.DataFrame, tmp_path: Path
    ) -> None:
        turned = folds.rename(columns={"fold_0": "fold_1", "fold_1": "fold_0"})[folds.columns]
        turned.to_csv(tmp_path / "folds.csv", index=False)
        given = nodes.divide_samples(samples, SPLIT.model_copy(update={"file": tmp_path / "folds.csv"}))
        pd.testing.assert_frame_equal(given, turned, check_dtype=False)

    def test_each_fold_gets_its_own_rows_and_number(self, folds: pd.DataFrame) -> None:
        divided = nodes.split_folds(folds)
        assert list(divided) == [f"fold_{number}_rows" for number in range(5)]
        for number, rows in enumerate(divided.values()):
            assert list(rows["role"]) == list(folds[f"fold_{number}"])
            assert set(rows["fold"]) == {number}

    def test_what_balancing_left_out_is_out_of_every_fold(self, samples: pd.DataFrame) -> None:
        pool = samples.iloc[::2]
        folds = nodes.divide_pool(samples, pool, SplitParams(folds=1, together="image"))
        assert set(folds.loc[~folds["sample_id"].isin(pool["sample_id"]), "fold_0"]) == {"out"}
        rows = nodes.split_folds(folds)["fold_0_rows"]
        assert set(rows["sample_id"]) == set(pool["sample_id"])
        assert set(samples["sample_id"].iloc[rows["row"]]) == set(pool["sample_id"])


class TestBalancing:
    def test_only_the_training_side_is_cut(self, rows: pd.DataFrame, samples: pd.DataFrame) -> None:
        kept, _ = nodes.balance_samples(rows, samples, BalanceParams(method="class"))
        for role in ("validation", "test"):
            pd.testing.assert_frame_equal(
                kept[kept["role"] == role].reset_index(drop=True),
                rows[rows["role"] == role].reset_index(drop=True),
            )
        training = samples.iloc[kept.loc[kept["role"] == "train", "row"]]
        sizes = training.groupby(["group", "label"]).size()
        assert all(sizes[group, "benign"] == sizes[group, "malignant"] for group in ("CALC", "CIRC"))
        assert len(training) < (rows["role"] == "train").sum()

    def test_none_passes_through_and_still_counts(self, rows: pd.DataFrame, samples: pd.DataFrame) -> None:
        kept, counts = nodes.balance_samples(rows, samples, BalanceParams())
        pd.testing.assert_frame_equal(kept, rows)
        assert list(counts["before"]) == list(counts["after"])
        assert counts["before"].sum() == (rows["role"] == "train").sum()

    def test_a_pool_is_cut_to_the_sizes_of_all_classes(self, samples: pd.DataFrame) -> None:
        calcifications = samples[samples["group"] == "CALC"]
        small = samples[(samples["group"] == "CIRC") & (samples["label"] == "malignant")].index[4:]
        census = samples.drop(index=small)[["group", "severity", "label"]]
        pool, counts = nodes.balance_pool(calcifications, census, BalanceParams(method="full"))
        assert pool.groupby("label").size().to_dict() == {"benign": 4, "malignant": 4}
        assert counts["after"].sum() == len(pool)

    def test_the_folds_counts_are_averaged(self) -> None:
        def count(*rows: tuple[str, int, int]) -> pd.DataFrame:
            table = pd.DataFrame(rows, columns=["severity", "before", "after"])
            table.insert(0, "group", "CALC")
            return table

        counts = nodes.gather_counts(count(("benign", 10, 4), ("malignant", 4, 4)), count(("benign", 11, 0)))
        table = nodes.average_counts({"fold_counts": counts})
        assert table.to_dict("list") == {
            "group": ["CALC", "CALC"],
            "severity": ["benign", "malignant"],
            "before": [10.5, 2.0],
            "after": [2.0, 2.0],
        }


class TestTraining:
    @pytest.mark.parametrize("choose_on", ["validation", "test"])
    def test_a_fold_learns_on_its_training_side_and_chooses_the_epoch_as_the_split_says(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        asked: dict[str, Any],
        tmp_path: Path,
        choose_on: Any,
    ) -> None:
        split = SPLIT.model_copy(update={"choose_epoch_on": choose_on})
        folder = tmp_path / "mias"
        model, history = nodes.train_fold(
            samples, pixels, rows, question, recipe, VIEWS, split, MACHINE, folder
        )
        assert model == "model"
        assert history.best_epoch == 1
        by_role = {role: list(part["row"]) for role, part in rows.groupby("role")}
        assert list(asked["training"]) == by_role["train"]
        assert list(asked["validation"]) == by_role[choose_on]
        assert list(asked["targets"]) == list(samples["target"])
        assert asked["checkpoint"].parent == folder / "fold_2" / "checkpoints"

    def test_the_final_model_learns_on_all_for_the_median_of_the_best_epochs(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        folds: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        asked: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        histories = Histories(folds=[make_history(best_epoch=best) for best in (9, 2, 40, 3)])
        nodes.train_final(
            samples,
            pixels,
            folds,
            question,
            recipe,
            VIEWS,
            BalanceParams(),
            MACHINE,
            tmp_path / "mias",
            histories,
        )
        assert asked["epochs"] == 3
        assert asked["checkpoint"].parent == tmp_path / "mias" / "final" / "checkpoints"
        assert list(asked["training"]) == list(range(len(samples)))
        assert len(asked["validation"]) == 0

    @pytest.mark.parametrize("role", ["out", "lockbox"])
    def test_the_final_model_never_sees_rows_that_are_out_of_every_fold(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        folds: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        asked: dict[str, Any],
        tmp_path: Path,
        role: str,
    ) -> None:
        names = [name for name in folds.columns if name.startswith("fold_")]
        folds = folds.copy()
        folds.loc[folds["row"] < 4, names] = role
        folds.loc[4, names[0]] = "out"
        best = Histories(folds=[make_history(best_epoch=1)])
        nodes.train_final(
            samples, pixels, folds, question, recipe, VIEWS, BalanceParams(), MACHINE, tmp_path / "mias", best
        )
        assert list(asked["training"]) == list(range(4, len(samples)))

    def test_the_final_model_is_balanced_as_the_folds_were(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        folds: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        asked: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        balance = BalanceParams(method="class")
        nodes.train_final(
            samples,
            pixels,
            folds,
            question,
            recipe,
            VIEWS,
            balance,
            MACHINE,
            tmp_path / "mias",
            Histories(folds=[make_history()]),
        )
        assert samples["target"].iloc[asked["training"]].mean() == 0.5

    def test_a_checkpoint_knows_its_samples_pixels_and_rows(
        self, samples: pd.DataFrame, pixels: np.ndarray, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = describe_data(samples, pixels, rows)
        assert describe_data(samples.copy(), pixels.copy(), rows.copy()) == first
        monkeypatch.setattr(nodes, "BLOCK_BYTES", 1000)
        assert describe_data(samples, pixels, rows) == first
        flipped = pixels.copy()
        flipped[-1, -1, -1] ^= 1
        changes = {
            "rows": (samples, pixels, rows.iloc[1:]),
            "samples": (samples.assign(target=1 - samples["target"]), pixels, rows),
            "pixels": (samples, flipped, rows),
        }
        for key, arguments in changes.items():
            changed = describe_data(*arguments)
            assert {name for name in first if changed[name] != first[name]} == {key}
        assert describe_data(samples, pixels, rows.iloc[::-1])["rows"] != first["rows"]


class TestFollowing:
    @pytest.mark.parametrize(
        ("study", "part", "prefix", "title"),
        [
            ("mias", "fold_2", "fold_2", ""),
            ("mias", "final", "final", ""),
            ("mias_author.without_any", "fold_0", "without_any/fold_0", "without any: "),
        ],
    )
    def test_metrics_are_named_by_variant_and_fold(
        self, monkeypatch: pytest.MonkeyPatch, study: str, part: str, prefix: str, title: str
    ) -> None:
        logs: list[Any] = []

        class Log:
            def __init__(self, name: str) -> None:
                self.name, self.epochs, self.ended = name, [], False
                logs.append(self)

            def __enter__(self) -> Log:
                return self

            def __exit__(self, *error: Any) -> None:
                self.ended = True

            def add(self, epoch: Epoch) -> None:
                self.epochs.append(epoch)

        monkeypatch.setattr(nodes, "EpochLog", Log)
        folder = Path("data", "06_models", study, part, "checkpoints")
        epoch = make_epoch(1)
        with nodes.follow_training(folder, "x", 5, "loss") as on_epoch:
            on_epoch(epoch)
        [log] = logs
        assert (log.name, log.epochs, log.ended) == (prefix, [epoch], True)
        assert nodes.name_variant(study) == title


class TestPredicting:
    def test_a_fold_predicts_its_test_side_only_with_a_probability_a_label(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        rows: pd.DataFrame,
        question: Question,
        recipe: Recipe,
        asked: dict[str, Any],
    ) -> None:
        table = nodes.predict_fold("model", samples, pixels, rows, question, recipe, VIEWS, MACHINE)
        test = rows.loc[rows["role"] == "test", "row"]
        assert list(asked["test"]) == list(test)
        assert list(table["sample_id"]) == list(samples["sample_id"].iloc[test])
        assert list(table.columns) == [
            "model",
            "fold",
            "sample_id",
            "patient_id",
            "label",
            "target",
            "p_benign",
            "p_malignant",
        ]
        assert set(table["model"]) == {"cnn"}
        assert set(table["fold"]) == {2}
        np.testing.assert_allclose(table["p_benign"] + table["p_malignant"], 1)

    def test_baselines_predict_the_same_samples_in_the_same_layout(
        self,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        question: Question,
        evaluation: EvaluationParams,
    ) -> None:
        folds = nodes.divide_samples(samples, SplitParams(folds=2))
        table = nodes.predict_baselines(samples, pixels, folds, question, evaluation)
        for _, part in table.groupby("model"):
            assert sorted(part["sample_id"]) == sorted(samples["sample_id"])

    def test_tables_are_pooled_with_a_new_index(self) -> None:
        tables = [pd.DataFrame({"model": ["cnn"], "fold": [number]}) for number in (0, 1)]
        found = nodes.gather_predictions(*tables)
        baseline = pd.DataFrame({"model": ["majority"], "fold": [0]})
        pooled = nodes.pool_predictions({"fold_predictions": found, "baseline_predictions": baseline})
        assert list(pooled.index) == [0, 1, 2]
        assert list(pooled["fold"]) == [0, 1, 0]


def test_the_network_is_described_before_it_is_trained(
    pixels: np.ndarray, question: Question, recipe: Recipe
) -> None:
    big = np.zeros((1, 48, 48, 1), np.uint8)
    layers, text = nodes.describe_model(big, question, recipe)
    assert sum(layer["parameters"] for layer in layers) == 72_706
    assert "72,706" in text


@pytest.mark.slow
def test_a_network_is_really_trained_and_asked(
    samples: pd.DataFrame, pixels: np.ndarray, folds: pd.DataFrame, question: Question, tmp_path: Path
) -> None:
    rows = nodes.split_folds(folds)["fold_0_rows"]
    recipe = Recipe(epochs=1, batch_size=16)
    machine = MachineParams(engine="fit", device="cpu")
    folder = tmp_path / "mias" / "fold_0" / "checkpoints"
    model, history = nodes.train_fold(samples, pixels, rows, question, recipe, VIEWS, SPLIT, machine, folder)
    table = nodes.predict_fold(model, samples, pixels, rows, question, recipe, VIEWS, machine)
    assert len(history.epochs) == 1
    assert table[["p_benign", "p_malignant"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
