"""What the pipelines on mini-MIAS leave behind, each run once as a person runs it, at toy size."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from end_to_end import EveryPipeline, Finish
from mammoscan.data.mias_notes import clean_notes
from mammoscan.data.mias_regions import choose_regions
from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.params import MachineParams, Question, Recipe, ViewParams
from mammoscan.phantoms.mias import write_notes
from mammoscan.phantoms.mias_plan import plan_scans
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM
from projects import FinishedRun, copy_project, load_project_conf, make_project

PIPELINES = ("mias", "mias_normal", "mias_author", "mias_author_all")


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


class TestEveryPipeline(EveryPipeline):
    pass


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
        children = mias.project.list_children(mias.tracked.info.run_id)
        assert set(children) == {"final", *(f"fold_{number}" for number in range(5))}
        for number in range(5):
            child = children[f"fold_{number}"]
            assert child.info.run_name == f"PHANTOM fold {number + 1}"
            history = mias.read_json(f"mias.fold_{number}.history")
            points = client.get_metric_history(child.info.run_id, "loss")
            assert [(point.step, point.value) for point in points] == [
                (epoch["epoch"], epoch["loss"]) for epoch in history["epochs"]
            ]
            assert "val_loss" in child.data.metrics
            assert child.data.metrics["best_epoch"] == history["best_epoch"]

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
        from mammoscan.evaluation.calibration import apply_temperature
        from mammoscan.inference.predict import predict_probabilities
        from mammoscan.models.registry import load_model

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
        assert tied["auc"] == mias.tracked.data.metrics["auc"]

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


def test_the_same_seed_gives_the_same_bits_in_another_project_and_under_another_runner(
    mias: FinishedRun, tmp_path: Path
) -> None:
    again = make_project(tmp_path / "again").run_pipeline("mias", "--runner", "ParallelRunner")
    # Beside the numbers themselves these say how long it took, when, where, or in which run.
    timed = (
        "history",
        "histories",
        "model",
        "report",
        "raw",
        "card",
        "card_data",
        "checklist",
        "checklist_section",
    )
    for name in mias.list_outputs():
        if not name.endswith(timed):
            assert again.find_file(name).read_bytes() == mias.find_file(name).read_bytes(), name
    assert again.read_json("mias.raw")["fingerprint"] == mias.read_json("mias.raw")["fingerprint"]
    assert again.tracked.info.status == "FINISHED"
    curves, expected = (
        run.project.list_children(run.tracked.info.run_id)["fold_4"].data.metrics for run in (again, mias)
    )
    assert set(curves) == set(expected) >= {"loss", "val_loss", "auc"}
    assert curves["loss"] == expected["loss"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--from-nodes", "measuring.measure_predictions", "--params", "mias.training.seed=5"],
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
    mias: FinishedRun, words: list[str], said: str, tmp_path: Path
) -> None:
    project = copy_project(mias.project, tmp_path / "project")

    def list_files() -> dict[Path, int]:
        # The register of running runs is touched by each of them.
        files = [file for file in project.folder.rglob("data/**/*") if ".runs" not in file.parts]
        # A seal notes the time of a file that was copied.
        written = [file for file in files if file.is_file() and not file.name.endswith(".seal.json")]
        return {file: file.stat().st_mtime_ns for file in written}

    before = list_files()
    process = project.start_kedro("run", "--env", "test", "--pipeline", "mias", *words)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    [line] = (output + errors).splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert list_files() == before
    assert not list(project.folder.rglob("data/**/.runs/*.json"))
    [run] = [run for run in project.list_runs() if run.data.tags["study"] == "mias"]
    assert run.info.status == "FINISHED"
