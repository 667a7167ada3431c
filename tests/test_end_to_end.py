"""What each pipeline leaves behind when it is run as a person runs it: one real process a pipeline, at toy size."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.phantoms.notes import write_notes
from mammoscan.phantoms.plan import plan_scans
from mammoscan.sources.notes import clean_notes
from mammoscan.sources.regions import choose_regions
from mammoscan.studies import (
    ABLATION,
    EXPERIMENTS,
    SIDE_CLAIM,
    STUDIES,
    MachineParams,
    Question,
    Recipe,
    ViewParams,
)
from projects import FinishedRun, load_project_conf, make_project

TISSUE = (
    "breakhis",
    "breakhis_threefold",
    "breakhis_author",
    "breakhis_400x",
    "breakhis_400x_author",
    "idc",
    "idc_author",
)
CHEST = ("pneumonia", "pneumonia_author")
PIPELINES = ("mias", "mias_normal", "mias_author", "mias_author_all", *TISSUE, *CHEST)
BASELINES = ("majority", "metadata", "texture")

Finish = Callable[[str], FinishedRun]


@pytest.fixture(params=PIPELINES)
def finished(finish_pipeline: Finish, request: pytest.FixtureRequest) -> FinishedRun:
    return finish_pipeline(request.param)


@pytest.fixture
def mias(finish_pipeline: Finish) -> FinishedRun:
    return finish_pipeline("mias")


@pytest.fixture
def author(finish_pipeline: Finish) -> FinishedRun:
    return finish_pipeline("mias_author")


@pytest.fixture
def experiments(finish_pipeline: Finish) -> FinishedRun:
    return finish_pipeline("mias_author_all")


def find_main_study(run: FinishedRun) -> str:
    """The study whose figures head the report: of the six experiments the article's own."""
    return f"{run.pipeline}.{EXPERIMENTS[0]}" if run.pipeline == "mias_author_all" else run.pipeline


def find_dataset(run: FinishedRun) -> str:
    return STUDIES[find_main_study(run)].dataset


class TestEveryPipeline:
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
        assert lines[-1] == f"compare runs: mlflow ui --backend-store-uri {finished.project.tracking_uri}"
        assert len(lines) < 40
        assert not re.search(r"warning|traceback|error|\bINFO\b", finished.errors, re.IGNORECASE)

    def test_the_report_is_one_file_that_says_phantom_and_how_to_repeat_it(
        self, finished: FinishedRun
    ) -> None:
        page = finished.find_file(f"{finished.pipeline}.report").read_text()
        assert set(re.findall(r'\bsrc="([^"]{5})', page)) == {"data:"}
        assert not re.search(r"<link|<script|@import|url\((?!['\"]?data:)", page)
        text = html.unescape(page)
        assert "PHANTOM" in text
        assert f"kedro run --env test --pipeline {finished.pipeline}" in text
        assert finished.tracked.info.run_id in text

    def test_mlflow_has_one_finished_run_with_what_it_was_made_of(self, finished: FinishedRun) -> None:
        dataset = find_dataset(finished)
        run, record = finished.tracked, finished.read_json(f"{dataset}.raw")
        assert run.info.status == "FINISHED"
        assert run.info.run_name == finished.pipeline
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
            assert finished.tracked.data.params[f"{study}.{group}.{name}"] == str(block[group][name])
        dataset = find_dataset(finished)
        patients = parameters[dataset]["phantom"]["patients"]
        assert finished.tracked.data.params[f"{dataset}.phantom.patients"] == str(patients)

    def test_mlflow_has_the_numbers_of_the_metrics_file(self, finished: FinishedRun) -> None:
        study = find_main_study(finished)
        measure = finished.read_json(f"{study}.metrics")["cnn"]["auc"]
        prefix = study.removeprefix(finished.pipeline).lstrip(".")
        name = f"{prefix}/cnn/auc" if prefix else "cnn/auc"
        found = finished.tracked.data.metrics
        assert (found[name], found[f"{name}_low"], found[f"{name}_high"]) == tuple(
            measure[key] for key in ("value", "low", "high")
        )
        assert measure["low"] <= measure["value"] <= measure["high"]

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


class TestRows:
    """Every row of the notes ends in the samples or among the rejected ones."""

    @pytest.mark.parametrize("pipeline", ["mias", "mias_normal", "mias_author"])
    def test_at_toy_size(self, finish_pipeline: Finish, pipeline: str) -> None:
        run = finish_pipeline(pipeline)
        text = next(run.find_file("mias.raw").parent.rglob("Info.txt")).read_text()
        rows = [line for line in text.splitlines() if re.match(r"mdb\d{3} ", line)]
        kept = set(run.read_table(f"{pipeline}.regions")["line"])
        rejected = run.read_table(f"{pipeline}.rejected")
        assert kept.isdisjoint(rejected["line"])
        assert len(kept) + len(rejected) == len(rows)
        assert rejected["reason"].str.len().min() > 10
        sampled, chosen = (run.read_table(f"{pipeline}.{name}") for name in ("samples", "regions"))
        assert set(sampled["source"]) == set(chosen["source"])

    @pytest.mark.parametrize(
        ("about", "labels", "protocol", "kept"),
        [
            ("severity", ("benign", "malignant"), "patient", 119),
            ("severity_or_normal", ("normal", "benign", "malignant"), "author", 319),
        ],
    )
    def test_all_330_of_the_full_size(
        self, about: Any, labels: tuple[str, ...], protocol: Any, kept: int
    ) -> None:
        scans = plan_scans(161, 7)
        clean, malformed = clean_notes(write_notes(scans, 7), [f"mdb{n:03d}.pgm" for n in range(1, 323)])
        question = Question(text="?", about=about, labels=labels, positive="malignant")
        regions, rejected = choose_regions(clean, malformed, question, protocol)
        assert (len(regions), len(regions) + len(rejected)) == (kept, 330)
        if protocol == "patient":
            assert (regions["patient_id"].nunique(), regions["source"].nunique()) == (104, 111)


class TestMias:
    def test_every_region_is_predicted_once_by_a_fold_that_never_saw_its_patient(
        self, mias: FinishedRun
    ) -> None:
        samples = mias.read_table("mias.samples").set_index("sample_id")
        predictions = mias.read_table("mias.predictions").query("model == 'cnn'")
        assert sorted(predictions["sample_id"]) == sorted(samples.index)
        for number in range(5):
            rows = mias.read_table(f"mias.fold_{number}.rows")
            patients = samples.loc[rows["sample_id"], "patient_id"].to_numpy()
            sides = [set(patients[rows["role"] == role]) for role in ("train", "validation", "test")]
            assert all(sides)
            assert len(set.union(*sides)) == sum(map(len, sides))
            tested = set(predictions.query("fold == @number")["patient_id"])
            assert tested == sides[2]

    def test_the_leak_audit_finds_nothing(self, mias: FinishedRun) -> None:
        audit = mias.read_json("mias.leak_audit")
        assert [audit[kind]["count"] for kind in ("exact", "views", "region", "source", "patient")] == [0] * 5
        assert audit["epoch_chosen_on_test"] is False

    def test_the_curves_of_each_fold_are_in_mlflow_epoch_by_epoch(self, mias: FinishedRun) -> None:
        client = mlflow.MlflowClient(mias.project.tracking_uri)
        for number in range(5):
            history = mias.read_json(f"mias.fold_{number}.history")["epochs"]
            points = client.get_metric_history(mias.tracked.info.run_id, f"fold_{number}/loss")
            assert [(point.step, point.value) for point in points] == [
                (epoch["epoch"], epoch["loss"]) for epoch in history
            ]
            assert f"fold_{number}/val_loss" in mias.tracked.data.metrics

    def test_the_final_model_is_trained_on_all_patients_for_the_median_of_the_folds_epochs(
        self, mias: FinishedRun
    ) -> None:
        final = mias.read_json("mias.final.history")
        best = [mias.read_json(f"mias.fold_{number}.history")["best_epoch"] for number in range(5)]
        assert len(final["epochs"]) == int(np.median(best))
        assert "val_loss" not in final["epochs"][0]

    def test_the_logged_model_answers_in_a_process_of_its_own_as_the_final_network_does(
        self, mias: FinishedRun, tmp_path: Path
    ) -> None:
        from mammoscan.evaluation.temperature import apply_temperature
        from mammoscan.learning.models import load_model
        from mammoscan.learning.predict import predict_probabilities

        [output] = mias.tracked.outputs.model_outputs
        client = mlflow.MlflowClient(mias.project.tracking_uri)
        model = client.get_logged_model(output.model_id)
        folder = mlflow.artifacts.download_artifacts(model.artifact_location)
        loaded = mlflow.models.Model.load(folder)
        names = ["label", "p_benign", "p_malignant", "threshold", "warnings", "error"]
        assert loaded.signature.outputs.input_names() == names
        assert loaded.metadata["data"] == "phantom"
        code = (
            "import sys, mlflow, numpy\n"
            "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
            "model.predict(numpy.load(sys.argv[2])).to_json(sys.argv[3], orient='split', double_precision=15)\n"
        )
        answer, pixels = tmp_path / "answer.json", np.load(mias.find_file("mias.pixels"))
        done = subprocess.run(
            [sys.executable, "-c", code, folder, mias.find_file("mias.pixels"), answer],
            cwd=tmp_path,
            env=mias.project.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        split = json.loads(answer.read_text())
        table = pd.DataFrame(split["data"], columns=split["columns"])
        assert list(table.columns) == names
        parameters = load_project_conf("test")["parameters"]["mias"]
        expected = predict_probabilities(
            load_model(mias.find_file("mias.final.model")),
            pixels,
            np.arange(len(pixels)),
            recipe=Recipe(**parameters["training"]),
            views=ViewParams(**parameters["views"]),
            machine=MachineParams(),
        )
        trust = mias.read_json("mias.trust")
        calibrated = apply_temperature(expected, trust["temperature"])
        np.testing.assert_allclose(table[["p_benign", "p_malignant"]], calibrated, atol=1e-6)
        np.testing.assert_allclose(table["threshold"], trust["threshold"], atol=1e-12)
        said = np.where(table["p_malignant"] >= table["threshold"], "malignant", "benign")
        assert (table["label"] == said).all()

    def test_the_headline_is_tied_to_the_logged_model(self, mias: FinishedRun) -> None:
        [output] = mias.tracked.outputs.model_outputs
        model = mlflow.MlflowClient(mias.project.tracking_uri).get_logged_model(output.model_id)
        tied = {metric.key: metric.value for metric in model.metrics}
        assert tied["cnn/auc"] == mias.tracked.data.metrics["cnn/auc"]

    def test_normal_scans_give_three_windows_each(self, finish_pipeline: Finish) -> None:
        run = finish_pipeline("mias_normal")
        normal = run.read_table("mias_normal.samples").query("label == 'normal'")
        assert set(normal.groupby("source").size()) == {3}


class TestAuthor:
    def test_each_region_gives_the_twelve_images_of_the_article(self, author: FinishedRun) -> None:
        samples = author.read_table("mias_author.samples")
        names = [name for name, _ in AUTHOR_VIEWS]
        for region, part in samples.groupby("region_id"):
            assert list(part["view"]) == names, region
            scan = part["source"].iloc[0].removesuffix(".pgm")
            assert list(part["sample_id"]) == [f"{scan}_{name}" for name in names]
        pixels = np.load(author.find_file("mias_author.pixels"))
        kinds = {
            len({image.tobytes() for image in pixels[rows]})
            for rows in samples.groupby("region_id").indices.values()
        }
        assert max(kinds) == 8

    def test_the_leak_audit_finds_copies_rotations_and_the_epochs_choice(self, author: FinishedRun) -> None:
        audit = author.read_json("mias_author.leak_audit")
        assert all(audit[kind]["count"] > 0 for kind in ("exact", "views", "region", "source", "patient"))
        assert audit["epoch_chosen_on_test"] is True

    def test_each_variant_lacks_the_flaw_that_was_taken_away(self, author: FinishedRun) -> None:
        audits = {name: author.read_json(f"mias_author.{name}.leak_audit") for name in ABLATION}
        published = author.read_json("mias_author.leak_audit")
        assert published["exact"]["count"] > 0
        assert audits["without_copies"]["exact"]["count"] == 0
        assert audits["without_copies"]["views"]["count"] > 0
        assert audits["without_rotations"]["region"]["count"] == 0
        assert audits["without_crop_scale"]["exact"]["count"] > 0
        assert audits["without_epoch_choice"]["epoch_chosen_on_test"] is False
        clean = audits["without_any"]
        assert clean["patient"]["count"] == clean["exact"]["count"] == 0
        assert clean["epoch_chosen_on_test"] is False

    def test_the_ablation_table_has_every_variant(self, author: FinishedRun) -> None:
        table = author.read_table("mias_author.experiments")
        assert list(table["variant"]) == ["published", *ABLATION, SIDE_CLAIM]
        assert table[["auc", "auc_low", "auc_high", "images", "patients"]].notna().all(axis=None)

    def test_the_report_says_on_top_what_the_number_is_worth(self, author: FinishedRun) -> None:
        page = author.find_file("mias_author.report").read_text()
        body = re.sub(r"(?s)<style.*?</style>|<[^>]+>", " ", page)
        text = re.sub(r"\s+", " ", html.unescape(body))
        audit = author.read_json("mias_author.leak_audit")
        worth = text.index(f"{audit['exact']['count']} ")
        assert worth < text.index("without the four exact copies")
        for claim in author.read_table("mias_author.reproduction")["claim"]:
            assert re.sub(r"\s+", " ", claim) in text

    def test_the_six_experiments_are_on_one_page(self, experiments: FinishedRun) -> None:
        table = experiments.read_table("mias_author_all.experiments")
        assert list(table["variant"]) == list(EXPERIMENTS)
        assert len(table) == 6
        text = html.unescape(experiments.find_file("mias_author_all.report").read_text())
        assert all(f"<figcaption>{name}</figcaption>" in text for name in table["name"])
        assert experiments.find_file("mias_author_all.experiment_chart_figure").stat().st_size > 10_000
        assert set(experiments.read_table("mias_author_all.all_classes_full.predictions")["label"]) == {
            "normal",
            "benign",
            "malignant",
        }


class TestTissue:
    """BreaKHis and the IDC patches."""

    @pytest.mark.parametrize("pipeline", ["breakhis", "breakhis_threefold", "breakhis_400x", "idc"])
    def test_no_patient_is_tested_by_a_network_that_saw_another_image_of_it(
        self, finish_pipeline: Finish, pipeline: str
    ) -> None:
        run = finish_pipeline(pipeline)
        assert run.read_json(f"{pipeline}.leak_audit")["patient"]["count"] == 0
        samples = run.read_table(f"{pipeline}.samples")
        asked = run.read_table(f"{pipeline}.predictions").query("model == 'cnn'")
        assert sorted(asked["sample_id"]) == sorted(samples["sample_id"])

    @pytest.mark.parametrize("pipeline", ["breakhis_author", "breakhis_400x_author", "idc_author"])
    def test_the_articles_divide_images_and_the_report_says_so(
        self, finish_pipeline: Finish, pipeline: str
    ) -> None:
        run = finish_pipeline(pipeline)
        assert run.read_json(f"{pipeline}.leak_audit")["patient"]["share"] > 0.5
        page = html.unescape(run.find_file(f"{pipeline}.report").read_text())
        assert "The article's figures beside ours" in page
        assert "Images are divided, not patients" in page

    def test_breakhis_author_has_as_many_of_each_label_on_each_side(self, finish_pipeline: Finish) -> None:
        run = finish_pipeline("breakhis_author")
        folds = run.read_table("breakhis_author.folds").merge(run.read_table("breakhis_author.samples"))
        sides = pd.crosstab(folds["fold_0"], folds["label"]).drop(index="out", errors="ignore")
        assert set(sides.index) == {"train", "validation", "test"}
        assert (sides["benign"] - sides["malignant"]).abs().max() <= 1

    def test_the_400x_study_reads_its_table(self, finish_pipeline: Finish) -> None:
        run = finish_pipeline("breakhis_400x")
        samples = run.read_table("breakhis_400x.samples")
        [table] = run.find_file("breakhis_400x.raw").parent.rglob("dataset.csv")
        assert sorted(samples["source"]) == sorted(pd.read_csv(table)["path"])

    @pytest.mark.parametrize(
        ("pipeline", "said"),
        [
            ("breakhis", "Image by image, and patient by patient"),
            ("breakhis_400x", "Image by image, and patient by patient"),
            ("idc", "Slides, patch by patch"),
        ],
    )
    def test_the_report_has_the_studys_own_section(
        self, finish_pipeline: Finish, pipeline: str, said: str
    ) -> None:
        assert said in html.unescape(finish_pipeline(pipeline).find_file(f"{pipeline}.report").read_text())


class TestPneumonia:
    def test_every_film_is_tested_once_and_no_patient_stands_on_two_sides(
        self, finish_pipeline: Finish
    ) -> None:
        run = finish_pipeline("pneumonia")
        audit = run.read_json("pneumonia.leak_audit")
        assert audit["test_images"] == audit["images"] == run.read_json("pneumonia.raw")["images"]
        kinds = ("exact", "near", "views", "region", "source", "patient")
        assert [audit[kind]["count"] for kind in kinds if kind != "near"] == [0] * 5
        assert audit["validation"]["patient"]["count"] == 0

    def test_the_published_folders_are_the_sides_and_the_audit_finds_what_they_share(
        self, finish_pipeline: Finish
    ) -> None:
        run = finish_pipeline("pneumonia_author")
        samples, folds = (run.read_table(f"pneumonia_author.{name}") for name in ("samples", "folds"))
        sides = folds["fold_0"].map({"train": "train", "validation": "val", "test": "test"})
        assert sides.tolist() == samples["published"].tolist()
        audit = run.read_json("pneumonia_author.leak_audit")
        seen = audit["validation"]
        shared = (
            samples.groupby("patient_id")["published"].agg(lambda parts: {"train", "val"} <= set(parts)).sum()
        )
        assert seen["patient"]["shared"] == shared > 0
        assert seen["exact"]["count"] == 2
        assert seen["near"]["count"] >= 4
        assert f"{shared} patients stand in the training and the validation side" in audit["sentence"]

    def test_the_networks_single_output_reaches_the_tables_as_two_probabilities(
        self, finish_pipeline: Finish
    ) -> None:
        run = finish_pipeline("pneumonia_author")
        assert run.read_json("pneumonia_author.network")[-1]["output_shape"] == [1]
        table = run.read_table("pneumonia_author.predictions").query("model == 'cnn'")
        np.testing.assert_allclose(table["p_Normal"] + table["p_Opacity"], 1, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_in_another_project_and_under_another_runner(
    mias: FinishedRun, tmp_path: Path
) -> None:
    again = make_project(tmp_path / "again").run_pipeline("mias", "--runner", "ParallelRunner")
    # Beside the numbers themselves these say how long it took, when, or where.
    timed = ("history", "model", "training_facts", "report", "raw")
    for name in mias.list_outputs():
        if not name.endswith(timed):
            assert again.find_file(name).read_bytes() == mias.find_file(name).read_bytes(), name
    assert again.read_json("mias.raw")["fingerprint"] == mias.read_json("mias.raw")["fingerprint"]
    assert again.tracked.info.status == "FINISHED"
    assert {name for name in again.tracked.data.metrics if name.startswith("fold_4/")} == {
        name for name in mias.tracked.data.metrics if name.startswith("fold_4/")
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--from-nodes", "mias.measure_predictions", "--params", "mias.training.seed=5"],
            "made with mias.training.seed=0, this run asks for mias.training.seed=5",
        ),
        (
            ["--params", "mias.trainin.seed=5"],
            "--params mias.trainin: there is no such parameter; did you mean",
        ),
    ],
    ids=["part of a run with another seed", "a mistyped parameter"],
)
def test_what_cannot_be_meant_is_refused_in_one_line_and_leaves_no_run(
    mias: FinishedRun, words: list[str], said: str
) -> None:
    before = {file: file.stat().st_mtime_ns for file in mias.project.folder.rglob("data/**/*")}
    process = mias.project.start_kedro("run", "--env", "test", "--pipeline", "mias", *words)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    [line] = (output + errors).splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert mias.tracked.info.status == "FINISHED"
    assert {file: file.stat().st_mtime_ns for file in mias.project.folder.rglob("data/**/*")} == before
    assert len([run for run in mias.project.list_runs() if run.data.tags["study"] == "mias"]) == 1
