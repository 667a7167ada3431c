"""The service over real HTTP: answers, limits, the queue, and what it says of its model."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from PIL import Image

from mammoscan.records.card import Card
from mammoscan.serving.app import describe_threshold
from services import CARD, FakeClassifier, Service, draw_png, run_service

Sent = tuple[str, bytes]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with run_service(images=4, megabytes=1.0, megapixels=0.25) as service:
        yield service


def post(service: Service, *files: Sent, query: str = "", **options: Any) -> requests.Response:
    sent = [("images", file) for file in files]
    return requests.post(f"{service.address}/predict{query}", files=sent or None, timeout=20, **options)


class TestAnswers:
    def test_every_file_gets_its_answer_in_the_order_sent(self, service: Service) -> None:
        reply = post(service, ("a.png", draw_png(51)), ("b.jpg", draw_png(204, kind="JPEG")))
        assert reply.status_code == 200
        said = reply.json()
        assert said["notice"] == "Research use. Not a medical device."
        assert said["cautions"] == []
        assert said["model"] == {
            "id": "0123abcd",
            "study": "mias",
            "data": "real",
            "protocol": "patient",
            "runtime": "keras",
        }
        first, second = said["results"]
        assert first == {
            "name": "a.png",
            "error": None,
            "label": "benign",
            "probabilities": {"benign": 0.8, "malignant": 0.2},
            "positive": "malignant",
            "threshold": 0.4,
            "warnings": [],
            "notes": ["it was shrunk"],
            "places": [],
            "size": None,
            "seen": None,
            "heat_map": None,
        }
        assert (second["name"], second["label"]) == ("b.jpg", "malignant")

    def test_an_explained_answer_shows_what_the_network_saw_and_a_clear_heat_map(
        self, service: Service
    ) -> None:
        [result] = post(service, ("a.png", draw_png(51)), query="?explain=true").json()["results"]
        pictures = {}
        for key in ("seen", "heat_map"):
            start, data = result[key].split(",")
            assert start == "data:image/png;base64"
            pictures[key] = Image.open(io.BytesIO(base64.b64decode(data)))
            assert pictures[key].size == (8, 8)
        assert pictures["seen"].getextrema() == (51, 51)
        heat = pictures["heat_map"]
        assert heat.mode == "RGBA"
        assert heat.getpixel((0, 0))[3] == 0
        assert heat.getpixel((7, 7))[3] > 150

    def test_what_is_out_of_distribution_is_told_apart_from_what_was_done(self, service: Service) -> None:
        [result] = post(service, ("white.png", draw_png(255))).json()["results"]
        assert result["warnings"] == ["this does not look like what the model was trained on"]
        assert result["notes"] == ["it was shrunk"]

    def test_a_bad_file_is_a_result_with_its_reason_and_spoils_no_other(self, service: Service) -> None:
        files = [("bad.png", b"\x89PNG nonsense"), ("scan.pgm", draw_png()), ("trouble.png", draw_png())]
        reply = post(service, *files, ("good.png", draw_png()))
        assert reply.status_code == 200
        *bad, good = reply.json()["results"]
        assert [result["label"] for result in bad] == [None, None, None]
        assert bad[0]["error"].startswith("bad.png is no image")
        assert bad[1]["error"] == "scan.pgm is a whole scan; expected a window: cut one out"
        assert bad[2]["error"] == "trouble.png cannot be read: ZeroDivisionError; see the service's log"
        assert good["error"] is None

    def test_only_bad_files_answer_422_in_the_same_form(self, service: Service) -> None:
        reply = post(service, ("bad.png", b"nothing"), ("empty.png", b""))
        assert reply.status_code == 422
        assert [result["name"] for result in reply.json()["results"]] == ["bad.png", "empty.png"]

    def test_three_labels_have_no_threshold(self) -> None:
        card = CARD.model_copy(update={"labels": ("normal", "benign", "malignant"), "shape": (8, 8, 3)})
        with run_service(FakeClassifier(card)) as service:
            [result] = post(service, ("a.png", draw_png()), query="?explain=true").json()["results"]
            assert requests.get(f"{service.address}/model", timeout=20).json()["threshold_meaning"] is None
        assert (result["positive"], result["threshold"]) == (None, None)
        assert list(result["probabilities"]) == list(card.labels)
        assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"data": "phantom"}, ["phantom"]),
            ({"data": "modified"}, ["differ from the published"]),
            ({"data": "phantom", "protocol": "author"}, ["phantom", "article's own protocol"]),
        ],
    )
    def test_every_answer_says_why_the_model_must_not_be_relied_on(
        self, changes: dict[str, str], words: list[str]
    ) -> None:
        with run_service(FakeClassifier(CARD.model_copy(update=changes))) as service:
            answers = [
                post(service, ("a.png", draw_png())).json(),
                requests.get(f"{service.address}/model", timeout=20).json(),
            ]
        for answer in answers:
            assert len(answer["cautions"]) == len(words)
            for caution, word in zip(answer["cautions"], words, strict=True):
                assert word in caution

    def test_the_model_shows_its_card_its_threshold_in_words_and_the_limits(self, service: Service) -> None:
        said = requests.get(f"{service.address}/model", timeout=20).json()
        assert Card.model_validate(said["card"]) == CARD
        assert said["threshold_meaning"] == (
            "From a probability of 0.40 for “malignant” on, the answer is “malignant”; below it, “benign”."
        )
        assert said["limits"] == {"images": 4, "megabytes": 1.0, "megapixels": 0.25, "seconds": 60.0}

    def test_the_threshold_is_told_with_its_rule_and_what_it_does(self) -> None:
        chosen = {"sensitivity": {"value": 0.914}, "specificity": {"value": 0.4}}
        card = CARD.model_copy(update={"threshold_rule": "fixed at 0.4", "operation": {"chosen": chosen}})
        meaning = describe_threshold(card)
        assert meaning is not None
        assert "The rule of this threshold: fixed at 0.4." in meaning
        assert "it found 91 % of “malignant” and left 40 % of the others alone" in meaning

    def test_a_model_that_breaks_answers_500_and_the_next_request_is_served(self, service: Service) -> None:
        reply = post(service, ("a.png", draw_png(13)))
        assert reply.status_code == 500
        assert reply.json()["detail"] == "the service failed; its log says why"
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert reply.headers["Cache-Control"] == "no-store"
        assert post(service, ("a.png", draw_png(14))).status_code == 200


class TestLimits:
    def test_more_bytes_than_allowed_answer_413(self, service: Service) -> None:
        reply = post(service, ("big.png", bytes(1_100_000)))
        assert reply.status_code == 413
        assert reply.json()["detail"].startswith("the request is too large, expected at most 1 MB")

    def test_a_body_of_unsaid_length_is_counted_as_it_comes(self, service: Service) -> None:
        def send() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
            for _ in range(30):
                yield bytes(50_000)

        form = {"Content-Type": "multipart/form-data; boundary=x"}
        address = f"{service.address}/predict"
        assert requests.post(address, data=send(), headers=form, timeout=20).status_code == 413

    def test_a_small_file_of_many_pixels_is_refused_before_it_is_unpacked(self, service: Service) -> None:
        bomb = draw_png(size=(6_000, 6_000))
        assert len(bomb) < 500_000
        started = time.monotonic()
        reply = post(service, ("bomb.png", bomb))
        assert time.monotonic() - started < 1
        assert reply.status_code == 422
        assert "250,000" in reply.json()["results"][0]["error"]

    def test_more_files_than_allowed_answer_400(self, service: Service) -> None:
        reply = post(service, *[(f"{i}.png", draw_png()) for i in range(5)])
        assert reply.status_code == 400
        assert "Maximum number of files is 4" in reply.json()["detail"]

    @pytest.mark.parametrize("body", [{"json": {"images": []}}, {"data": {"images": "text"}}, {}])
    def test_a_request_without_a_file_says_what_was_expected(
        self, service: Service, body: dict[str, Any]
    ) -> None:
        reply = requests.post(f"{service.address}/predict", **body, timeout=20)
        assert reply.status_code == 422
        assert "expected multipart/form-data" in reply.json()["detail"]

    def test_a_body_that_is_no_form_answers_400(self, service: Service) -> None:
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        reply = requests.post(f"{service.address}/predict", data=b"nonsense", headers=form, timeout=20)
        assert reply.status_code == 400

    def test_images_that_never_arrive_and_answers_that_never_come_run_out_of_time(self) -> None:
        with run_service(seconds=0.3) as service:
            host, port = service.address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=5) as slow:
                slow.sendall(
                    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n"
                    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
                )
                assert b" 408 " in slow.recv(4096).splitlines()[0]
            service.classifier.may_go_on.clear()
            reply = post(service, ("a.png", draw_png()))
            assert reply.status_code == 503
            assert reply.headers["Retry-After"] == "1"
            assert "no answer within 0.3 s" in reply.json()["detail"]
            service.classifier.may_go_on.set()
            assert post(service, ("a.png", draw_png())).status_code == 200


class TestQueue:
    def test_a_full_queue_answers_503_and_when_to_come_back(self) -> None:
        with run_service(waiting=3) as service, ThreadPoolExecutor(3) as clients:
            service.classifier.may_go_on.clear()
            waiting = [clients.submit(post, service, (f"{i}.png", draw_png())) for i in range(3)]
            wait_until(lambda: ask_health(service)["inside"] == 3)
            large = Image.effect_noise((400, 400), 90)
            file = io.BytesIO()
            large.save(file, "PNG")
            for content in (draw_png(), file.getvalue()):
                reply = post(service, ("late.png", content))
                assert reply.status_code == 503
                assert 1 <= int(reply.headers["Retry-After"]) <= 60
                assert "busy" in reply.json()["detail"]
            service.classifier.may_go_on.set()
            assert [client.result().status_code for client in waiting] == [200, 200, 200]
            assert ask_health(service)["inside"] == 0
            assert post(service, ("later.png", draw_png())).status_code == 200

    def test_images_that_wait_share_a_call_and_calls_never_overlap(self) -> None:
        with run_service(batch=4) as service, ThreadPoolExecutor(9) as clients:
            service.classifier.may_go_on.clear()
            first = clients.submit(post, service, ("0.png", draw_png(0)))
            wait_until(lambda: service.classifier.sizes == [1])
            rest = [clients.submit(post, service, (f"{i}.png", draw_png(i))) for i in range(20, 28)]
            wait_until(lambda: ask_health(service)["inside"] == 9)
            time.sleep(0.1)  # the last ones are being unpacked
            service.classifier.may_go_on.set()
            assert first.result().status_code == 200
            answers = [reply.result().json()["results"][0] for reply in rest]
            assert ask_health(service) == {
                "status": "ok",
                "model": "0123abcd",
                "inside": 0,
                "images": 9,
                "calls": 3,
            }
        assert service.classifier.sizes == [1, 4, 4]
        assert service.classifier.most_at_once == 1
        for i, answer in enumerate(answers, start=20):
            assert answer["name"] == f"{i}.png"
            assert answer["probabilities"]["malignant"] == pytest.approx(i / 255, abs=1e-5)

    def test_who_has_gone_costs_the_model_nothing(self) -> None:
        with run_service(batch=1) as service, ThreadPoolExecutor(1) as clients:
            service.classifier.may_go_on.clear()
            first = clients.submit(post, service, ("a.png", draw_png()))
            wait_until(lambda: service.classifier.sizes == [1])
            with pytest.raises(requests.Timeout):
                requests.post(
                    f"{service.address}/predict", files={"images": ("gone.png", draw_png())}, timeout=0.3
                )
            wait_until(lambda: ask_health(service)["inside"] == 1)
            service.classifier.may_go_on.set()
            assert first.result().status_code == 200
            assert post(service, ("b.png", draw_png())).status_code == 200
        assert service.classifier.sizes == [1, 1]

    def test_requests_under_way_are_answered_when_the_service_ends(self) -> None:
        classifier = FakeClassifier()
        with run_service(classifier) as service, ThreadPoolExecutor(2) as clients:
            classifier.may_go_on.clear()
            asked = [clients.submit(post, service, (f"{i}.png", draw_png())) for i in range(2)]
            wait_until(lambda: ask_health(service)["inside"] == 2)
            service.server.should_exit = True
            threading.Timer(0.3, classifier.may_go_on.set).start()
            assert [one.result().status_code for one in asked] == [200, 200]


class TestPages:
    def test_the_manual_describes_every_operation_without_another_host(self, service: Service) -> None:
        openapi = requests.get(f"{service.address}/openapi.json", timeout=20).json()
        assert set(openapi["paths"]) == {"/predict", "/health", "/model"}
        text = requests.get(f"{service.address}/docs", timeout=20).text
        for path in openapi["paths"]:
            assert path in text
        for words in (
            "multipart/form-data",
            "Retry-After",
            "list of ImageAnswer",
            "explain",
            "false unless given",
        ):
            assert words in text
        assert "http://" not in text
        assert "https://" not in text

    def test_no_answer_may_load_from_elsewhere_or_be_kept(self, service: Service) -> None:
        for path in ("/", "/page/app.js", "/page/style.css", "/docs", "/model", "/health", "/nothing"):
            headers = requests.get(service.address + path, timeout=20).headers
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'"), (
                path
            )
            assert headers["Cache-Control"] == "no-store", path


def ask_health(service: Service) -> Any:
    return requests.get(f"{service.address}/health", timeout=20).json()


def wait_until(comes: Any) -> None:
    deadline = time.monotonic() + 10
    while not comes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
