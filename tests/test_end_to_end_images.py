"""What the pipelines on image files leave behind, each run once as a person runs it, at toy size."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image

from end_to_end import EveryPipeline, Finish
from mammoscan.serving.model_files import find_model
from pictures import encode_dicom
from processes import CHROMIUM, Served, serve_study, serve_with_mlflow
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
        assert f"{shared} patients are in both the training and the validation side" in audit["sentence"]

    def test_the_networks_single_output_reaches_the_tables_as_two_probabilities(
        self, finish_pipeline: Finish
    ) -> None:
        run = finish_pipeline("pneumonia_author")
        assert run.read_json("pneumonia_author.network")[-1]["output_shape"] == [1]
        table = run.read_table("pneumonia_author.predictions").query("model == 'cnn'")
        np.testing.assert_allclose(table["p_Normal"] + table["p_Opacity"], 1, atol=1e-6)


class TestUsingAColourModel:
    """What the final model of the IDC patches answers, asked in every way that there is."""

    @pytest.fixture(scope="class")
    def idc(self, finish_pipeline: Finish) -> FinishedRun:
        return finish_pipeline("idc")

    @pytest.fixture(scope="class")
    def folder(self, idc: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Three patches; the first once more as TIFF, DICOM and in grey; and a file that breaks off."""
        folder = tmp_path_factory.mktemp("images")
        contents = [path.read_bytes() for path in find_patches(idc)]
        for number, content in enumerate(contents):
            (folder / f"{number}.png").write_bytes(content)
        patch = Image.open(io.BytesIO(contents[0])).convert("RGB")
        patch.save(folder / "0.tif")
        patch.convert("L").save(folder / "grey.png")
        (folder / "0.dcm").write_bytes(encode_dicom(np.asarray(patch)))
        (folder / "broken.png").write_bytes(contents[0][:300])
        return folder

    @pytest.fixture(scope="class")
    def expected(self, idc: FinishedRun) -> np.ndarray:
        """What the network says of the three patches as the study packed them, calibrated."""
        from mammoscan.serving.classifier import Classifier

        classifier = Classifier.load(find_model("idc", idc.tracked.info.run_id, idc.project.tracking_uri))
        return classifier.predict(np.load(idc.find_file("idc.pixels"))[:3])[:, 1]

    @pytest.fixture(scope="class")
    def exported(self, idc: FinishedRun) -> FinishedRun:
        pytest.importorskip("onnxruntime")
        words = f"export.study=idc,export.model={idc.tracked.info.run_id}"
        return idc.project.run_pipeline("export", "--params", words)

    @pytest.fixture(scope="class")
    def served(self, idc: FinishedRun, exported: FinishedRun) -> Iterator[Served]:
        assert exported.seconds > 0
        with serve_study(idc, "--runtime", "onnx") as served:
            yield served

    def test_the_export_answers_the_same(self, exported: FinishedRun) -> None:
        parity = exported.read_json("export.parity")
        assert parity["images"] == 200
        assert parity["largest_difference"] < 1e-4
        assert Path(parity["file"]).stat().st_size == parity["bytes"]

    def test_a_folder_is_predicted_with_onnx_runtime_in_every_format(
        self, idc: FinishedRun, exported: FinishedRun, folder: Path, expected: np.ndarray
    ) -> None:
        asked = {"study": "idc", "images": folder, "model": idc.tracked.info.run_id, "runtime": "onnx"}
        words = ",".join(f"predict.{name}={value}" for name, value in asked.items())
        run = exported.project.run_pipeline("predict", "--params", words)
        table = run.read_table("predict.answers_table").set_index("file")
        assert list(table.index) == ["0.dcm", "0.png", "0.tif", "1.png", "2.png", "broken.png", "grey.png"]
        shares = table["p_idc"]
        np.testing.assert_allclose(shares[["0.png", "1.png", "2.png"]], expected, atol=1e-4)
        np.testing.assert_allclose(shares[["0.dcm", "0.tif"]], expected[0], atol=0.01)
        assert table["error"].notna().sum() == 1
        assert table.loc["broken.png", "error"].startswith("broken.png cannot be read")
        assert "a grey image, while the model was trained on colour" in table.loc["grey.png", "warnings"]
        assert run.read_table("predict.scan_regions").empty
        page = run.find_file("predict.gallery").read_text()
        assert page.count("<img") == 6
        assert "Trained on a phantom" in page

    def test_the_service_answers_with_what_the_network_saw_in_colour(
        self, served: Served, folder: Path, expected: np.ndarray
    ) -> None:
        files = [(name, (folder / name).read_bytes()) for name in ("0.png", "broken.png", "2.png")]
        reply = served.post(*files, query="?explain=true").json()
        assert reply["model"] | {"id": ""} == {
            "id": "",
            "study": "idc",
            "data": "phantom",
            "protocol": "patient",
            "runtime": "onnx",
        }
        first, broken, third = reply["results"]
        for result, share in ((first, expected[0]), (third, expected[2])):
            assert result["probabilities"]["idc"] == pytest.approx(share, abs=1e-4)
            seen, heat = (
                Image.open(io.BytesIO(base64.b64decode(result[name].split(",")[1])))
                for name in ("seen", "heat_map")
            )
            assert (seen.mode, seen.size, heat.size) == ("RGB", (32, 32), (32, 32))
        assert broken["label"] is None
        assert broken["error"].startswith("broken.png cannot be read")

    @pytest.mark.browser
    @pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
    @pytest.mark.parametrize("width", [1200, 390])
    def test_the_page_shows_it(self, served: Served, folder: Path, width: int) -> None:
        playwright = pytest.importorskip("playwright.sync_api")
        said: list[str] = []
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(served.address)
            page.set_input_files("#choose", [str(folder / name) for name in ("0.png", "0.dcm", "grey.png")])
            page.get_by_text("All 3 answered").wait_for(timeout=60_000)
            sizes = page.locator(".heat[src]").evaluate_all(
                "images => images.map(image => image.naturalWidth)"
            )
            assert sizes == [32, 32, 32]
            # A browser shows no DICOM.
            assert [shown.is_visible() for shown in page.locator(".sent").all()] == [True, False, True]
            card = page.locator("#card").inner_text()
            assert "32 × 32 pixels, colour" in card
            assert "ONNX" in card
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            browser.close()
        assert said == []

    def test_mlflows_server_answers_arrays_and_files_alike(
        self, idc: FinishedRun, folder: Path, expected: np.ndarray
    ) -> None:
        model = find_model("idc", idc.tracked.info.run_id, idc.project.tracking_uri)
        pixels = np.load(idc.find_file("idc.pixels"))[:3]
        rows = [["0.png", base64.b64encode((folder / "0.png").read_bytes()).decode()], ["b.png", "bm8="]]
        bodies = (
            {"instances": pixels.tolist()},
            {"dataframe_split": {"columns": ["file", "image"], "data": rows}},
        )
        with serve_with_mlflow(idc, model.parent) as address:
            arrays, files = (
                requests.post(f"{address}/invocations", json=body, timeout=60).json()["predictions"]
                for body in bodies
            )
        np.testing.assert_allclose([row["p_idc"] for row in arrays], expected, atol=1e-6)
        assert files[0]["p_idc"] == pytest.approx(expected[0], abs=1e-6)
        assert files[1]["error"].startswith("b.png")


def find_patches(idc: FinishedRun) -> list[Path]:
    """The files of the first three samples."""
    sources = idc.read_table("idc.samples")["source"][:3]
    return [Path(idc.read_json("idc.raw")["folder"]) / source for source in sources]
