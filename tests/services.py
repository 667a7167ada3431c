"""The service in a thread of the tests' own process, with real HTTP, around a classifier that computes nothing."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uvicorn
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits, read_picture
from mammoscan.params import Recipe, ScanGridParams, ViewParams
from mammoscan.records.card import Card, WindowInput
from mammoscan.serving.app import create_app
from mammoscan.serving.limits import ServiceLimits
from mammoscan.serving.original_view import encode_original
from mammoscan.serving.prepare_input import PreparedImage
from mammoscan.serving.server import make_config

CARD = Card(
    study="mias",
    protocol="patient",
    data="real",
    notice="Research use. Not a medical device.",
    run_id="0123abcd",
    labels=("benign", "malignant"),
    positive="malignant",
    threshold=0.4,
    shape=(8, 8, 1),
    input=WindowInput(kind="window", size=8, grid=ScanGridParams()),
    training=Recipe(epochs=1),
    views=ViewParams(),
)


@dataclass
class FakeClassifier:
    """Says ``malignant`` with the mean brightness as its probability."""

    card: Card = CARD
    seconds: float = 0.0
    sizes: list[int] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    def classify(self, pixels: Any) -> pd.DataFrame:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.sizes.append(len(pixels))
        time.sleep(self.seconds)
        assert self.may_go_on.wait(20)
        self.at_once -= 1
        if pixels.max() == 13:
            raise RuntimeError("the network broke")
        labels = self.card.labels
        bright = pixels.reshape(len(pixels), -1).mean(axis=1) / 255
        table = pd.DataFrame({f"p_{label}": (1 - bright) / (len(labels) - 1) for label in labels})
        table[f"p_{self.card.positive}"] = bright
        table["label"] = np.where(bright >= self.card.threshold, self.card.positive, labels[0])
        strange = "this does not look like what the model was trained on"
        table["warnings"] = [[strange] if value > 0.95 else [] for value in bright]
        return table

    def explain(self, pixels: Any, label: str) -> Any:
        assert label in self.card.labels
        height, width = self.card.shape[:2]
        return np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)


@dataclass
class FakeDecoder:
    """Decodes in the tests' own process, without the checks of a file's content."""

    card: Card = CARD
    limits: Limits = field(default_factory=Limits)
    workers: int = 2

    def prepare(self, content: bytes, name: str, preview: int = 0) -> PreparedImage:
        picture = read_picture(content, name, self.limits)
        if name.startswith("trouble"):
            raise ZeroDivisionError
        if name.startswith("scan"):
            raise MammoscanError(f"{name} is a whole scan; expected a window: cut one out")
        height, width, channels = self.card.shape
        small = (
            Image.fromarray(picture.array).convert("RGB" if channels == 3 else "L").resize((width, height))
        )
        pixels = np.asarray(small).reshape(height, width, channels)
        return PreparedImage(name, pixels, None, [*picture.notes, "it was shrunk"], [])

    def view(self, content: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        return encode_original(content, name, self.limits)

    def close(self) -> None:
        pass


@dataclass
class Service:
    address: str
    classifier: FakeClassifier
    server: uvicorn.Server


@contextmanager
def run_service(
    classifier: Any = None,
    *,
    workers: bool = False,
    allowed_hosts: tuple[str, ...] = (),
    feedback: Path | None = None,
    **options: Any,
) -> Iterator[Service]:
    """Run a service; with ``workers`` its images are decoded in worker processes, as in a real one."""
    classifier = classifier or FakeClassifier()
    limits = ServiceLimits(**options)
    app = create_app(
        classifier,
        limits,
        allowed_hosts=allowed_hosts,
        feedback=feedback,
        decoder=None if workers else FakeDecoder(classifier.card, limits.picture),
    )
    server = uvicorn.Server(make_config(app, limits, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Service(f"http://127.0.0.1:{port}", classifier, server)
    finally:
        classifier.may_go_on.set()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def draw_png(brightness: int = 100, size: tuple[int, int] = (20, 10), kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", size, brightness).save(file, kind)
    return file.getvalue()
