"""`mammoscan serve`: a real process around the model of a finished run, and its errors in one line."""

from __future__ import annotations

import base64
import io
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pytest
import requests
from click.testing import CliRunner
from PIL import Image

from mammoscan.commands import main
from mammoscan.errors import MammoscanError
from mammoscan.records.card import Card
from mammoscan.serving.model_files import find_model, read_tracking_uri
from processes import CHROMIUM, Served, serve_study
from projects import FinishedRun

Finish = Callable[[str], FinishedRun]


@pytest.fixture(scope="module")
def served(finish_pipeline: Finish) -> Iterator[Served]:
    """One process for all tests of this file; the last test ends it."""
    with serve_study(finish_pipeline("mias")) as served:
        yield served


def test_it_says_in_one_line_where_it_listens_and_which_model_answers(served: Served) -> None:
    run_id = served.run.tracked.info.run_id
    assert served.first_line == (
        f"Mammoscan listens on {served.address} (mias, model {run_id}, trained on phantom data, protocol patient). "
        "Ctrl-C ends it.\n"
    )


def test_its_answers_are_those_of_the_packaged_model(served: Served) -> None:
    from mammoscan.serving.classifier import Classifier

    windows = [
        ("a.png", draw_window(served, 300)),
        ("b.png", draw_window(served, 420)),
    ]
    reply = served.post(*windows, query="?explain=true").json()
    assert reply["model"]["id"] == served.run.tracked.info.run_id
    assert "phantom" in reply["cautions"][0]
    classifier = Classifier.load(
        find_model("mias", served.run.tracked.info.run_id, served.run.project.tracking_uri)
    )
    pixels = [classifier.prepare(content, name).pixels for name, content in windows]
    expected = classifier.classify(np.stack(pixels))
    for result, row in zip(reply["results"], expected.to_dict("records"), strict=True):
        assert result["label"] == row["label"]
        assert result["threshold"] == pytest.approx(row["threshold"])
        assert result["probabilities"]["malignant"] == pytest.approx(row["p_malignant"], abs=1e-5)
        assert result["warnings"] == row["warnings"]
        assert result["heat_map"].startswith("data:image/png;base64,")
    card = requests.get(f"{served.address}/model", timeout=60).json()["card"]
    assert Card.model_validate(card) == classifier.card


def test_a_whole_scan_is_answered_by_its_likeliest_place_and_a_map(served: Served) -> None:
    scan = find_scan(served)
    [result] = served.post((scan.name, scan.read_bytes()), query="?explain=true").json()["results"]
    assert result["warnings"][0].startswith("A whole scan: the answer is that of its likeliest place.")
    assert "never saw normal tissue" in result["warnings"][1]
    assert result["size"] == [1024, 1024]
    places = result["places"]
    assert [place["rank"] for place in places] == list(range(1, len(places) + 1))
    assert places[0]["probability"] == pytest.approx(result["probabilities"]["malignant"], abs=1e-4)
    for place in places:
        assert place["y"] == pytest.approx(1024 - place["row"], abs=1e-3)
    heat = Image.open(io.BytesIO(base64.b64decode(result["heat_map"].split(",")[1])))
    assert heat.size == (640, 640)
    # Coloured in the breast, clear in the air around it.
    row, column = (round(places[0][key] * 640 / 1024) for key in ("row", "column"))
    assert heat.getpixel((min(column, 639), min(row, 639)))[3] > 0
    assert 0 in np.asarray(heat)[..., 3]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_the_page_shows_what_the_real_model_says(served: Served, tmp_path: Path) -> None:
    window = tmp_path / "window.png"
    window.write_bytes(draw_window(served, 300))
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 740})
        said: list[str] = []
        asked: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served.address)
        page.set_input_files("#choose", [str(window), str(find_scan(served))])
        page.get_by_text("All 2 answered").wait_for(timeout=60_000)
        assert page.get_by_role("meter").count() == 2
        small, whole = page.locator(".answer").all()
        assert small.locator(".heat").evaluate("image => image.naturalWidth") == 48
        assert whole.locator(".places li").count() == whole.locator(".frame").count() > 0
        assert "phantom" in page.get_by_role("note").inner_text()
        assert "AUC" in page.locator("#card").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        browser.close()
    assert said == []
    assert all(url.startswith((served.address, "data:", "blob:")) for url in asked)


def test_sigterm_lets_requests_under_way_finish_and_ends_well(served: Served) -> None:
    with ThreadPoolExecutor(8) as clients:
        window = draw_window(served, 300)
        asked = [clients.submit(served.post, *[(f"{i}.png", window)] * 8) for i in range(8)]
        deadline = time.monotonic() + 30
        while requests.get(f"{served.address}/health", timeout=60).json()["inside"] < 8:
            assert time.monotonic() < deadline
        served.process.send_signal(signal.SIGTERM)
        assert [one.result().status_code for one in asked] == [200] * 8
    assert served.process.wait(60) == 0
    assert served.errors.read_text() == ""


def find_scan(served: Served) -> Path:
    return min((served.run.project.folder / "data").rglob("mdb*.pgm"))


def draw_window(served: Served, top: int) -> bytes:
    scan = np.asarray(Image.open(find_scan(served)))
    file = io.BytesIO()
    Image.fromarray(scan[top : top + 256, 400:656]).save(file, "PNG")
    return file.getvalue()


def run_command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.output


class TestErrors:
    def test_a_taken_port_is_said_before_anything_is_loaded(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            code, output = run_command("serve", "--study", "mias", "--port", port)
        assert code == 1
        assert output.startswith(f"Error: --port {port}: cannot listen on 127.0.0.1: something listens there")
        assert output.count("\n") == 1

    @pytest.mark.parametrize(
        ("host", "words"),
        [("no.such.host.invalid", "no such address"), ("192.0.2.1", "cannot listen on 192.0.2.1")],
    )
    def test_an_address_that_is_not_this_machines(self, host: str, words: str) -> None:
        code, output = run_command("serve", "--study", "mias", "--host", host, "--port", "0")
        assert code == 1
        assert words in output
        assert output.count("\n") == 1

    def test_a_model_of_another_study_is_refused(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = served.run.tracked.info.run_id
        monkeypatch.chdir(served.run.project.folder)
        code, output = run_command("serve", "--study", "idc", "--model", run_id, "--port", "0")
        assert code == 1
        assert f"--model {run_id}: it is of study mias, expected idc" in output

    def test_its_help_names_every_option(self) -> None:
        code, output = run_command("serve", "--help")
        assert code == 0
        for option in ("--study", "--model", "--host", "--port", "--runtime", "--max-waiting", "--batch"):
            assert option in output


class TestFinding:
    def test_latest_without_a_registered_model_names_the_newest_run(self, finish_pipeline: Finish) -> None:
        run = finish_pipeline("mias")
        with pytest.raises(MammoscanError) as error:
            find_model("mias", "latest", run.project.tracking_uri)
        assert "no model is registered as mammoscan-mias" in error.value.message
        assert f"the newest is {run.tracked.info.run_id} (phantom data)" in error.value.message

    def test_latest_is_the_highest_version_that_is_registered(self, database: str, tmp_path: Path) -> None:
        client = mlflow.MlflowClient(database, database)
        client.create_registered_model("mammoscan-mias")
        for number in range(1, 12):
            folder = tmp_path / str(number)
            folder.mkdir()
            for name in ("network.keras", "card.json"):
                (folder / name).write_text("{}")
            client.create_model_version("mammoscan-mias", folder.as_uri())
        assert find_model("mias", "latest", database) == tmp_path / "11"
        assert find_model("mias", "models:/mammoscan-mias/9", database) == tmp_path / "9"

    @pytest.mark.parametrize(
        ("model", "words"),
        [
            ("latest", "train one: kedro run --pipeline mias"),
            ("0" * 32, "not found"),
            ("models:/nothing/1", "not found"),
            ("nonsense", "expected latest, the 32 characters of a run's id, models:/… or a folder"),
        ],
    )
    def test_what_is_not_there_is_said_in_one_line(self, database: str, model: str, words: str) -> None:
        with pytest.raises(MammoscanError) as error:
            find_model("mias", model, database)
        assert words in error.value.message
        assert "\n" not in error.value.message

    def test_a_run_without_a_model_and_a_folder_without_one(self, database: str, tmp_path: Path) -> None:
        client = mlflow.MlflowClient(database, database)
        run = client.create_run(client.create_experiment("x", str(tmp_path)))
        for model, words in ((run.info.run_id, "logged no model"), (str(tmp_path), "holds no card.json")):
            with pytest.raises(MammoscanError, match=words):
                find_model("mias", model, database)

    def test_a_run_that_logged_no_model_is_not_recommended(self, database: str, tmp_path: Path) -> None:
        client = mlflow.MlflowClient(database, database)
        run = client.create_run(client.create_experiment("part", str(tmp_path)), tags={"study": "mias"})
        client.set_terminated(run.info.run_id)
        with pytest.raises(MammoscanError, match=r"train one: kedro run --pipeline mias$"):
            find_model("mias", "latest", database)

    def test_where_nothing_was_trained_no_database_is_made(self, tmp_path: Path) -> None:
        file = tmp_path / "mlflow.db"
        with pytest.raises(MammoscanError, match="nothing was trained here"):
            find_model("mias", "latest", f"sqlite:///{file}")
        assert not file.exists()

    def test_the_project_says_where_its_runs_are(
        self, finish_pipeline: Finish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = finish_pipeline("mias").project
        monkeypatch.chdir(project.folder)
        assert read_tracking_uri() == project.tracking_uri
