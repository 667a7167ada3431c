"""What Prometheus reads at ``/metrics``: requests, images, their times, and how full the queue is."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mammoscan.serving.model_queue import ModelQueue
from mammoscan.serving.schemas import ImageAnswer

PATHS = ("/", "/predict", "/model", "/health", "/metrics", "/docs", "/openapi.json", "/original", "/feedback")
SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class ServiceMetrics:
    """The service's counters, of its own so that several services may run in one process."""

    def __init__(self, queue: ModelQueue) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "mammoscan_requests", "Answered requests.", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "mammoscan_predict_seconds",
            "From a request's headers to the end of its answer, POST /predict.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._images = Counter(
            "mammoscan_images", "Answered images by label, or error.", ("answer",), registry=self.registry
        )
        self._unknown = Counter(
            "mammoscan_images_out_of_distribution",
            "Images unlike those that the model was trained on.",
            registry=self.registry,
        )
        inside = Gauge(
            "mammoscan_queue_images", "Images decoded, waiting or classified now.", registry=self.registry
        )
        inside.set_function(lambda: queue.inside)

    def count_answers(self, answers: Iterable[ImageAnswer]) -> None:
        """Count the answers of a request."""
        for answer in answers:
            self._images.labels("error" if answer.error else answer.label).inc()
            self._unknown.inc(bool(answer.out_of_distribution))

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request; any path but the known ones is ``other``, which bounds the number of counters."""
        self._requests.labels(path if path in PATHS else "other", str(status)).inc()
        if path == "/predict" and status == 200:
            self._seconds.observe(seconds)

    def write(self) -> bytes:
        """Return all values in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Counts every request."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 499

        async def send_watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        finally:
            self._metrics.count_request(scope["path"], status, time.perf_counter() - started)
