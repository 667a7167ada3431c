"""The four ways from images of one's own to a report: two commands each, and no line of code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pictures import encode_dicom
from projects import Project, make_project

pytestmark = pytest.mark.slow

# Toy size: what a person would not type.
TOY = "training.epochs=1,evaluation.resamples=50,pack.size=24"
UNKNOWN = "images kept apart; patients unknown"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def draw_film(patient: int, number: int, ill: bool) -> np.ndarray:
    """Noise that is as alike as films of one patient, and brighter in the middle of the ill."""
    own, film = np.random.default_rng(patient), np.random.default_rng([patient, number])
    pixels = own.normal(90, 30, (32, 32)) + film.normal(0, 15, (32, 32))
    pixels[8:24, 8:24] += 60 * ill
    return pixels.clip(0, 255).astype(np.uint8)


def write_films(folder: Path, name: Callable[[int, int, bool], str], patients: int = 16) -> Path:
    for patient in range(patients):
        for number in range(2):
            ill = patient % 2 == 1
            file = folder / name(patient, number, ill)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_film(patient, number, ill)).save(file)
    return folder


def make_study(project: Project, *words: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "mammoscan.commands", "new", "lungs", *words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def run_study(project: Project) -> tuple[str, dict, str]:
    """Run the study; return the console, the card and the report."""
    params = ",".join(f"lungs.{word}" for word in TOY.split(","))
    process = project.start_kedro("run", "--env", "test", "--pipeline", "lungs", "--params", params)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    folder = project.folder / "data" / "test" / "08_reporting" / "lungs"
    card = json.loads((folder / "card.json").read_text())
    return output + errors, card, " ".join((folder / "report.html").read_text().split())


def list_files(project: Project) -> set[str]:
    kept = ("conf", "src", "pyproject.toml")
    return {
        str(file.relative_to(project.folder))
        for name in kept
        for file in [*(project.folder / name).rglob("*")]
    }


def test_a_folder_for_each_label(project: Project, tmp_path: Path) -> None:
    before = list_files(project)
    films = write_films(tmp_path / "films", lambda p, n, ill: f"{'ill' if ill else 'well'}/person{p}_{n}.png")
    told = make_study(project, "--images", str(films), "--patients", r"(person\d+)", "--folds", "2")
    assert "ill: 16 images, 8 patients" in told
    # One file is all that there is of a study.
    assert list_files(project) - before == {"conf/base/parameters_lungs.yml"}
    console, card, report = run_study(project)
    assert "real data: 32 images of 16 patients" in console
    assert (card["division"], card["patients"], card["verified"]) == ("patients kept apart", 16, False)
    assert "patients kept apart, 2 folds" in report
    assert "every file as published" not in report
    (project.folder / "conf" / "base" / "parameters_lungs.yml").unlink()
    gone = project.start_kedro("run", "--pipeline", "lungs")
    assert "there is no such pipeline" in "".join(gone.communicate(timeout=120))


def test_a_table_of_paths_labels_and_patients_with_three_labels(project: Project, tmp_path: Path) -> None:
    films = write_films(tmp_path / "films", lambda p, n, ill: f"{p}-{n}.png", patients=18)
    rows = [
        {"file": f"{p}-{n}.png", "grade": ("low", "middle", "high")[p % 3], "who": f"p{p}", "age": 40 + p}
        for p in range(18)
        for n in range(2)
    ]
    pd.DataFrame(rows).to_excel(films / "labels.xlsx", index=False)
    words = ["--table", str(films / "labels.xlsx"), "--image", "file", "--label", "grade", "--patient", "who"]
    told = make_study(project, *words, "--positive", "high", "--folds", "2")
    assert "18 patients by column:who" in told
    _, card, report = run_study(project)
    assert card["labels"] == ["low", "middle", "high"]
    assert card["division"] == "patients kept apart"
    assert "AUC, mean of labels" in report


def test_a_dicom_folder_with_its_patients_in_a_tag(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "dicom" / "export"
    folder.mkdir(parents=True)
    for patient in range(16):
        for number in range(2):
            pixels = draw_film(patient, number, patient % 2 == 1)
            content = encode_dicom(
                # Half of them as a film is: low values are bright.
                255 - pixels if number else pixels,
                PhotometricInterpretation="MONOCHROME1" if number else "MONOCHROME2",
                PatientID=f"P{patient}",
                StudyDescription="ill" if patient % 2 else "well",
            )
            (folder / f"IM{2 * patient + number:06d}").write_bytes(content)
    told = make_study(
        project, "--images", str(folder), "--label-from", "tag:StudyDescription", "--folds", "2"
    )
    assert "Patients are taken from the DICOM tag PatientID." in told
    console, card, _ = run_study(project)
    assert "packed 32 images" in console
    assert (card["patients"], card["label_samples"]) == (16, {"well": 16, "ill": 16})


def test_a_train_and_test_tree_with_unknown_patients(project: Project, tmp_path: Path) -> None:
    tree = write_films(
        tmp_path / "chest_xray",
        lambda p, n, ill: (
            f"{'test' if p < 4 else 'train'}/{'PNEUMONIA' if ill else 'NORMAL'}/{p * 7919 + n}.png"
        ),
    )
    write_films(  # and once more inside itself
        tmp_path / "chest_xray" / "chest_xray",
        lambda p, n, ill: (
            f"{'test' if p < 4 else 'train'}/{'PNEUMONIA' if ill else 'NORMAL'}/{p * 7919 + n}.png"
        ),
    )
    # The same film as another file.
    first = sorted((tree / "train" / "NORMAL").iterdir())[0]
    Image.open(first).save(first.with_name("again.jpeg"), quality=95)
    labels = "Normal=NORMAL;Opacity=PNEUMONIA"
    told = make_study(
        project, "--images", str(tree), "--patients", "unknown", "--labels", labels, "--folds", "2"
    )
    assert "32 files are exact copies of others, 32 of them in chest_xray/: one of each is kept." in told
    assert "patients unknown: images will be kept apart" in told
    console, card, report = run_study(project)
    assert "patients unknown: 1 images look nearly like another one and stay on its side" in console
    assert "(images kept apart; patients unknown)" in console
    assert (card["division"], card["patients"], card["samples"]) == (UNKNOWN, None, 33)
    assert UNKNOWN in report
    assert "Images kept apart; patients unknown." in report
    assert "patients kept apart" not in report
    markdown = (project.folder / "data/test/08_reporting/lungs/model_card.md").read_text()
    assert UNKNOWN in markdown
    assert "patients kept apart" not in markdown
