"""The service over real HTTP: answers, limits, the queue, and what it says of its model."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from mammoscan.errors import MammoscanError
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
            "out_of_distribution": False,
            "sha256": hashlib.sha256(draw_png(51)).hexdigest(),
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
                    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n"
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
                assert "queue is full" in reply.json()["detail"]
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
            time.sleep(0.1)  # the last ones are being decoded
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


class TestHostility:
    """What a hostile page, a broken client or a slow one sends."""

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:{port}", 200),
            ("localhost:{port}", 200),
            ("[::1]:{port}", 200),
            ("192.0.2.7", 200),
            ("scanner.hospital.example", 200),
            ("attacker.example", 421),
            ("127.0.0.1.attacker.example", 421),
            ("localhost.attacker.example:{port}", 421),
            ("", 421),
            ("a" * 300, 421),
        ],
    )
    def test_a_host_name_of_somebody_else_is_refused(self, host: str, status: int) -> None:
        with run_service(allowed_hosts=("Scanner.Hospital.example",)) as service:
            port = service.address.rpartition(":")[2]
            reply = requests.get(
                f"{service.address}/health", headers={"Host": host.format(port=port)}, timeout=20
            )
        assert reply.status_code == status
        if status == 421:
            assert "--allow-host" in reply.json()["detail"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"Origin": "{address}"}, 200),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({"Origin": "http://attacker.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://127.0.0.1:1"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
        ],
        ids=str,
    )
    def test_a_post_from_another_origin_is_refused(
        self, service: Service, headers: dict[str, str], status: int
    ) -> None:
        sent = {key: value.format(address=service.address) for key, value in headers.items()}
        assert post(service, ("a.png", draw_png()), headers=sent).status_code == status
        assert requests.get(f"{service.address}/health", headers=sent, timeout=20).status_code == 200

    @pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
    def test_a_form_that_is_cut_off_is_refused_as_a_whole(self, service: Service, kept: float) -> None:
        files = [("images", (f"{i}.png", draw_png())) for i in range(2)]
        whole = requests.Request("POST", f"{service.address}/predict", files=files).prepare()
        assert isinstance(whole.body, bytes)
        sizes = []
        for body in (whole.body, whole.body[: round(len(whole.body) * kept)]):
            reply = requests.post(
                f"{service.address}/predict",
                data=body,
                headers={"Content-Type": whole.headers["Content-Type"]},
                timeout=20,
            )
            sizes.append(reply.status_code)
        assert sizes == [200, 400]
        assert "cut off" in reply.json()["detail"]

    def test_stalled_uploads_shut_nobody_out_and_are_ended(self) -> None:
        with run_service(waiting=4, idle_seconds=2.0) as service:
            stalled = [start_upload(service) for _ in range(40)]
            assert ask_health(service)["inside"] == 0
            assert post(service, ("a.png", draw_png())).status_code == 200
            for client in stalled:
                client.settimeout(10)
                assert b" 408 " in client.recv(4096).splitlines()[0]
                client.close()

    def test_half_sent_headers_are_ended_and_make_room_for_others(self) -> None:
        with run_service(connections=20, idle_seconds=2.0) as service:
            half = [open_connection(service) for _ in range(60)]
            for client in half:
                with contextlib.suppress(OSError):
                    client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            started = time.monotonic()
            assert ask_health(service)["status"] == "ok"
            assert time.monotonic() - started < 2
            assert len(service.server.server_state.connections) <= 21
            wait_until(lambda: len(service.server.server_state.connections) <= 1)
            for client in half:
                client.close()

    def test_headers_sent_byte_by_byte_have_an_end(self) -> None:
        with run_service(idle_seconds=0.5) as service, open_connection(service) as client:
            client.settimeout(5)
            started = time.monotonic()
            with contextlib.suppress(OSError):
                for byte in b"GET /health HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
                    client.sendall(bytes([byte]))
                    time.sleep(0.02)
            assert time.monotonic() - started < 5

    def test_a_connection_that_is_kept_open_cannot_trickle_its_next_headers(self) -> None:
        with run_service(idle_seconds=0.5) as service, open_connection(service) as client:
            client.settimeout(5)
            client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b" 200 " in client.recv(4096)
            started = time.monotonic()
            with contextlib.suppress(OSError):
                for _ in range(500):
                    client.sendall(b"G")
                    time.sleep(0.02)
            assert time.monotonic() - started < 5

    def test_headers_have_a_largest_size(self, service: Service) -> None:
        with open_connection(service) as client:
            client.settimeout(10)
            sent = 0
            with contextlib.suppress(OSError):
                client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                while sent < 50_000_000:
                    client.sendall(b"X-Filler: " + b"y" * 10_000 + b"\r\n")
                    sent += 10_000
            assert sent < 5_000_000

    def test_disconnects_are_a_line_each_and_no_traceback(
        self, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        for _ in range(20):
            start_upload(service).close()
        wait_until(lambda: len(caplog.records) >= 20)
        time.sleep(0.2)
        assert len(caplog.records) == 20
        assert {record.getMessage() for record in caplog.records} == {
            "a client disconnected before its request had arrived"
        }
        assert all(record.exc_info is None for record in caplog.records)

    def test_the_bytes_of_all_uploads_have_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mammoscan.serving.limits.MAX_UPLOADS", 0.5)
        with run_service(megabytes=1.0) as service:
            first = start_upload(service, bytes(450_000))
            time.sleep(1)  # until all of it is there
            assert post(service, ("big.png", bytes(300_000))).status_code == 503
            first.close()
            wait_until(lambda: post(service, ("big.png", bytes(300_000))).status_code == 422)

    def test_names_and_warnings_with_control_codes_come_back_as_json(self, service: Service) -> None:
        [result] = post(service, ("a\x1b[2J.png", b"nothing")).json()["results"]
        assert "\x1b" not in result["error"]


class TestWorkers:
    """The service with its worker processes, as `mammoscan serve` runs it."""

    @pytest.fixture(scope="class")
    def service(self) -> Iterator[Service]:
        with run_service(
            FakeClassifier(CARD.model_copy(update={"shape": (24, 24, 1)})), workers=True
        ) as found:
            yield found

    def test_an_image_is_decoded_in_a_worker_and_answered(self, service: Service) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (24, 24)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "PNG")
        [result] = post(service, ("a.png", file.getvalue())).json()["results"]
        assert result["probabilities"]["malignant"] == pytest.approx(noise.mean() / 255, abs=1e-5)

    @pytest.mark.parametrize(
        ("size", "brightness", "words"), [((1, 1), 9, "1 x 1 pixels"), ((64, 64), 255, "is blank")]
    )
    def test_what_cannot_be_an_image_of_the_study_is_refused(
        self, service: Service, size: tuple[int, int], brightness: int, words: str
    ) -> None:
        reply = post(service, ("a.png", draw_png(brightness, size)))
        assert reply.status_code == 422
        assert words in reply.json()["results"][0]["error"]


class TestOriginals:
    def test_the_original_pixels_of_an_image_are_shown(self, service: Service) -> None:
        form = {"images": ("a.png", draw_png(51, (30, 20)))}
        found = requests.post(f"{service.address}/original", files=form, timeout=20).json()
        assert (found["width"], found["height"], found["depth"], found["step"]) == (30, 20, 8, 1)
        image = Image.open(io.BytesIO(base64.b64decode(found["pixels"].partition(",")[2])))
        assert image.getextrema() == (51, 51)

    def test_what_is_no_image_says_why(self, service: Service) -> None:
        form = {"images": ("a.png", b"nothing")}
        reply = requests.post(f"{service.address}/original", files=form, timeout=20)
        assert reply.status_code == 422
        assert "a.png is no image" in reply.json()["detail"]


class TestMetrics:
    def test_prometheus_reads_requests_images_and_times(self) -> None:
        with run_service() as service:
            post(service, ("a.png", draw_png(0)), ("b.png", draw_png(200)), ("bad.png", b"nothing"))
            for path in ("/nothing", "/else"):
                requests.get(service.address + path, timeout=20)
            text = requests.get(f"{service.address}/metrics", timeout=20).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = [sample for family in families.values() for sample in family.samples]
        images = {one.labels["answer"]: one.value for one in samples if one.name == "mammoscan_images_total"}
        assert images == {"benign": 1, "malignant": 1, "error": 1}
        seen = {
            (one.labels["path"], one.labels["status"]): one.value
            for one in samples
            if one.name == "mammoscan_requests_total"
        }
        assert seen == {("/predict", "200"): 1, ("other", "404"): 2}
        assert families["mammoscan_queue_images"].samples[0].value == 0
        assert "mammoscan_predict_seconds" in families


class TestFeedback:
    def test_ratings_are_kept_without_the_image_or_its_name(self, tmp_path: Path) -> None:
        file = tmp_path / "ratings.csv"
        with run_service(feedback=file) as service:
            assert requests.get(f"{service.address}/model", timeout=20).json()["feedback"] is True
            [result] = post(service, ("secret.png", draw_png(204))).json()["results"]
            for right in (True, False):
                rating = {"sha256": result["sha256"], "right": right}
                assert (
                    requests.post(f"{service.address}/feedback", json=rating, timeout=20).status_code == 204
                )
            unknown = {"sha256": "0" * 64, "right": True}
            assert requests.post(f"{service.address}/feedback", json=unknown, timeout=20).status_code == 404
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert [row["right"] for row in rows] == ["True", "False"]
        assert {row["label"] for row in rows} == {"malignant"}
        assert float(rows[0]["probability"]) == pytest.approx(0.8)
        assert rows[0]["sha256"] == hashlib.sha256(draw_png(204)).hexdigest()
        assert "secret" not in file.read_text()

    def test_without_a_file_nobody_is_asked(self, service: Service) -> None:
        assert requests.get(f"{service.address}/model", timeout=20).json()["feedback"] is False
        rating = {"sha256": "0" * 64, "right": True}
        assert requests.post(f"{service.address}/feedback", json=rating, timeout=20).status_code == 404

    def test_a_file_that_cannot_be_written_is_said_before_the_service_starts(self, tmp_path: Path) -> None:
        with (
            pytest.raises(MammoscanError, match=r"--feedback .* cannot be written"),
            run_service(feedback=tmp_path),
        ):
            pass


def open_connection(service: Service) -> socket.socket:
    host, port = service.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def start_upload(service: Service, content: bytes = b"") -> socket.socket:
    """Send the headers of an upload and a few bytes of it."""
    client = open_connection(service)
    client.sendall(
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        b'Content-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n' + content
    )
    return client


class TestPages:
    def test_the_manual_describes_every_operation_without_another_host(self, service: Service) -> None:
        openapi = requests.get(f"{service.address}/openapi.json", timeout=20).json()
        assert set(openapi["paths"]) == {"/predict", "/original", "/health", "/model", "/metrics"}
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
