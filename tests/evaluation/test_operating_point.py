"""Temperature and threshold: fitted on out-of-fold predictions, measured on folds that had no part in the fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mammoscan.evaluation.calibration import HOTTEST, apply_temperature, fit_temperature
from mammoscan.evaluation.operating_point import (
    CHOSEN_AGAIN,
    choose_threshold,
    measure_operation,
    measure_trust,
    rechoose_thresholds,
)
from mammoscan.evaluation.predictions import Scored, read_scored
from mammoscan.params import EvaluationParams, Question, ThresholdParams

SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
POSITIVE = np.array([0, 0, 1, 0, 0, 1, 1, 1], bool)


def spread(score: np.ndarray) -> np.ndarray:
    return np.stack([1 - score, score], axis=1)


class TestTemperature:
    def test_one_changes_nothing_and_more_brings_shares_together(self) -> None:
        probabilities = spread(SCORE)
        np.testing.assert_array_equal(apply_temperature(probabilities, 1.0), probabilities)
        cooled = apply_temperature(probabilities, 3.0)
        np.testing.assert_allclose(cooled.sum(axis=1), 1)
        assert (np.argsort(cooled[:, 1]) == np.argsort(SCORE)).all()
        assert (np.abs(cooled[:, 1] - 0.5) < np.abs(SCORE - 0.5)).all()

    def test_it_stays_float32_and_finite_where_a_share_is_0(self) -> None:
        found = apply_temperature(np.array([[0, 1]], np.float32), 2.0)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()

    @pytest.mark.parametrize("factor", [0.5, 3.0])
    def test_the_fit_undoes_a_known_distortion(self, factor: float) -> None:
        rng = np.random.default_rng(0)
        logit = rng.normal(0, 1.5, 20_000)
        truth = (rng.random(20_000) < 1 / (1 + np.exp(-logit))).astype(int)
        stated = spread(1 / (1 + np.exp(-factor * logit)))
        assert fit_temperature(stated, truth) == pytest.approx(factor, rel=0.05)

    def test_a_network_that_is_always_wrong_is_told_to_say_nothing(self) -> None:
        assert fit_temperature(spread(np.array([0.9, 0.1])), np.array([0, 1])) == pytest.approx(
            HOTTEST, rel=0.01
        )

    def test_nothing_to_fit_changes_nothing(self) -> None:
        assert fit_temperature(np.empty((0, 2)), np.empty(0, int)) == 1


def make_scored(score: np.ndarray, positive: np.ndarray, folds: np.ndarray | None = None) -> Scored:
    """One sample per patient."""
    count = len(score)
    return Scored(
        labels=("benign", "malignant"),
        positive=1,
        probabilities=np.stack([1 - score, score], axis=1),
        truth=positive.astype(int),
        patients=np.arange(count),
        n_patients=count,
        folds=np.zeros(count, int) if folds is None else folds,
    )


class TestThreshold:
    def test_the_highest_that_finds_enough(self) -> None:
        assert choose_threshold(
            SCORE, POSITIVE, ThresholdParams(rule="sensitivity", at=0.75)
        ) == pytest.approx(0.65)
        assert choose_threshold(SCORE, POSITIVE, ThresholdParams(rule="sensitivity", at=1)) == pytest.approx(
            0.25
        )

    def test_the_largest_sum_of_sensitivity_and_specificity(self) -> None:
        assert choose_threshold(SCORE, POSITIVE, ThresholdParams(rule="youden")) == pytest.approx(0.65)

    def test_dear_misses_lower_it_and_rare_positives_raise_it(self) -> None:
        def choose(**params: float) -> float:
            return choose_threshold(SCORE, POSITIVE, ThresholdParams(rule="cost", **params))

        assert choose(at=100, prevalence=0.5) == pytest.approx(0.25)
        assert choose(at=1, prevalence=0.5) == pytest.approx(0.65)
        assert choose(at=1, prevalence=0.01) == pytest.approx(0.65)
        assert choose_threshold(
            np.array([0.2, 0.3, 0.6, 0.9]),
            np.array([1, 0, 1, 0], bool),
            ThresholdParams(rule="cost", at=1, prevalence=0.01),
        ) == pytest.approx(1, abs=1e-5)

    def test_a_fixed_one_looks_at_no_score(self) -> None:
        assert choose_threshold(SCORE, POSITIVE, ThresholdParams(at=0.42)) == 0.42

    def test_without_both_sides_it_is_even_odds(self) -> None:
        rule = ThresholdParams(rule="youden")
        assert choose_threshold(SCORE, np.ones(8, bool), rule) == 0.5

    def test_what_suits_no_rule_is_refused(self) -> None:
        with pytest.raises(ValidationError, match=r"threshold.at is 1.5, expected at most 1"):
            ThresholdParams(rule="sensitivity", at=1.5)
        with pytest.raises(ValidationError, match="less than 1"):
            EvaluationParams(threshold=1, metadata_columns=())
        assert EvaluationParams(threshold=0.3, metadata_columns=()).cut == 0.3
        assert EvaluationParams(threshold={"rule": "youden"}, metadata_columns=()).cut == 0.5

    def test_what_it_costs_is_stated_for_the_prevalence(self) -> None:
        decided = SCORE >= 0.5
        evaluation = EvaluationParams(threshold={"prevalence": 0.2}, resamples=50, metadata_columns=())
        found = measure_operation(make_scored(SCORE, POSITIVE), decided, evaluation)
        assert found["counts"] == {"hit": 3, "missed": 1, "false_alarm": 1, "right": 3}
        values = {name: measure["value"] for name, measure in found.items() if name != "counts"}
        hit, alarm = 0.2 * 0.75, 0.8 * 0.25
        assert values == pytest.approx(
            {
                "sensitivity": 0.75,
                "specificity": 0.75,
                "ppv": hit / (hit + alarm),
                "npv": 0.8 * 0.75 / (0.8 * 0.75 + 0.2 * 0.25),
                "recalled": hit + alarm,
                "recalls_per_found": (hit + alarm) / hit,
            }
        )
        assert found["sensitivity"]["low"] < 0.75 < found["sensitivity"]["high"]


class TestChoosingAgain:
    """In each resample the threshold is chosen again, so that its own uncertainty is in the intervals."""

    @pytest.mark.parametrize(
        "rule", [{"rule": "sensitivity", "at": 0.9}, {"rule": "youden"}, {"rule": "cost", "at": 5.0}]
    )
    def test_on_the_data_as_they_are_it_decides_as_the_folds_do(self, rule: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        positive = np.arange(60) % 3 == 0
        scored = make_scored(1 / (1 + np.exp(-rng.normal(positive, 1))), positive, np.arange(60) % 4)
        params = ThresholdParams(**rule)
        decided = np.zeros(60, bool)
        for fold in range(4):
            others = scored.select(scored.folds != fold)
            threshold = choose_threshold(others.score, others.is_positive, params)
            decided |= (scored.folds == fold) & (scored.score >= threshold)
        found = rechoose_thresholds(scored, params)(np.ones((1, 60)))
        assert found["sensitivity"][0] == pytest.approx(decided[positive].mean(), abs=0.06)
        assert found["specificity"][0] == pytest.approx(1 - decided[~positive].mean(), abs=0.06)

    def test_the_interval_is_wider_than_that_of_a_threshold_that_was_given(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        scored = read_scored(make_predictions(patients=40, each=2), question)
        evaluation = EvaluationParams(
            threshold={"rule": "sensitivity", "at": 0.8}, resamples=300, metadata_columns=()
        )
        decided = scored.score >= choose_threshold(scored.score, scored.is_positive, evaluation.threshold)
        given, chosen = (measure_operation(scored, decided, evaluation, again) for again in (False, True))
        for name in ("sensitivity", "specificity"):
            assert chosen[name]["low"] < given[name]["low"]
            assert CHOSEN_AGAIN in chosen[name]["method"]


class TestTrust:
    EVALUATION = EvaluationParams(
        threshold={"rule": "sensitivity", "at": 0.9}, resamples=50, metadata_columns=()
    )

    @staticmethod
    def sharpen(table: pd.DataFrame) -> pd.DataFrame:
        sharp = apply_temperature(table[["p_benign", "p_malignant"]].to_numpy(), 0.3)
        return table.assign(p_benign=sharp[:, 0], p_malignant=sharp[:, 1])

    def test_an_overconfident_network_is_cooled_and_better_calibrated(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        found = measure_trust(self.sharpen(make_predictions(patients=100)), question, self.EVALUATION)
        assert found["temperature"] > 1.5
        before, after = found["calibration"]["before"], found["calibration"]["after"]
        assert after["brier"]["value"] < before["brier"]["value"]
        assert after["ece"]["value"] < before["ece"]["value"]

    def test_a_temperature_that_is_no_clear_gain_is_not_shipped(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        kept = [
            measure_trust(make_predictions(patients=30, each=2, seed=seed), question, self.EVALUATION)
            for seed in range(10)
        ]
        assert sum(found["temperature"] == 1 for found in kept) >= 8
        for found in kept:
            fitted = found["fitted_temperature"]
            assert fitted["low"] < fitted["value"] < fitted["high"]
            assert (found["temperature"] == 1) == (found["log_loss_change"]["high"] >= 0)

    def test_a_fold_is_judged_by_the_other_folds_alone(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        table = make_predictions()
        found = measure_trust(table, question, self.EVALUATION)
        others = table[table["fold"] == 1]
        expected = fit_temperature(
            others[["p_benign", "p_malignant"]].to_numpy(), others["target"].to_numpy()
        )
        assert found["fold_temperatures"]["fold_0"] == pytest.approx(expected)
        changed = table.copy()
        changed.loc[changed["fold"] == 0, ["p_benign", "p_malignant"]] = [0.5, 0.5]
        again = measure_trust(changed, question, self.EVALUATION)
        assert again["fold_temperatures"]["fold_0"] == found["fold_temperatures"]["fold_0"]
        assert again["fold_thresholds"]["fold_0"] == found["fold_thresholds"]["fold_0"]
        assert again["fitted_temperature"] != found["fitted_temperature"]

    def test_the_promised_sensitivity_is_measured_and_not_assumed(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        table = make_predictions(patients=30, each=2, gap=0.5)
        found = measure_trust(table, question, self.EVALUATION)
        calibrated = apply_temperature(table[["p_benign", "p_malignant"]].to_numpy(), found["temperature"])[
            :, 1
        ]
        positive = table["label"].to_numpy() == "malignant"
        assert (calibrated[positive] >= found["threshold"]).mean() >= 0.9
        assert found["operation"]["chosen"]["counts"]["hit"] != round(0.9 * positive.sum())

    def test_three_labels_are_calibrated_without_a_threshold(self, three_labels: Question) -> None:
        rng = np.random.default_rng(0)
        shares = rng.dirichlet(np.ones(3), 60)
        truth = np.array([rng.choice(3, p=row) for row in shares])
        table = pd.DataFrame(shares, columns=[f"p_{label}" for label in three_labels.labels]).assign(
            model="cnn",
            fold=np.arange(60) % 3,
            sample_id=np.arange(60),
            patient_id=np.arange(60),
            label=[three_labels.labels[index] for index in truth],
        )
        found = measure_trust(table, three_labels, self.EVALUATION)
        assert found["threshold"] is None
        assert found["operation"] == {}
        assert 0.3 < found["fitted_temperature"]["value"] < 3

    def test_a_single_fold_is_left_as_it_is(
        self, make_predictions: Callable[..., pd.DataFrame], question: Question
    ) -> None:
        found = measure_trust(make_predictions().assign(fold=0), question, self.EVALUATION)
        assert found["fold_temperatures"] == {"fold_0": 1.0}
        assert found["calibration"]["before"]["brier"] == found["calibration"]["after"]["brier"]
