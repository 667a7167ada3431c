"""The command `mammoscan`: what was run, where its report is, what old runs take."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from mammoscan.commands import main
from mammoscan.tracking.child_runs import open_child


@pytest.fixture
def tracked(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    """A project's MLflow with runs of two studies; the oldest first."""
    monkeypatch.setattr("mammoscan.serving.model_files.read_tracking_uri", lambda: database)
    client = mlflow.MlflowClient(database, database)
    experiment = client.create_experiment("x", (tmp_path / "artifacts").as_uri())
    for number, study in enumerate(["mias", "mias", "idc", "mias"]):
        run = client.create_run(experiment, start_time=1_700_000_000_000 + number * 60_000)
        headline = f"PHANTOM {0.8 + number / 100:.2f} [0.70, 0.90]"
        tags = {"study": study, "data": "phantom", "protocol": "patient", "auc_within_folds": headline}
        for key, value in tags.items():
            client.set_tag(run.info.run_id, key, value)
        open_child(client, run.info.run_id, "without_any", tags={"study": f"{study}.without_any"})
        open_child(client, run.info.run_id, "fold_0")
        report = tmp_path / "report.html"
        report.write_text("x" * 1000)
        client.log_artifact(run.info.run_id, str(report))
        client.set_terminated(run.info.run_id)
    return client


def run_command(*words: str, say: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(main, words, input=say)
    return done.exit_code, done.output


def list_ids(client: mlflow.MlflowClient, study: str = "mias") -> list[str]:
    found = client.search_runs(["1"], f"tags.study = '{study}'", order_by=["attributes.start_time DESC"])
    return [run.info.run_id for run in found]


def test_runs_are_listed_with_their_headline_and_report_the_newest_first(
    tracked: mlflow.MlflowClient,
) -> None:
    code, output = run_command("runs")
    assert code == 0, output
    lines = output.splitlines()
    assert len(lines) == 8
    assert "mias" in lines[0]
    assert "AUC PHANTOM 0.83 [0.70, 0.90]" in lines[0]
    assert lines[1].strip().endswith("report.html")
    assert run_command("runs", "--study", "idc", "--last", "1")[1].count("AUC") == 1
    assert "no run of nothing" in run_command("runs", "--study", "nothing")[1]


def test_the_trainings_of_a_run_are_listed_while_they_go_on(tracked: mlflow.MlflowClient) -> None:
    newest = list_ids(tracked)[0]
    fold = open_child(tracked, newest, "fold_0")
    for epoch, loss in ((1, 0.9), (2, 0.75)):
        tracked.log_metric(fold, "loss", loss, step=epoch)
        tracked.log_metric(fold, "val_accuracy", 0.625, step=epoch)
    code, output = run_command("runs", newest[:12])
    assert code == 0, output
    [row] = [line for line in output.splitlines() if line.startswith("fold 1")]
    assert row.split() == ["fold", "1", "running", "2", "0.750", "-", "-", "0.625", "-", "-"]
    assert run_command("runs", "zzz") == (
        1,
        "Error: runs: found no run zzz, expected one of those that mammoscan runs lists\n",
    )


def test_the_newest_report_is_opened(tracked: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    newest, oldest = list_ids(tracked)[0], list_ids(tracked)[-1]
    assert newest in run_command("open", "--print")[1]
    assert list_ids(tracked, "idc")[0] in run_command("open", "--print", "--study", "idc")[1]
    assert oldest in run_command("open", "--print", oldest[:12])[1]
    monkeypatch.setattr("mammoscan.reporting.pdf.find_browser", lambda: None)
    code, output = run_command("open", "--pdf", "report.pdf")
    assert (code, "install Chromium" in output) == (1, True)
    code, output = run_command("open", "--print", "zzz")
    assert code == 1
    assert output == (
        "Error: open: found no report of run zzz, expected one of those that mammoscan runs lists\n"
    )


def test_old_runs_are_deleted_only_when_agreed(tracked: mlflow.MlflowClient, tmp_path: Path) -> None:
    ids = list_ids(tracked)
    code, output = run_command("clean", "--keep", "1", say="n\n")
    assert code == 0
    assert "delete these 2 runs" in output
    assert list_ids(tracked) == ids
    assert "deleted 2 runs" in run_command("clean", "--keep", "1", say="y\n")[1]
    assert list_ids(tracked) == ids[:1]
    assert len(list_ids(tracked, "idc")) == 1
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {ids[0], *list_ids(tracked, "idc")}
    assert "nothing to delete" in run_command("clean", "--yes")[1]
    assert len(tracked.search_runs(["1"])) == 6, "the runs under a deleted one are deleted with it"


def test_a_run_whose_model_is_registered_is_kept(tracked: mlflow.MlflowClient) -> None:
    oldest = list_ids(tracked)[-1]
    tracked.create_registered_model("mammoscan-mias")
    tracked.create_model_version("mammoscan-mias", "file:///nowhere", oldest)
    run_command("clean", "--keep", "0", "--yes")
    assert list_ids(tracked) == [oldest]


def test_where_nothing_was_run_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mammoscan.serving.model_files.read_tracking_uri", lambda: f"sqlite:///{tmp_path}/mlflow.db"
    )
    code, output = run_command("runs")
    assert code == 1
    assert "nothing was run here" in output


def test_version_names_what_matters() -> None:
    code, output = run_command("version")
    assert code == 0
    for name in ("mammoscan", "Python", "keras", "tensorflow", "mlflow"):
        assert name in output


@pytest.mark.parametrize("command", ["serve", "runs", "open", "clean", "sign", "version"])
def test_every_commands_help_fits_a_screen(command: str) -> None:
    code, output = run_command(command, "--help")
    assert code == 0
    assert len(output.splitlines()) <= 45
    assert command in run_command("--help")[1]


@pytest.mark.parametrize("command", ["", *main.commands])
def test_the_help_of_a_command_fits_on_a_screen(command: str) -> None:
    code, shown = run_command(*command.split(), "--help")
    assert code == 0
    assert len(shown.splitlines()) <= 40
    assert max(map(len, shown.splitlines())) <= 100
