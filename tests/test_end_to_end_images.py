"""What the pipelines on image files leave behind, each run once as a person runs it, at toy size."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import pytest

from end_to_end import EveryPipeline, Finish
from projects import FinishedRun

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


@pytest.fixture(params=(*TISSUE, *CHEST))
def finished(finish_pipeline: Finish, request: pytest.FixtureRequest) -> FinishedRun:
    return finish_pipeline(request.param)


class TestEveryPipeline(EveryPipeline):
    pass


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
