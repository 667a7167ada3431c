"""The report, Kedro-Viz and the MLflow UI in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from projects import FinishedRun, Project

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

PIPELINES = ("mias", "mias_normal", "mias_author", "mias_author_all")
LAYERS = ["01_raw", "02_intermediate", "05_model_input", "06_models", "07_model_output", "08_reporting"]

# What a person sees who opens Kedro-Viz and clicks nothing.
STEPS = (
    *("open_source", "divide_samples", "pool_predictions", "report_classification", "draw_confusion_matrix"),
    *("folds", "measuring", "figures_and_report"),
)
FIRST_SCREEN = {
    "mias": ("clean_notes", "choose_regions", "subsample_rois", "train_final", "trust", "mias.model_card"),
    "breakhis": ("index_images", "choose_images", "pack_images", "train_final", "trust"),
    "mias_author": ("clean_notes", "choose_regions", "subsample_rois", "balance_samples", "variants"),
}
MAX_SHAPES = 37

Finish = Callable[[str], FinishedRun]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.said: list[str] = []
    page.asked: list[str] = []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


def find_port() -> int:
    """A free port below those that the system hands out itself: Kedro-Viz takes none above 49151."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("found no free port")


@contextlib.contextmanager
def serve(project: Project, *words: str, asks: str) -> Iterator[tuple[str, int]]:
    """Start a server in the project, wait until it answers, and end it with all processes of its group."""
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    log = project.folder / f"server-{port}.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", *words, "--port", str(port)],
            cwd=project.folder,
            env=project.environment
            | {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "1"},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(address + asks, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield address, server.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def list_group(leader: int) -> list[Path]:
    """The processes of a group, as folders under /proc."""
    group = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader:
                group.append(folder)
        except ProcessLookupError:
            continue
    return group


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_report_shows_itself_on_a_desk_and_on_a_phone(
    finish_pipeline: Finish, page: Any, pipeline: str
) -> None:
    report = finish_pipeline(pipeline).find_file(f"{pipeline}.report")
    for width in (1000, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # What is folded away is loaded when it is opened; here it must not be broken.
        load = "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode().catch(() => 0) }))"
        page.evaluate(f"{load}.then(() => true)")
        broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)"
        assert page.evaluate(broken) == []
    assert page.locator("img").count() > 5
    assert "PHANTOM" in page.locator("body").inner_text()
    assert page.said == []
    assert {url for url in page.asked if not url.startswith("data:")} == {report.as_uri()}


def test_kedro_viz_draws_the_layers_the_names_and_the_previews_without_tensorflow(
    finish_pipeline: Finish, page: Any
) -> None:
    project = finish_pipeline("mias").project
    command = ("kedro", "viz", "run", "--no-browser", "--env", "test")
    with serve(project, *command, asks="/api/main") as (address, leader):
        graph = ask(f"{address}/api/main")
        entries = {node["name"]: node["id"] for node in graph["nodes"]}
        for pipeline in PIPELINES:
            assert ask(f"{address}/api/pipelines/{pipeline}")["layers"] == LAYERS, pipeline

        table = ask(f"{address}/api/nodes/{entries['mias.samples']}")
        assert table["preview_type"] == "TablePreview"
        assert "patient_id" in table["preview"]["columns"]
        for name in ("mias.roc_figure", "mias.sample_sheet_figure", "mias.pixels", "mias.scans"):
            node = ask(f"{address}/api/nodes/{entries[name]}")
            assert node["preview_type"] == "ImagePreview", name
            assert len(node["preview"]) > 10_000, name
        task = ask(f"{address}/api/nodes/{entries['clean_notes']}")
        assert "def clean_notes" in task["code"]

        page.set_viewport_size({"width": 1600, "height": 1000})
        for pipeline, names in FIRST_SCREEN.items():
            page.goto(f"{address}/?pid={pipeline}")
            page.locator(".pipeline-node", has_text=f"{pipeline}.report").wait_for(timeout=60_000)
            # The former graph fades out while the new one appears.
            count = "document.querySelectorAll('.pipeline-node').length"
            page.wait_for_function(f"{count} > 0 && {count} <= {MAX_SHAPES}", timeout=60_000)
            drawn = page.locator(".pipeline-node").all_text_contents()
            assert set(drawn) >= {*names, *STEPS, f"{pipeline}.report"}, pipeline
            assert len(drawn) <= MAX_SHAPES, drawn
            assert not [name for name in drawn if "checkpoint" in name or "folder" in name]
            assert page.locator(".pipeline-layer-name").all_text_contents() == LAYERS, pipeline

        page.goto(f"{address}/?pid=mias&expandAllPipelines=true")
        page.locator(".pipeline-node", has_text="train_fold").first.wait_for(timeout=60_000)
        drawn = page.locator(".pipeline-node").all_text_contents()
        assert set(drawn) >= {"clean_notes", "subsample_rois", "train_fold", "mias.samples", "mias.report"}

        page.goto(f"{address}/?pid=mias&sid={entries['mias.roc_figure']}&expandAllPipelines=true")
        picture = page.locator(".pipeline-metadata img").first
        picture.wait_for(timeout=60_000)
        assert picture.evaluate("image => image.naturalWidth") > 500

        processes = list_group(leader)
        assert processes
        if sys.platform == "linux":
            assert not [folder for folder in processes if "tensorflow" in (folder / "maps").read_text()]


def test_the_mlflow_ui_opens_on_the_headlines_and_compares_two_runs(
    finish_pipeline: Finish, page: Any
) -> None:
    runs = [finish_pipeline(name) for name in ("mias", "mias_normal")]
    ids = [run.tracked.info.run_id for run in runs]
    experiment = runs[0].tracked.info.experiment_id
    with serve_runs(runs[0].project) as said:
        address, page_of_runs = said.split("/#", 1)
        assert (
            page_of_runs
            == f"/experiments/{experiment}/runs?viewStateShareKey=headline&workflowType=machine_learning"
        )
        page.set_viewport_size({"width": 1600, "height": 1000})
        page.goto(said)
        for name in ("PHANTOM mias", "PHANTOM mias_normal"):
            page.get_by_role("link", name=name, exact=True).first.wait_for(timeout=60_000)
        # MLflow's assistant covers columns, and those out of sight are not drawn.
        page.get_by_role("button", name="Close").first.click()
        for column in ("auc_within_folds", "baseline", "patients", "data", "protocol", "auc"):
            page.get_by_role("columnheader").filter(has_text=column).first.wait_for(timeout=60_000)
        auc = runs[0].tracked.data.tags["auc_within_folds"]
        assert auc.startswith("PHANTOM ")
        page.get_by_text(auc).first.wait_for(timeout=60_000)

        page.goto(f"{address}/#/experiments/{experiment}/runs/{ids[0]}")
        page.get_by_text("PHANTOM: synthetic images").first.wait_for(timeout=60_000)
        picture = page.locator("img[src*='roc.png']")
        picture.wait_for(timeout=60_000)
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500

        query = f"runs={json.dumps(ids)}&experiments={json.dumps([experiment])}"
        page.goto(f"{address}/#/compare-runs?{query}")
        page.get_by_text("Comparing 2 Runs").first.wait_for(timeout=60_000)
        for run_id in ids:
            page.get_by_text(run_id).first.wait_for(timeout=60_000)
        page.get_by_text("auc", exact=True).first.wait_for(timeout=60_000)

        page.goto(f"{address}/#/experiments/{experiment}/runs/{ids[0]}/artifacts/report.html")
        page.get_by_text("report.html").first.wait_for(timeout=60_000)


@contextlib.contextmanager
def serve_runs(project: Project) -> Iterator[str]:
    """Start `mammoscan ui`, and end it with Ctrl-C as a person does: nothing of it may stay."""
    server = project.start_command("ui", "--no-browser", "--port", str(find_port()))
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        os.killpg(server.pid, signal.SIGINT)
        assert server.wait(timeout=30) == 0
    finally:
        server.terminate()
        server.communicate(timeout=60)
