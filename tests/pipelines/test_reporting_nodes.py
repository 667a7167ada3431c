"""Measuring, drawing and writing, from a small table of predictions."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from histories import make_epochs, make_history
from mammoscan.params import EvaluationParams, Question, Recipe, SplitParams, ViewParams
from mammoscan.pipelines.modelling.nodes import divide_samples, gather_histories
from mammoscan.pipelines.reporting import nodes
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.records.section import Section
from mammoscan.reporting.compose import describe_class_weights, describe_study
from mammoscan.reporting.facts import ReportInputs


@pytest.fixture
def predictions(samples: pd.DataFrame) -> pd.DataFrame:
    """The network is mostly right, the majority baseline never knows."""
    rng = np.random.default_rng(1)
    tables = []
    for model, skill in (("cnn", 0.4), ("majority", 0.0)):
        table = samples[["sample_id", "patient_id", "label", "target"]].copy()
        guess = 0.3 + skill * samples["target"] + (skill > 0) * rng.uniform(-0.25, 0.25, len(samples))
        table = table.assign(model=model, fold=0, p_benign=1 - guess, p_malignant=guess)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def histories() -> Histories:
    return gather_histories(
        *(make_history(make_epochs(n, val_loss=0.7, val_accuracy=0.5), n) for n in (3, 2))
    )


RUN_INFO = RunInfo(
    pipeline="mias",
    started=0.0,
    command=None,
    commit="abc",
    run_id="123",
    versions={"keras": "3"},
    python="3.11",
    machine="Linux",
)


class TestMeasuring:
    def test_every_model_is_measured(
        self, predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
    ) -> None:
        metrics = nodes.measure_predictions(predictions, question, evaluation)
        assert set(metrics) == {"cnn", "majority"}
        assert metrics["cnn"]["auc"]["value"] > 0.9
        assert metrics["majority"]["auc"]["value"] == 0.5
        json.dumps(metrics)

    def test_a_report_is_text_json_and_table_with_the_same_numbers(
        self, predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
    ) -> None:
        report = nodes.report_classification(predictions, question, evaluation)
        text, table = nodes.tabulate_classification(predictions, question, evaluation)
        recall = report["malignant"]["recall"]
        assert f"{recall:.2f}" in text
        row = table[table.eq("malignant").any(axis=1)].iloc[0]
        assert row["recall"] == pytest.approx(recall)
        json.dumps(report)

    def test_a_confusion_table_survives_its_file_and_is_drawn(
        self,
        predictions: pd.DataFrame,
        question: Question,
        evaluation: EvaluationParams,
        record: DatasetRecord,
    ) -> None:
        counts = nodes.tabulate_confusion(predictions, question, evaluation)
        assert counts.drop(columns="true").to_numpy().sum() == 60
        figure = nodes.draw_confusion_matrix(record, predictions, question, evaluation)
        shown = {text.get_text() for axes in figure.axes for text in axes.texts}
        for count in counts.drop(columns="true").to_numpy().ravel():
            assert any(str(count) in text for text in shown)

    def test_a_variants_matrix_bears_its_name(
        self,
        predictions: pd.DataFrame,
        question: Question,
        evaluation: EvaluationParams,
        record: DatasetRecord,
    ) -> None:
        titles = {}
        for study in ("mias_author", "mias_author.without_copies", "mias_author_all.masses_full"):
            draw = pickle.loads(pickle.dumps(nodes.draw_confusion_matrix_of(study)))
            figure = draw(record, predictions, question, evaluation)
            titles[study] = " ".join(text.get_text() for text in figure.texts)
        assert "Confusion matrix: without the four exact copies" in titles["mias_author.without_copies"]
        assert "Confusion matrix: masses, fully balanced" in titles["mias_author_all.masses_full"]
        assert "Confusion matrix:" not in titles["mias_author"]

    def test_the_audit_is_told_what_chose_the_epoch(
        self, record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray
    ) -> None:
        split = SplitParams(folds=1, together="image", choose_epoch_on="test")
        folds = divide_samples(samples, split)
        honest = split.model_copy(update={"choose_epoch_on": "validation"})
        audits = [nodes.audit_leaks(record, samples, pixels, folds, each) for each in (split, honest)]
        assert audits[0] != audits[1]
        assert audits[0]["test_images"] == (folds["fold_0"] == "test").sum()


class TestDrawing:
    @pytest.mark.parametrize(
        ("kind", "stamp"), [("phantom", "PHANTOM"), ("modified", "MODIFIED"), ("real", "")]
    )
    def test_what_is_not_the_published_set_says_so(
        self, record: DatasetRecord, kind: str, stamp: str
    ) -> None:
        found = nodes.choose_stamp(record.model_copy(update={"kind": kind}))
        assert found.startswith(stamp)
        assert bool(found) == bool(stamp)

    def test_folds_are_counted_from_one(self, record: DatasetRecord, histories: Histories) -> None:
        figure = nodes.draw_training_curves(record, SplitParams(folds=2), histories)
        assert isinstance(figure, Figure)
        words = " ".join(
            text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        )
        assert "PHANTOM" in words


class TestWriting:
    def test_the_folds_trainings_are_put_together(self, histories: Histories) -> None:
        assert len(histories.folds) == 2
        assert histories.epochs == histories.best_epochs == [3, 2]

    def test_figures_and_sections_go_by_their_bare_names(self) -> None:
        needed = dict.fromkeys(
            (
                *("record", "run_info", "question", "evaluation", "training", "metrics", "leak_audit"),
                *("class_counts", "rejected", "histories"),
            )
        )
        entries = needed | {"roc_figure": b"1", "trust_section": Section(title="Trust")}
        inputs = ReportInputs.gather(entries)
        assert inputs.figures == {"roc": b"1"}
        assert inputs.sections == {"trust": Section(title="Trust")}

    @pytest.mark.parametrize(("pipeline", "protocol"), [("mias", "patient"), ("mias_author_all", "author")])
    def test_a_report_without_a_typed_command_says_how_to_repeat_it(
        self,
        record: DatasetRecord,
        question: Question,
        evaluation: EvaluationParams,
        recipe: Recipe,
        histories: Histories,
        pipeline: str,
        protocol: str,
    ) -> None:
        content = describe_study(
            ReportInputs(
                record=record,
                run_info=RUN_INFO.model_copy(update={"pipeline": pipeline}),
                question=question,
                evaluation=evaluation,
                training=recipe,
                metrics={},
                leak_audit={},
                class_counts=pd.DataFrame(),
                rejected=pd.DataFrame({"reason": ["a", "a", "b"]}),
                histories=histories,
            )
        )
        assert content["command"] == f"kedro run --pipeline {pipeline}"
        assert content["protocol"] == protocol
        assert content["rejected"] == {"a": 2, "b": 1}
        assert content["seconds"] is None
        assert content["training"]["Best epochs"] == "3, 2"
        assert "Class weights" not in content["training"]

    def test_class_weights_stand_under_the_training_with_their_range_over_the_folds(self) -> None:
        weights = ((1.937, 0.674), (1.9, 0.674))
        histories = Histories(folds=[make_history(class_weights=each) for each in weights])
        found = describe_class_weights(("Normal", "Opacity"), histories)
        assert found == {"Class weights": "Normal 1.900 to 1.937, Opacity 0.674"}

    def test_the_page_holds_the_headline_and_says_that_the_data_are_synthetic(
        self,
        record: DatasetRecord,
        question: Question,
        evaluation: EvaluationParams,
        recipe: Recipe,
        samples: pd.DataFrame,
        pixels: np.ndarray,
        predictions: pd.DataFrame,
        histories: Histories,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("INFO", "mammoscan")
        metrics = nodes.measure_predictions(predictions, question, evaluation)
        split = SplitParams(folds=2)
        report = nodes.report_classification(predictions, question, evaluation)
        counts = samples.groupby(["group", "severity"]).size().rename("before").reset_index()
        entries = {
            "record": record,
            "run_info": RUN_INFO,
            "question": question,
            "evaluation": evaluation,
            "training": recipe,
            "predictions": predictions,
            "metrics": metrics,
            "leak_audit": nodes.audit_leaks(record, samples, pixels, divide_samples(samples, split), split),
            "class_counts": counts.assign(after=counts["before"]),
            "rejected": pd.DataFrame({"reason": ["a normal scan"]}),
            "classification": report,
            "histories": histories,
            "calibration": nodes.measure_calibration(predictions, question, evaluation),
            "subgroups": nodes.measure_subgroups(predictions, samples, question, evaluation),
        }
        picture = io.BytesIO()
        Image.new("L", (3, 2)).save(picture, "PNG")
        page, plain = (
            nodes.write_report(**entries, views=views, views_figure=picture.getvalue())
            for views in (ViewParams(), ViewParams(stored="one", training="none", prediction=False))
        )
        assert ("<img" in page, "<img" in plain) == (True, False)
        assert page.lstrip().lower().startswith("<!doctype html>")
        assert "PHANTOM" in page
        headline = f"{metrics['cnn']['auc']['value']:.2f}"
        assert headline in page
        assert f"AUC for malignant: {headline}" in caplog.text
        assert "on 60 images of 30 patients" in caplog.text
