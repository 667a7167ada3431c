"""Images of one's own with a number or an ordered level instead of labels, from ``mammoscan new`` to a prediction."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from projects import Project, make_project

pytestmark = pytest.mark.slow

TOY = "training.epochs=40,training.batch_size=8,training.learning_rate=0.003,evaluation.resamples=50,pack.size=24"
PATIENTS = 24


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def write_films(folder: Path) -> Path:
    """Two films of each patient, the brighter the older."""
    folder.mkdir()
    rows = []
    for patient in range(PATIENTS):
        age = 40 + 2 * patient
        for number in range(2):
            rng = np.random.default_rng([patient, number])
            pixels = rng.normal(60 + 4 * patient, 15, (32, 32)).clip(0, 255).astype(np.uint8)
            name = f"{patient}-{number}.png"
            Image.fromarray(pixels).save(folder / name)
            rows.append(
                {
                    "path": name,
                    "age": age,
                    "grade": ("low", "middle", "high")[patient // 8],
                    "who": f"p{patient}",
                }
            )
    table = pd.DataFrame(rows).astype({"age": object})
    table.loc[0, "age"] = "unknown"
    table.to_csv(folder / "films.csv", index=False)
    return folder / "films.csv"


def make_study(project: Project, *words: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "mammoscan.commands", "new", "films", *words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def run_kedro(project: Project, *words: str) -> str:
    process = project.start_kedro("run", "--env", "test", *words)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    return output + errors


def run_study(project: Project) -> tuple[str, dict, str]:
    params = ",".join(f"films.{word}" for word in TOY.split(","))
    console = run_kedro(project, "--pipeline", "films", "--params", params)
    folder = project.folder / "data" / "test" / "08_reporting" / "films"
    card = json.loads((folder / "card.json").read_text())
    # Any letters may stand in a picture.
    text = re.sub(r"data:image/png;base64,[^\"]+", "", (folder / "report.html").read_text())
    return console, card, " ".join(text.split())


def test_a_number_is_learnt_reported_tracked_and_predicted(project: Project, tmp_path: Path) -> None:
    table = write_films(tmp_path / "films")
    told = make_study(
        project,
        *(
            "--table",
            str(table),
            "--label",
            "age",
            "--patient",
            "who",
            "--folds",
            "2",
            "--measured-in",
            "years",
        ),
    )
    assert "different numbers: the question is about a number" in told
    assert "numbers from 40 to 86" in told
    block = (project.folder / "conf/base/parameters_films.yml").read_text()
    assert "kind: numbers" in block
    assert "quantity: age" in block

    console, card, report = run_study(project)
    assert "R² of age: " in console
    metrics = json.loads((project.folder / "data/test/08_reporting/films/metrics.json").read_text())
    network = metrics["cnn"]
    assert network["samples"] == 2 * PATIENTS - 1
    assert network["r2"]["value"] > 0.5
    assert metrics["mean"]["r2"]["value"] < 0.05
    assert network["limit_low"]["value"] < network["bias"]["value"] < network["limit_high"]["value"]
    assert "How far off it is" in report
    assert "Bland and Altman" in report
    assert "found unknown, expected a number" in report
    # What is about labels is not there at all.
    for word in ("Right and wrong", "Confusion", "ROC", "Calibration", "probability of", "AUC"):
        assert word not in report
    assert (card["labels"], card["target"]["quantity"], card["target"]["measured_in"]) == ([], "age", "years")
    markdown = (project.folder / "data/test/08_reporting/films/model_card.md").read_text()
    assert "Predicts: age in years, trained on 40.0 to 86.0" in markdown
    assert "Threshold" not in markdown

    run = project.list_runs()[0]
    assert run.data.tags["r2"].startswith(f"{network['r2']['value']:.2f} [")
    assert run.data.metrics["texture_r2"] > 0.9
    assert run.data.metrics["mae"] == pytest.approx(network["mae"]["value"])
    assert "R2 " in run_command(project, "runs")

    words = f"predict.study=films,predict.model={run.info.run_id},predict.images={table.parent}"
    run_kedro(project, "--pipeline", "predict", "--params", words)
    answers = read_answers(project).set_index("file")
    assert answers.loc["23-0.png", "value"] > answers.loc["0-0.png", "value"] + 15
    assert answers.loc["23-0.png", "label"].endswith(" years")
    assert answers.loc["23-0.png", "low"] < answers.loc["23-0.png", "value"] < answers.loc["23-0.png", "high"]
    assert answers.loc["films.csv", "error"]
    refused = project.start_command("serve", "--study", "films", "--model", run.info.run_id)
    assert "the service answers with labels only" in "".join(refused.communicate(timeout=120))


def read_answers(project: Project) -> pd.DataFrame:
    (file,) = (project.folder / "data/test/07_model_output").glob("*/answers.csv")
    return pd.read_csv(file)


def run_command(project: Project, *words: str) -> str:
    process = project.start_command(*words)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    return output


def test_ordered_levels_are_measured_by_kappa(project: Project, tmp_path: Path) -> None:
    table = write_films(tmp_path / "films")
    words = ["--table", str(table), "--label", "grade", "--patient", "who", "--folds", "2"]
    make_study(project, *words, "--question", "levels", "--levels", "low<middle<high")
    console, card, report = run_study(project)
    assert "Kappa, quadratic weights of grade: " in console
    metrics = json.loads((project.folder / "data/test/08_reporting/films/metrics.json").read_text())
    assert metrics["cnn"]["kappa"]["value"] > 0.4
    assert metrics["mean"]["kappa"]["value"] <= 0.1
    assert metrics["cnn"]["within_one"]["value"] >= metrics["cnn"]["accuracy"]["value"]
    assert "at most one level off" in report
    assert card["target"]["levels"] == card["labels"] == ["low", "middle", "high"]
    assert "kappa" in project.list_runs()[0].data.tags
