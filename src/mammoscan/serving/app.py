"""The service: images in by HTTP, answers out, and the page that people use.

What the service says of its model, in words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from mammoscan import __version__
from mammoscan.records.card import Card
from mammoscan.serving.docs_page import write_manual
from mammoscan.serving.limits import HEADERS, BoundedExchange, ServiceLimits
from mammoscan.serving.model_queue import FullError, ModelQueue
from mammoscan.serving.requests import Intake, drop_body, finish_work, receive_files
from mammoscan.serving.schemas import (
    PREDICT_BODY,
    REFUSALS,
    HealthAnswer,
    ModelAnswer,
    ModelName,
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
    return [*cautions, _AUTHOR] if card.protocol == "author" else cautions


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


def create_app(classifier: Classifier, limits: ServiceLimits | None = None) -> FastAPI:
    """Build the service around a model.

    Args:
        classifier: The model, loaded.
        limits: What requests may cost; None means the defaults.

    Returns:
        The ASGI application. It keeps no image and writes down no file's name.
    """
    limits = limits or ServiceLimits()
    queue = ModelQueue(classifier, batch=limits.batch, waiting=limits.waiting)
    intake = Intake(classifier, queue, limits)

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        yield
        await queue.stop()
        await intake.stop()

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
    app.add_middleware(BoundedExchange, megabytes=limits.megabytes)
    app.add_exception_handler(Exception, _answer_failure)
    _add_prediction(app, classifier, queue, intake, limits)
    _add_model(app, classifier, queue, limits)
    _add_pages(app)
    return app


async def _answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Answer what nobody expected; this goes out past all middleware, and past what adds the headers."""
    del request, error
    return JSONResponse({"detail": "the service failed; its log says why"}, 500, HEADERS)


def _add_prediction(
    app: FastAPI, classifier: Classifier, queue: ModelQueue, intake: Intake, limits: ServiceLimits
) -> None:
    model, card = _name_model(classifier), classifier.card
    cautions = list_cautions(card)

    @app.post("/predict", response_model=PredictAnswer, responses=REFUSALS, openapi_extra=PREDICT_BODY)
    async def predict(
        request: Request,
        response: Response,
        explain: Annotated[bool, Query(description="Add a heat map and what the network saw.")] = False,
    ) -> PredictAnswer:
        """Classify one or many images."""
        deadline = asyncio.get_running_loop().time() + limits.seconds
        try:
            with queue.enter() as take:
                async with receive_files(request, limits, deadline) as files:
                    take(len(files) - 1)
                    work = intake.answer_files(files, explain)
                    results = await finish_work(request, work, limits, deadline)
        except FullError as error:
            await drop_body(request, deadline)
            raise HTTPException(503, str(error), {"Retry-After": str(error.seconds)}) from error
        if all(result.error for result in results):
            response.status_code = 422
        return PredictAnswer(model=model, notice=card.notice, cautions=cautions, results=results)


def _add_model(app: FastAPI, classifier: Classifier, queue: ModelQueue, limits: ServiceLimits) -> None:
    model, card = _name_model(classifier), classifier.card
    answer = ModelAnswer(
        model=model,
        notice=card.notice,
        cautions=list_cautions(card),
        threshold_meaning=describe_threshold(card),
        limits={name: getattr(limits, name) for name in ("images", "megabytes", "megapixels", "seconds")},
        card=card,
    )

    @app.get("/model")
    async def show_model() -> ModelAnswer:
        """Return the model's card, its cautions and the service's limits."""
        return answer

    @app.get("/health")
    async def show_health() -> HealthAnswer:
        """Say that the service works, and how busy it is."""
        return HealthAnswer(model=model.id, inside=queue.inside, images=queue.images, calls=queue.calls)


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
