"""The tables of an article's variants and claims."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from histories import make_history
from mammoscan.pipelines.author import nodes
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM
from records import make_dataset_record

NAN = float("nan")


def make_results(**aucs: float) -> dict[str, Any]:
    """What the catalog hands to the table of variants."""
    results: dict[str, Any] = {}
    for number, (name, auc) in enumerate(aucs.items(), 1):
        measure = {"value": auc, "low": auc - 0.1, "high": auc + 0.1}
        results[f"{name}_metrics"] = {
            "cnn": dict.fromkeys(nodes.MEASURES, measure) | {"samples": 60, "patients": 10},
            "majority": {},
        }
        results[f"{name}_histories"] = Histories(folds=[make_history(best_epoch=number)])
    return results


@pytest.fixture
def ablation() -> pd.DataFrame:
    names = ("published", *ABLATION, SIDE_CLAIM)
    aucs = {name: 0.9 - 0.05 * number for number, name in enumerate(names)}
    return nodes.tabulate_variants(**make_results(**aucs))


@pytest.fixture
def experiments() -> pd.DataFrame:
    aucs = dict(zip(EXPERIMENTS, (0.8, 0.7, 0.6, 0.65, 0.75, 0.7), strict=True))
    return nodes.tabulate_variants(**make_results(**aucs))


class TestVariants:
    def test_each_has_a_row_with_every_measure_and_its_interval(self, ablation: pd.DataFrame) -> None:
        assert list(ablation["variant"]) == ["published", *ABLATION, SIDE_CLAIM]
        row = ablation.iloc[0]
        assert (row["name"], row["images"], row["patients"], row["best_epoch"]) == ("as published", 60, 10, 1)
        for name in nodes.MEASURES:
            assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((0.9, 0.8, 1.0))

    def test_every_variant_and_experiment_has_words_of_its_own(self) -> None:
        assert set(nodes.VARIANTS) == {"published", *ABLATION, SIDE_CLAIM, *EXPERIMENTS}
        assert len(set(nodes.VARIANTS.values())) == len(nodes.VARIANTS)

    def test_what_was_tabulated_is_read_back(self, ablation: pd.DataFrame) -> None:
        row = next(nodes.read_variants(ablation))
        assert (row["variant"], row["best_epoch"]) == ("published", 1)
        assert row["auc"] == pytest.approx({"value": 0.9, "low": 0.8, "high": 1.0})


class TestClaims:
    def test_the_articles_claims_stand_beside_what_came_out(self, ablation: pd.DataFrame) -> None:
        counts = pd.DataFrame({"after": [120, 120]})
        table = nodes.tabulate_reproduction(make_dataset_record(), counts, {"test_images": 60}, ablation)
        rows = table.set_index("claim")
        assert rows.loc["Scans in the data set", ["article", "ours"]].tolist() == ["332", "322"]
        assert rows.loc["Images of calcifications, class-balanced", "ours"] == "240"
        assert rows.loc["of which tested", "ours"] == "60"
        assert rows.loc["Recall on malignant", ["article", "ours"]].tolist() == ["97 %", "90 % [80, 100]"]
        side = next(claim for claim in rows.index if "unbalanced" in claim.lower())
        assert rows.loc[side, "ours"] == "60 % [50, 70]"

    def test_class_balancing_is_compared_question_by_question(self, experiments: pd.DataFrame) -> None:
        rows = nodes.tabulate_comparisons(experiments).set_index("claim")
        assert rows.loc["Class-balanced beats fully balanced", "ours"] == "by AUC for 2 of 3 questions"
        assert rows.loc["Class-balanced beats fully balanced", "note"] == "calcifications, all classes"
        assert rows.loc["Masses need 1,000 epochs", "ours"] == "best epoch 3"

    @pytest.mark.parametrize(
        ("measure", "words"),
        [
            ({"value": 0.5, "low": 0.25, "high": 0.75}, "50 % [25, 75]"),
            ({"value": 0.5, "low": NAN, "high": 0.75}, "50 %"),
            ({"value": 0.5, "low": None, "high": None}, "50 %"),
        ],
    )
    def test_a_share_is_given_in_percent_with_its_interval_where_there_is_one(
        self, measure: dict[str, Any], words: str
    ) -> None:
        assert nodes.format_share_measure(measure) == words


class TestDrawing:
    def test_the_ablation_shows_the_published_number_and_each_flaw_taken_away(
        self, ablation: pd.DataFrame, record: DatasetRecord
    ) -> None:
        shown = read_words(nodes.draw_ablation(record, ablation))
        for name in ("published", *ABLATION):
            assert nodes.VARIANTS[name] in shown
        assert nodes.VARIANTS[SIDE_CLAIM] not in shown
        assert "PHANTOM" in shown

    def test_the_closing_chart_shows_six_experiments(
        self, experiments: pd.DataFrame, record: DatasetRecord
    ) -> None:
        shown = read_words(nodes.draw_experiments(record, experiments))
        for group in ("calcifications", "masses", "all classes"):
            assert group in shown


def read_words(figure: Any) -> str:
    figure.canvas.draw()
    texts = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " ".join(" ".join(text.get_text().split()) for text in texts)


def test_severities_are_drawn_and_tabulated_before_and_after_either_balancing() -> None:
    columns = ["group", "severity", "before", "after"]
    by_class, fully = (
        {
            "class_counts": pd.DataFrame(
                [("CALC", "benign", 144, kept), ("NORM", "normal", 2484, 2 * kept)], columns=columns
            )
        }
        for kept in (120, 48)
    )
    section = nodes.describe_severities(by_class, fully)
    assert section.figures == ("severity_counts",)
    assert section.tables[0].rows == (("CALC", "benign", 144, 120, 48), ("NORM", "normal", 2484, 240, 96))
    figure = nodes.draw_severity_counts(make_dataset_record(), by_class, fully)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["before: 2,628", "class-balanced: 360", "fully balanced: 144"]
