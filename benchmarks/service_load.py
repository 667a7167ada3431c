"""Many clients for minutes: is anything lost or mixed up, how much memory does it take, how many are turned away?

Starts `mammoscan serve` with an untrained network. Each client sends one image after another on a connection that stays
open, checks that the answer is that of its own image (by the digest in the answer, and by the probabilities that the
same image got alone), and waits a second where it was turned away with 503.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from serving import BOUNDARY, draw_bodies, start_service, write_model

KIND = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PAUSE = 1.0


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, dict]:
    connection.request("POST", "/predict", body, KIND)
    reply = connection.getresponse()
    return reply.status, json.loads(reply.read())


def read_digest(body: bytes) -> str:
    head, _, rest = body.partition(b"\r\n\r\n")
    del head
    return hashlib.sha256(rest.removesuffix(f"\r\n--{BOUNDARY}--\r\n".encode())).hexdigest()


def measure_memory() -> int:
    """Resident bytes of the service and its workers, which are this process' only children."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


class Load:
    """What all clients found."""

    def __init__(self, port: int, bodies: list[bytes], until: float) -> None:
        self.port, self.bodies, self.until = port, bodies, until
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.refusals: list[float] = []
        self.wrong: list[str] = []
        self.lock = threading.Lock()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.expected = [self._ask_alone(connection, body) for body in bodies]
        connection.close()

    @staticmethod
    def _ask_alone(connection: http.client.HTTPConnection, body: bytes) -> tuple[str, float]:
        status, answer = post(connection, body)
        assert status == 200, answer
        [result] = answer["results"]
        assert result["sha256"] == read_digest(body)
        return result["sha256"], result["probabilities"]["malignant"]

    def run_client(self, number: int) -> None:
        """Send image after image until the time is up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        turn = number
        while time.monotonic() < self.until:
            turn = (turn + 1) % len(self.bodies)
            started = time.perf_counter()
            try:
                status, answer = post(connection, self.bodies[turn])
            except (OSError, http.client.HTTPException, ValueError) as error:
                with self.lock:
                    self.wrong.append(f"lost: {error!r}")
                connection.close()
                continue
            taken = time.perf_counter() - started
            with self.lock:
                self.statuses[status] += 1
                if status == 503:
                    self.refusals.append(taken)
                if status == 200:
                    self.seconds.append(taken)
                    [result] = answer["results"]
                    digest, probability = self.expected[turn]
                    found = result["probabilities"]["malignant"]
                    if result["sha256"] != digest or abs(found - probability) > 1e-5:
                        self.wrong.append(f"mixed up: {result['sha256']}")
            if status == 503:
                time.sleep(PAUSE)
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--waiting", type=int, default=128, help="images that the service takes in at one time"
    )
    asked = parser.parse_args()
    bodies = draw_bodies(256, 64)
    with (
        tempfile.TemporaryDirectory() as name,
        start_service(str(write_model(Path(name), "keras")), "mias", "keras", 16, asked.waiting) as port,
    ):
        load = Load(port, bodies, time.monotonic() + asked.seconds)
        before = measure_memory()
        threads = [threading.Thread(target=load.run_client, args=(k,)) for k in range(asked.clients)]
        for thread in threads:
            thread.start()
        memory = []
        while any(thread.is_alive() for thread in threads):
            memory.append(measure_memory())
            time.sleep(2)
        for thread in threads:
            thread.join()
    served, refused = load.statuses[200], load.statuses[503]
    rate = served / asked.seconds
    # Whoever finds no place comes back after the pause; all others wait inside.
    outside = max(0, asked.clients - asked.waiting)
    returns = outside / (PAUSE + float(np.mean(load.refusals or [0])))
    predicted = returns / (returns + rate)
    quarter = max(1, len(memory) // 4)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, with the clients' own")
    print("| what | found |")
    print("|---|---|")
    print(f"| clients, seconds, places | {asked.clients}, {asked.seconds:g}, {asked.waiting} |")
    print(f"| answered | {served:,} ({rate:.0f} images/s) |")
    print(
        f"| turned away with 503 | {refused:,} ({refused / (served + refused):.0%}; predicted {predicted:.0%}) |"
    )
    others = {status: n for status, n in load.statuses.items() if status not in (200, 503)}
    print(f"| other answers, lost or mixed up | {others or 'none'}, {len(load.wrong)} {load.wrong[:3]} |")
    middle, worst = np.quantile(load.seconds, (0.5, 0.99))
    print(f"| time to an answer, median and p99 | {middle:.2f} s, {worst:.2f} s |")
    first, last = np.median(memory[:quarter]), np.median(memory[-quarter:])
    print(
        f"| memory of service and workers | {before / 1e6:,.0f} MB before, {first / 1e6:,.0f} MB in the first quarter, "
        f"{last / 1e6:,.0f} MB in the last, {max(memory) / 1e6:,.0f} MB at most |"
    )


if __name__ == "__main__":
    main()
