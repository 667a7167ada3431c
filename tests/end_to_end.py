"""What every pipeline leaves behind, whichever study it is."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np

from mammoscan.studies import EXPERIMENTS, STUDIES
from projects import FinishedRun, load_project_conf

BASELINES = ("majority", "metadata", "texture")

Finish = Callable[[str], FinishedRun]


def find_main_study(run: FinishedRun) -> str:
    """The study whose figures head the report: of the six experiments the article's own."""
    return f"{run.pipeline}.{EXPERIMENTS[0]}" if run.pipeline == "mias_author_all" else run.pipeline


def find_dataset(run: FinishedRun) -> str:
    return STUDIES[find_main_study(run)].dataset


class EveryPipeline:
    """Tests of a finished run; a file of pipelines gives them its own ``finished``."""

    def test_every_output_of_the_pipeline_lies_in_its_place(self, finished: FinishedRun) -> None:
        missing = [name for name in finished.list_outputs() if not finished.find_file(name).is_file()]
        assert missing == []

    def test_the_console_says_phantom_and_the_headline_and_little_else(self, finished: FinishedRun) -> None:
        lines = finished.errors.splitlines()
        assert finished.output == ""
        if find_dataset(finished) == "mias":
            assert lines[0].startswith("PHANTOM data: 80 synthetic scans")
        else:
            assert re.match(r"PHANTOM data: \d+ synthetic images of \d+ made-up patients", lines[0])
        assert any(re.search(r"AUC for \w+: \d\.\d\d \[\d\.\d\d, \d\.\d\d\]", line) for line in lines)
        assert lines[-2] == f"report: {finished.find_file(f'{finished.pipeline}.report')}"
        assert lines[-1] == (
            f"compare runs: mammoscan ui (MLflow's store is {finished.project.tracking_uri})"
        )
        assert len(lines) < 40
        assert not re.search(r"warning|traceback|error|\bINFO\b", finished.errors, re.IGNORECASE)

    def test_the_report_is_one_file_that_says_phantom_and_how_to_repeat_it(
        self, finished: FinishedRun
    ) -> None:
        page = finished.find_file(f"{finished.pipeline}.report").read_text()
        assert set(re.findall(r'\bsrc="([^"]{5})', page)) == {"data:"}
        assert not re.search(r"<link|<script[^>]*\bsrc|@import|url\((?!['\"]?data:)", page)
        # One script of its own, which the page's policy names by its digest; no other can run.
        assert page.count("<script") == 1
        assert re.search(r"script-src 'sha256-[\w+/=]+'", text := html.unescape(page))
        assert "PHANTOM" in text
        assert f"kedro run --env test --pipeline {finished.pipeline}" in text
        assert finished.tracked.info.run_id in text

    def test_mlflow_has_one_finished_run_with_what_it_was_made_of(self, finished: FinishedRun) -> None:
        dataset = find_dataset(finished)
        run, record = finished.tracked, finished.read_json(f"{dataset}.raw")
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"PHANTOM {finished.pipeline}"
        expected = {
            "data": "phantom",
            "data_fingerprint": record["fingerprint"],
            "study": finished.pipeline,
            "protocol": "author" if "author" in finished.pipeline else "patient",
            "command": f"kedro run --env test --pipeline {finished.pipeline}",
        }
        assert run.data.tags.items() >= expected.items()
        [logged] = run.inputs.dataset_inputs
        assert logged.dataset.name == f"{dataset} (phantom)"
        assert logged.dataset.digest == record["fingerprint"][:16]

    def test_mlflow_has_every_parameter_by_its_own_name(self, finished: FinishedRun) -> None:
        parameters = load_project_conf("test")["parameters"]
        study = find_main_study(finished)
        block = parameters
        for key in study.split("."):
            block = block[key]
        for group, name in (("training", "epochs"), ("split", "together"), ("evaluation", "resamples")):
            assert finished.get_tracked(study).data.params[f"{study}.{group}.{name}"] == str(
                block[group][name]
            )
        dataset = find_dataset(finished)
        patients = parameters[dataset]["phantom"]["patients"]
        assert finished.tracked.data.params[f"{dataset}.phantom.patients"] == str(patients)

    def test_mlflow_has_the_numbers_of_the_metrics_file(self, finished: FinishedRun) -> None:
        study = find_main_study(finished)
        measure = finished.read_json(f"{study}.metrics")["cnn"]["auc"]
        found = finished.get_tracked(study).data
        assert found.metrics["auc"] == measure["value"]
        assert found.tags["intervals"].startswith(f"auc [{measure['low']:.2f}, {measure['high']:.2f}]; ")
        assert found.tags["auc_within_folds"].startswith("PHANTOM ")
        assert measure["low"] <= measure["value"] <= measure["high"]

    def test_the_page_of_a_run_has_few_numbers_under_plain_names(self, finished: FinishedRun) -> None:
        run = finished.tracked
        own = [name for name in run.data.metrics if not name.startswith("system/")]
        assert len(own) < 30, own
        assert not [name for name in own if "/" in name or name.endswith(("_low", "_high"))]
        assert not [name for name in run.data.params if name.startswith("run.")]
        assert "PHANTOM" in run.data.tags["mlflow.note.content"]
        assert "report.html" in run.data.tags["mlflow.note.content"]
        children = finished.project.list_children(run.info.run_id)
        assert children
        for part, child in children.items():
            assert child.info.status == "FINISHED", part
            assert child.info.run_name.startswith("PHANTOM ")
            assert child.data.tags["data"] == "phantom"

    def test_mlflow_has_the_columns_and_counts_of_the_data_set(self, finished: FinishedRun) -> None:
        [logged] = finished.tracked.inputs.dataset_inputs
        columns = {column["name"] for column in json.loads(logged.dataset.schema)["mlflow_colspec"]}
        assert columns >= {"sample_id", "patient_id", "label", "target"}
        profile = json.loads(logged.dataset.profile)
        assert profile["num_rows"] == sum(profile["samples_per_label"].values()) > 0

    def test_mlflow_has_the_report_and_every_figure(self, finished: FinishedRun) -> None:
        folder = Path(mlflow.artifacts.download_artifacts(finished.tracked.info.artifact_uri))
        kept = {path.name: path for path in folder.iterdir()}
        report = finished.find_file(f"{finished.pipeline}.report")
        assert kept["report.html"].read_bytes() == report.read_bytes()
        figures = {path.name for path in report.parent.glob("*.png")}
        assert len(figures) >= 1
        own = [name for name in finished.list_outputs() if name.count(".") == 1 and name.endswith("_figure")]
        assert {finished.find_file(name).name for name in own if name.startswith(finished.pipeline)} <= set(
            kept
        )

    def test_the_network_and_the_baselines_answer_the_same_samples(self, finished: FinishedRun) -> None:
        predictions = finished.read_table(f"{find_main_study(finished)}.predictions")
        asked = {model: sorted(part["sample_id"]) for model, part in predictions.groupby("model")}
        assert set(asked) == {"cnn", *BASELINES}
        assert all(asked[model] == asked["cnn"] for model in BASELINES)
        assert len(set(asked["cnn"])) == len(asked["cnn"])
        shares = predictions.filter(like="p_").sum(axis=1)
        np.testing.assert_allclose(shares, 1, atol=1e-6)

    def test_the_three_reports_and_the_confusion_counts_tell_one_story(self, finished: FinishedRun) -> None:
        study = find_main_study(finished)
        table = finished.read_table(f"{study}.classification_table")
        counts = finished.read_table(f"{study}.confusion_counts")
        text = finished.find_file(f"{study}.classification_report_text").read_text()
        report = finished.read_json(f"{study}.classification_report")
        for _, row in counts.iterrows():
            label, seen = row.iloc[0], row.iloc[1:].sum()
            assert report[label]["support"] == seen
            assert re.search(rf"{label}.*\b{seen}\b", text)
            assert table.loc[table.iloc[:, 0] == label, "support"].item() == seen
