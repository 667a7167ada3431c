"""A trained study's model in real processes: MLflow's own server, predictions of a folder, the export."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.params import ExportParams, PredictParams
from mammoscan.pipelines.export.nodes import export_model
from mammoscan.pipelines.predict.nodes import open_model
from mammoscan.serving.classifier import OUT_OF_DISTRIBUTION_WARNING
from mammoscan.serving.model_files import find_model
from processes import serve_with_mlflow
from projects import FinishedRun

Finish = Callable[[str], FinishedRun]


@pytest.fixture(scope="module")
def mias(finish_pipeline: Finish) -> FinishedRun:
    return finish_pipeline("mias")


@pytest.fixture(scope="module")
def model(mias: FinishedRun) -> Path:
    return find_model("mias", mias.tracked.info.run_id, mias.project.tracking_uri)


@pytest.fixture(scope="module")
def server(mias: FinishedRun, model: Path) -> Iterator[str]:
    with serve_with_mlflow(mias, model.parent) as address:
        yield address


def post(server: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{server}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["predictions"]


def encode(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def test_mlflows_server_answers_arrays_and_files_alike(server: str, mias: FinishedRun) -> None:
    pixels = np.load(mias.find_file("mias.pixels"))[:2]
    arrays = post(server, {"instances": pixels.tolist()})
    rows = [["a.png", base64.b64encode(encode(pixels[0, ..., 0])).decode()], ["b.png", "bm8="]]
    good, bad = post(server, {"dataframe_split": {"columns": ["file", "image"], "data": rows}})
    assert good["label"] == arrays[0]["label"]
    assert good["p_malignant"] == pytest.approx(arrays[0]["p_malignant"], abs=1e-6)
    assert good["threshold"] == mias.read_json("mias.trust")["threshold"]
    assert good["error"] is None
    assert (bad["label"], bad["p_malignant"]) == (None, None)
    assert bad["error"].startswith("b.png")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        post(server, {"instances": (pixels + 0.5).tolist()})


def test_a_folder_is_predicted_with_bad_files_and_whole_scans_as_rows(
    mias: FinishedRun, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    (folder / "deeper").mkdir(parents=True)
    pixels = np.load(mias.find_file("mias.pixels"))
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode(pixels[number, ..., 0]))
    noise = np.random.default_rng(0).integers(0, 256, (256, 300, 3)).astype(np.uint8)
    (folder / "deeper" / "noise.png").write_bytes(encode(noise))
    (folder / "broken.png").write_bytes(encode(noise)[:99])
    record = mias.read_json("mias.raw")
    scan = sorted(Path(record["folder"]).glob("mdb*.pgm"))[0]
    (folder / "scan.pgm").write_bytes(scan.read_bytes())
    run = mias.project.run_pipeline(
        "predict",
        "--params",
        f"predict.images={folder},predict.model={mias.tracked.info.run_id},predict.shown=4",
    )
    table = run.read_table("predict.answers_table").set_index("file")
    assert list(table.index) == ["0.png", "1.png", "2.png", "broken.png", "deeper/noise.png", "scan.pgm"]
    assert table["error"].notna().sum() == 1
    assert table.loc["broken.png", "error"].startswith("broken.png cannot be read")
    assert OUT_OF_DISTRIBUTION_WARNING in table.loc["deeper/noise.png", "warnings"]
    assert "a whole scan" in table.loc["scan.pgm", "warnings"]
    assert "never saw normal tissue" in table.loc["scan.pgm", "warnings"]
    assert set(table["label"].dropna()) <= {"benign", "malignant"}
    said = np.where(table["p_malignant"] >= table["threshold"], "malignant", "benign")
    known = table["label"].notna()
    assert (table["label"] == said)[known].all()
    assert table["notice"].str.contains("phantom").all()
    regions = run.read_table("predict.scan_regions")
    assert set(regions["file"]) == {"scan.pgm"}
    assert regions["probability"].iloc[0] == pytest.approx(table.loc["scan.pgm", "p_malignant"])
    kept = pd.read_parquet(run.find_file("predict.answers"))
    assert [list(said) for said in kept["warnings"]][3] == []
    page = run.find_file("predict.gallery").read_text()
    assert page.count("<img") == 4
    assert "broken.png cannot be read" in page
    assert "Trained on a phantom" in page
    assert "6 files" in page
    assert "6 images predicted" not in run.errors + run.output
    assert "1 files could not be used" in run.errors + run.output


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"images": "nowhere"}, "predict.images is nowhere, where there is nothing"),
        ({}, "predict.images: found nothing"),
        ({"images": "."}, "no model is registered as mammoscan-mias"),
        ({"images": ".", "study": "mias_normal", "model": "{run}"}, "is of study mias, expected mias_normal"),
        ({"images": "{empty}"}, "which holds no file"),
    ],
    ids=str,
)
def test_what_cannot_be_predicted_is_said_in_one_line(
    asked: dict[str, str], reason: str, mias: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: mias.project.tracking_uri)
    known = {"run": mias.tracked.info.run_id, "empty": tmp_path}
    with pytest.raises(MammoscanError, match=reason) as caught:
        open_model(PredictParams(**{key: value.format(**known) for key, value in asked.items()}))
    assert "\n" not in str(caught.value)


def test_an_export_needs_the_studys_images(
    mias: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: mias.project.tracking_uri)
    with pytest.raises(MammoscanError, match="run kedro run --pipeline mias first"):
        export_model(ExportParams(model=mias.tracked.info.run_id), tmp_path, tmp_path / "standalone")
    assert not (tmp_path / "standalone").exists()


def test_the_export_lies_beside_the_keras_file_and_answers_the_same(mias: FinishedRun, model: Path) -> None:
    pytest.importorskip("onnxruntime")
    run = mias.project.run_pipeline("export", "--params", f"export.model={mias.tracked.info.run_id}")
    parity = run.read_json("export.parity")
    assert parity["largest_difference"] < 1e-4
    assert parity["images"] == len(np.load(mias.find_file("mias.pixels")))
    assert (model / "network.onnx").stat().st_size == parity["bytes"]
    standalone = Path(parity["standalone"])
    assert (
        standalone == mias.project.folder / "data" / "test" / "06_models" / "export" / "standalone" / "mias"
    )
    assert (standalone / "network.onnx").read_bytes() == (model / "network.onnx").read_bytes()
    assert {"predict.py", "requirements.txt", "Dockerfile", "model_card.md"} <= {
        path.name for path in standalone.iterdir()
    }
