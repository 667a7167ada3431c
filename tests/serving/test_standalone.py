"""The folder that ``export`` writes predicts as the package does, where nothing of the package is installed."""

from __future__ import annotations

import csv
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscan.models.registry import build_network
from mammoscan.params import Recipe, ScanGridParams, ViewParams
from mammoscan.records.card import Card, ImageInput, WindowInput
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.export import export_model
from mammoscan.serving.manifest import write_manifest
from mammoscan.serving.standalone import write_standalone

GRID = ScanGridParams(size=192, margin=2)
TWO, THREE = ("benign", "malignant"), ("normal", "benign", 'it\'s "odd"')
CASES = {
    "window": (WindowInput(kind="window", size=24, grid=GRID), (24, 24, 1), "standard", TWO, True),
    "scales": (
        WindowInput(kind="window", size=24, grid=GRID, scales=(1, 0.5, 2)),
        *((24, 24, 3), "standard", THREE, True),
    ),
    "radius": (WindowInput(kind="radius", size=48, grid=GRID), (48, 48, 1), "unit", TWO, False),
    "grey image": (
        ImageInput(kind="image", size=(96, 96), channels=1, levels=4096),
        (96, 96, 1),
        "mobilenet_v2",
        TWO,
        True,
    ),
    "colour image": (
        ImageInput(kind="image", size=(30, 40), channels=3),
        (30, 40, 3),
        "resnet50",
        THREE,
        False,
    ),
}

# The scale of a pretrained network comes from its name.
RECIPES = {name: {"scale": "backbone", "network": {"name": name}} for name in ("mobilenet_v2", "resnet50")}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(
        (80, 60), Image.Resampling.BICUBIC
    )
    smooth.save(folder / "colour.png")
    smooth.save(folder / "photograph.jpg")
    smooth.convert("RGBA").save(folder / "alpha.png")
    smooth.convert("L").save(folder / "grey.pgm")
    dark = np.asarray(smooth.convert("L")).copy()
    dark[:10] = 0
    Image.fromarray(dark).save(folder / "dark.tif")
    Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 200).save(folder / "deep.png")
    smooth.resize((24, 24)).convert("L").save(folder / "small.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth.save(folder / "turned.jpg", exif=turned)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only packages that the process may see."""
    pytest.importorskip("onnxruntime")
    site = tmp_path_factory.mktemp("site")
    for name in ("numpy", "PIL", "onnxruntime"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        for path in (package, *package.parent.glob(f"{'pillow' if name == 'PIL' else name}.libs")):
            (site / path.name).symlink_to(path)
    return site


@pytest.fixture(params=CASES, scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    takes, shape, scale, labels, prediction = CASES[request.param]
    folder = tmp_path_factory.mktemp("model")
    # The chest network has a single output for two labels.
    name = "chest_cnn" if shape[0] == 96 else "small_cnn"
    build_network(name, shape, len(labels), 3).save(folder / "network.keras")
    card = Card(
        study="mias",
        protocol="patient",
        data="phantom",
        notice='Research use. "Not" a medical device.',
        labels=labels,
        positive=labels[-1],
        threshold=0.4,
        temperature=1.7,
        training=Recipe(epochs=1, **RECIPES.get(scale, {"scale": scale})),
        views=ViewParams(stored="one", prediction=prediction),
        input=takes,
        shape=shape,
    )
    (folder / "card.json").write_text(card.model_dump_json())
    (folder / "model_card.md").write_text("# A card")
    write_manifest(folder)
    export_model(folder, np.random.default_rng(1).integers(0, 256, (4, *shape)).astype(np.uint8), 4)
    return folder


def start(script: Path, bare: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter that sees the standard library and the bare packages, and nothing else."""
    start = (
        f"import sys; sys.path.append({str(bare)!r}); import runpy, importlib.util as u; "
        "assert not any(u.find_spec(name) for name in ('mammoscan', 'keras', 'tensorflow', 'pandas', 'scipy')); "
        f"sys.argv = [{str(script)!r}, *sys.argv[1:]]; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, *words], capture_output=True, text=True, timeout=300
    )


def test_it_answers_as_the_package_does(model: Path, pictures: Path, bare: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(model)
    target = tmp_path / "standalone"
    names = write_standalone(model, classifier.card, target)
    assert names == [
        *("Dockerfile", "card.json", "model_card.md", "network.onnx", "predict.py", "requirements.txt")
    ]
    files = sorted(pictures.iterdir())
    found = start(target / "predict.py", bare, *map(str, files))
    assert found.returncode == 0, found.stderr
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [Path(row["file"]).name for row in rows] == [file.name for file in files]
    pixels = np.concatenate([classifier.prepare(file.read_bytes(), file.name).pixels[None] for file in files])
    expected = classifier.classify(pixels)
    assert [row["label"] for row in rows] == list(expected["label"])
    for label in classifier.card.labels:
        np.testing.assert_allclose(
            [float(row[f"p_{label}"]) for row in rows], expected[f"p_{label}"], atol=1e-4
        )
    assert len((target / "predict.py").read_text().splitlines()) <= 75


def test_a_whole_scan_is_refused_with_its_name(model: Path, bare: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(model)
    if classifier.card.input.kind != "window":
        pytest.skip("it takes every image as the whole")
    write_standalone(model, classifier.card, tmp_path / "standalone")
    Image.fromarray(np.arange(600 * 600, dtype=np.uint32).astype(np.uint8).reshape(600, 600)).save(
        tmp_path / "scan.png"
    )
    found = start(tmp_path / "standalone" / "predict.py", bare, str(tmp_path / "scan.png"))
    assert found.returncode == 1
    assert "scan.png is a whole scan" in found.stderr
