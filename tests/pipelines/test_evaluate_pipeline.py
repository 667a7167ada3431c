"""The report of a table of scores, by the commands that a person types."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from projects import FinishedRun, Project

# Imported before anything else: a process in which no network can be loaded.
NO_BACKEND = """
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "jax", "torch"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Forbidden())
"""
FILES = ("metrics", "calibration", "classification_report")


def find_reports(project: Project) -> Path:
    return project.folder / "data" / "test" / "08_reporting" / "evaluate"


def make_scores(seed: int, skill: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ill = np.arange(120) % 3 == 0
    score = 1 / (1 + np.exp(-(skill * ill + rng.normal(size=120) - skill / 2)))
    return pd.DataFrame(
        {
            "film": [f"film {number}" for number in range(120)],
            "finding": np.where(ill, "ill", "well"),
            "score": score,
            "person": [f"p{number // 2}" for number in range(120)],
            "site": np.where(np.arange(120) % 2, "north", "south"),
        }
    )


@pytest.fixture
def forbidden(project: Project) -> Project:
    """A project whose commands cannot load TensorFlow or Keras."""
    folder = project.folder / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_BACKEND)
    project.environment["PYTHONPATH"] = str(folder)
    return project


@pytest.mark.slow
def test_a_foreign_table_needs_neither_images_nor_a_backend(forbidden: Project) -> None:
    for name, skill in (("ours", 2.5), ("theirs", 0.3)):
        make_scores(len(name), skill).to_csv(forbidden.folder / f"{name}.csv", index=False)
    words = ["--truth", "finding", "--score", "score", "--patient", "person", "--sample", "film"]
    words += ["--labels", "well,ill", "--subgroup", "site", "--env", "test"]
    process = forbidden.start_command(
        "evaluate", "--predictions", "ours.csv", "--against", "theirs.csv", *words
    )
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, output + errors
    assert "AUC for ill: 0.9" in errors
    folder = find_reports(forbidden)
    assert f"report: {folder / 'report.html'}" in errors
    page = html.unescape((folder / "report.html").read_text())
    assert "read from a table of scores" in page
    assert "ours.csv ranks better than theirs.csv, by more than chance explains." in page
    assert "the patients were dealt into 5 groups" not in page, (
        "nothing is chosen where the threshold is fixed"
    )
    assert "mammoscan evaluate --predictions ours.csv" in page
    assert {"north", "south"} <= set(pd.read_csv(folder / "subgroup_metrics.csv")["subgroup"])
    [run] = forbidden.list_runs()
    assert run.data.tags["study"] == "evaluate"
    assert run.data.params["evaluate.score"] == "score"
    assert run.data.metrics["auc"] == json.loads((folder / "metrics.json").read_text())["cnn"]["auc"]["value"]


def test_the_out_of_fold_predictions_of_a_study_give_its_own_numbers_digit_for_digit(
    finish_pipeline: Callable[[str], FinishedRun], forbidden: Project
) -> None:
    mias = finish_pipeline("mias")
    rows = mias.read_table("mias.predictions").merge(
        mias.read_table("mias.samples")[["sample_id", "group", "tissue"]], on="sample_id"
    )
    # As the study wrote them: what goes through a table again may change its last digit.
    text = pd.read_csv(mias.find_file("mias.predictions"), dtype=str)
    text.merge(rows[["sample_id", "group", "tissue"]].drop_duplicates(), on="sample_id").to_csv(
        forbidden.folder / "scores.csv", index=False
    )
    wishes = {
        "predictions": "scores.csv",
        "subgroups": "group+tissue",
        "unit": "regions",
        "evaluation.threshold.rule": "sensitivity",
        "evaluation.threshold.at": 0.9,
        "evaluation.resamples": 200,
    }
    words = ",".join(f"evaluate.{name}={value}" for name, value in wishes.items())
    process = forbidden.start_kedro("run", "--env", "test", "--pipeline", "evaluate", "--params", words)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, output + errors
    folder = find_reports(forbidden)
    for name in FILES:
        assert json.loads((folder / f"{name}.json").read_text()) == mias.read_json(f"mias.{name}"), name
    groups = pd.read_csv(folder / "subgroup_metrics.csv")
    pd.testing.assert_frame_equal(groups, mias.read_table("mias.subgroup_metrics"), check_exact=True)
    trust, own = json.loads((folder / "trust.json").read_text()), mias.read_json("mias.trust")
    assert {key: own[key] for key in trust if key != "groups"} == {
        key: value for key, value in trust.items() if key != "groups"
    }
    assert (folder / "confusion_counts.csv").read_text() == mias.find_file(
        "mias.confusion_counts"
    ).read_text()
    ours, theirs = (read_numbers(file) for file in (folder / "report.html", mias.find_file("mias.report")))
    assert ours == theirs
    assert len(ours) > 40


def read_numbers(page: Path) -> list[str]:
    """The rows of a report's table of all numbers."""
    table = page.read_text().split('id="all-numbers"')[1].split("</table>")[0]
    return table.split("<tr>")


def test_a_missing_column_is_one_line(project: Project) -> None:
    make_scores(0, 1).to_csv(project.folder / "scores.csv", index=False)
    process = project.start_command("evaluate", "--predictions", "scores.csv", "--env", "test")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "no column 'label'; found film, finding, score, person, site; expected evaluate.truth" in errors
    assert "Traceback" not in errors
