"""What holds for every request and every answer: how much may come in, and that the page keeps to itself.

What one request, and all of them together, may cost the service.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mammoscan.serving.image_reader import Limits


@dataclass(frozen=True)
class ServiceLimits:
    """The service's limits; the command's options of the same names set them.

    Attributes:
        images: Most images of one request.
        megabytes: Most megabytes of one request, all its images together.
        megapixels: Most megapixels of one image, read in its header before anything is unpacked.
        seconds: Longest time from a request's start to its answer; also what running requests get at the end.
        waiting: Most images that are read, wait or are classified at one time; more get 503.
        batch: Most images of one call of the model.
    """

    images: int = 32
    megabytes: float = 64.0
    megapixels: float = 50.0
    seconds: float = 60.0
    waiting: int = 128
    batch: int = 16

    @property
    def bytes(self) -> int:
        """Most bytes of one request."""
        return round(self.megabytes * 1e6)

    @property
    def picture(self) -> Limits:
        """The limits of one image."""
        return Limits(bytes=self.bytes, pixels=round(self.megapixels * 1e6))


# The page may load from this service and talk to it, and to no other.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class BoundedExchange:
    """Refuses a body that is too large, announced or not, and adds ``HEADERS`` to every answer."""

    def __init__(self, app: ASGIApp, megabytes: float) -> None:
        """Take what answers, and the most megabytes of a body."""
        self._app = app
        self._most = round(megabytes * 1e6)
        self._refusal = (
            f"the request is too large, expected at most {megabytes:g} MB: send fewer images at once"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        came = 0

        async def receive_bounded() -> Message:
            nonlocal came
            if announced.isdigit() and int(announced) > self._most:
                raise HTTPException(413, self._refusal)
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most:
                raise HTTPException(413, self._refusal)
            return message

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive_bounded, send_marked)
