"""The HTTP service around a model: its routes, its page, and what it states about the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import UploadFile
from starlette.staticfiles import StaticFiles

from mammoscan import __version__
from mammoscan.errors import MammoscanError
from mammoscan.records.card import Card
from mammoscan.safe_text import make_printable
from mammoscan.serving.decode_pool import DecodePool
from mammoscan.serving.docs_page import write_manual
from mammoscan.serving.feedback import FeedbackFile
from mammoscan.serving.limits import HEADERS, RequestLimits, ServiceLimits
from mammoscan.serving.metrics import MetricsMiddleware, ServiceMetrics
from mammoscan.serving.model_queue import ModelQueue, QueueFullError
from mammoscan.serving.pictures import encode_png
from mammoscan.serving.requests import Decoder, Predictor, drop_body, finish_work, receive_files
from mammoscan.serving.schemas import (
    FEEDBACK_REFUSALS,
    IMAGE_BODY,
    PREDICT_BODY,
    PREDICT_REFUSALS,
    REFUSALS,
    FeedbackRequest,
    HealthAnswer,
    ModelAnswer,
    ModelName,
    OriginalAnswer,
    PredictAnswer,
)

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier


NOTICE = "Research use. Not a medical device."

_DATA = {
    "phantom": "Trained on a phantom: synthetic images, not patients. Its answers say nothing about real images.",
    "modified": "Trained on files that differ from the published ones.",
}
_AUTHOR = "Trained by the article's own protocol, with images of one patient on both sides: its figures are too good."


def list_cautions(card: Card) -> list[str]:
    """Return why a model's answers must not be relied on: a phantom, changed files, an author's protocol."""
    cautions = [_DATA[card.data]] if card.data in _DATA else []
    if card.protocol == "author":
        return [*cautions, _AUTHOR]
    if not card.patients_apart:
        cautions.append(f"Its figures are too good: {card.division}.")
    elif card.patients is None and card.division:
        cautions.append(f"Its figures may be too good: {card.division}.")
    return cautions


def describe_threshold(card: Card) -> str | None:
    """Return what the threshold means, or None where there are more than two labels."""
    positive = card.positive
    if not card.is_binary:
        return None
    words = [
        f"From a probability of {card.threshold:.2f} for “{positive}” on, the answer is “{positive}”; below it, "
        f"“{card.other}”."
    ]
    if card.threshold_rule:
        words.append(f"The rule of this threshold: {card.threshold_rule}.")
    chosen = (card.operation or {}).get("chosen") or {}
    shares: list[Any] = [(chosen.get(key) or {}).get("value") for key in ("sensitivity", "specificity")]
    if None not in shares:
        found, left = (f"{100 * share:.0f} %" for share in shares)
        words.append(
            f"On {card.data} patients that the networks had not seen it found {found} of “{positive}” and left "
            f"{left} of the others alone."
        )
    return " ".join(words)


PAGE = Path(__file__).parent / "page"


def create_app(
    classifier: Classifier,
    limits: ServiceLimits | None = None,
    *,
    allowed_hosts: Iterable[str] = (),
    feedback: Path | None = None,
    decoder: Decoder | None = None,
) -> FastAPI:
    """Build the service around a loaded model.

    Args:
        classifier: The model.
        limits: What requests may cost; None means the defaults.
        allowed_hosts: Names under which the service is reached; see ``RequestLimits``.
        feedback: A CSV file for ratings of answers; None means that the page asks for none.
        decoder: What decodes image files; None means worker processes.

    Returns:
        The ASGI application. It keeps no image and writes down no file's name.
    """
    limits = limits or ServiceLimits()
    decoder = decoder or DecodePool(
        classifier.card.takes,
        limits.picture,
        memory=round(limits.decode_megabytes * 1e6),
        seconds=limits.decode_seconds,
    )
    queue = ModelQueue(classifier, batch=limits.batch, waiting=limits.waiting)
    service = Service(
        classifier=classifier,
        limits=limits,
        queue=queue,
        predictor=Predictor(classifier, queue, decoder),
        metrics=ServiceMetrics(queue),
        feedback=FeedbackFile(feedback, _name_model(classifier).id) if feedback else None,
    )

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        yield
        await queue.stop()
        await service.predictor.stop()

    card = classifier.card
    app = FastAPI(
        title="Mammoscan",
        summary=f"Study {card.study}: {', '.join(card.labels)}. {card.notice}",
        version=__version__,
        docs_url=None,  # FastAPI's own page loads its script from another host
        redoc_url=None,
        lifespan=live,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(RequestLimits, limits=limits, allowed_hosts=allowed_hosts)
    app.add_middleware(MetricsMiddleware, metrics=service.metrics)
    app.add_exception_handler(Exception, _answer_failure)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    _add_prediction(app, service)
    _add_model(app, service)
    if service.feedback is not None:
        _add_feedback(app, service.feedback)
    _add_pages(app)
    return app


@dataclass(frozen=True)
class Service:
    """What the routes of one service share."""

    classifier: Classifier
    limits: ServiceLimits
    queue: ModelQueue
    predictor: Predictor
    metrics: ServiceMetrics
    feedback: FeedbackFile | None


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer invalid fields without repeating what was sent, which need not be text."""
    del request
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return JSONResponse({"detail": make_printable("; ".join(found))}, 422)


async def _answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Answer after an unexpected error; this goes out past all middleware, also past what adds the headers."""
    del request, error
    return JSONResponse({"detail": "the service failed; its log says why"}, 500, HEADERS)


def _add_prediction(app: FastAPI, service: Service) -> None:
    limits, queue, card = service.limits, service.queue, service.classifier.card
    model, cautions = _name_model(service.classifier), list_cautions(card)

    @asynccontextmanager
    async def receive(request: Request, deadline: float) -> AsyncIterator[list[UploadFile]]:
        """Yield a request's files with room for them in the queue; a full queue answers 503."""
        try:
            queue.check_room()
            async with receive_files(request, limits, deadline) as files:
                # Room is held from now on and not while images arrive, which a client can make take long.
                with queue.reserve(len(files)):
                    yield files
        except QueueFullError as error:
            await drop_body(request, deadline)
            raise HTTPException(503, str(error), {"Retry-After": str(error.seconds)}) from error

    @app.post(
        "/predict", response_model=PredictAnswer, responses=PREDICT_REFUSALS, openapi_extra=PREDICT_BODY
    )
    async def predict(
        request: Request,
        response: Response,
        explain: Annotated[bool, Query(description="Add a heat map and what the network saw.")] = False,
    ) -> PredictAnswer:
        """Classify one or many images."""
        deadline = asyncio.get_running_loop().time() + limits.seconds
        async with receive(request, deadline) as files:
            work = service.predictor.answer_files(files, explain)
            results = await finish_work(request, work, limits, deadline)
        service.metrics.count_answers(results)
        if service.feedback is not None:
            service.feedback.remember(results)
        if all(result.error for result in results):
            response.status_code = 422
        return PredictAnswer(model=model, notice=card.notice, cautions=cautions, results=results)

    @app.post("/original", response_model=OriginalAnswer, responses=REFUSALS, openapi_extra=IMAGE_BODY)
    async def show_original(request: Request) -> OriginalAnswer:
        """Return the original pixels of one image, for a page that changes its window: DICOM and TIFF, too."""
        deadline = asyncio.get_running_loop().time() + limits.seconds
        async with receive(request, deadline) as files:
            work = service.predictor.view_file(files[0])
            try:
                view, png = await finish_work(request, work, limits, deadline)
            except MammoscanError as error:
                raise HTTPException(422, error.message) from error
        return OriginalAnswer(**view, pixels=encode_png(png))


def _add_feedback(app: FastAPI, feedback: FeedbackFile) -> None:
    @app.post("/feedback", status_code=204, responses=FEEDBACK_REFUSALS)
    def rate_answer(rating: FeedbackRequest) -> None:
        """Keep whether an answer was right, in the file that the service was started with."""
        if not feedback.add(rating):
            raise HTTPException(404, "no such answer was given lately")


def _add_model(app: FastAPI, service: Service) -> None:
    limits, queue, card = service.limits, service.queue, service.classifier.card
    model = _name_model(service.classifier)
    answer = ModelAnswer(
        model=model,
        notice=card.notice,
        cautions=list_cautions(card),
        threshold_meaning=describe_threshold(card),
        limits={name: getattr(limits, name) for name in ("images", "megabytes", "megapixels", "seconds")},
        feedback=service.feedback is not None,
        card=card,
    )

    @app.get("/model")
    async def show_model() -> ModelAnswer:
        """Return the model's card, its cautions and the service's limits."""
        return answer

    @app.get("/health")
    async def show_health() -> HealthAnswer:
        """Return that the service works, and how busy it is."""
        return HealthAnswer(model=model.id, inside=queue.inside, images=queue.images, calls=queue.calls)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def show_metrics() -> PlainTextResponse:
        """Return counters for Prometheus."""
        return PlainTextResponse(service.metrics.write(), media_type=CONTENT_TYPE_LATEST)


def _add_pages(app: FastAPI) -> None:
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def show_page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def show_manual() -> HTMLResponse:
        return HTMLResponse(write_manual(app.openapi()))


def _name_model(classifier: Classifier) -> ModelName:
    card = classifier.card
    return ModelName(
        id=card.run_id or card.study,
        study=card.study,
        data=card.data,
        protocol=card.protocol,
        runtime=getattr(classifier, "runtime", "keras"),
    )
