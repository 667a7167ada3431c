"""What a request may cost and where it may come from; security headers of every answer."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mammoscan.imaging.image_reader import Limits

logger = logging.getLogger("mammoscan.serving")

# Uploads under way lie on the disk: together as much as this many requests of the largest size.
MAX_UPLOADS = 16


@dataclass(frozen=True)
class ServiceLimits:
    """The service's limits; the command's options of the same names set them.

    Attributes:
        images: Maximum number of images in one request.
        megabytes: Maximum size of one request, all its images together.
        megapixels: Maximum size of one image, checked in its header before anything is unpacked.
        seconds: Maximum time from a request's start to its answer; also what running requests get at shutdown.
        waiting: Maximum number of images that are decoded, wait or are classified at one time; more get 503.
        batch: Maximum number of images in one call of the model.
        decode_seconds: Maximum time to decode one image.
        decode_megabytes: Maximum memory to decode one image.
        idle_seconds: Maximum time to wait for a request's headers, and for the next part of its body.
        connections: Maximum number of open connections.
        header_bytes: Maximum size of a request's headers.
    """

    images: int = 32
    megabytes: float = 64.0
    megapixels: float = 50.0
    seconds: float = 60.0
    waiting: int = 128
    batch: int = 16
    decode_seconds: float = 10.0
    decode_megabytes: float = 900.0
    idle_seconds: float = 10.0
    connections: int = 512
    header_bytes: int = 16_384

    @property
    def bytes(self) -> int:
        """Maximum size of one request in bytes."""
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
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestLimits:
    """Rejects requests that are too large, too slow, or that a web page of another origin makes a browser send."""

    def __init__(self, app: ASGIApp, limits: ServiceLimits, allowed_hosts: Iterable[str] = ()) -> None:
        """Wrap an application.

        Args:
            app: It answers what is not rejected; its answers get ``HEADERS``.
            limits: What a request may cost.
            allowed_hosts: Names under which the service is reached, beside this machine's own and every IP address.
        """
        self._app = app
        self._limits = limits
        self._hosts = {"localhost", socket.gethostname().lower(), *(name.lower() for name in allowed_hosts)}
        self._receiving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless it is rejected."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, limits = Headers(scope=scope), self._limits
        came, arrived = 0, False

        async def receive_bounded() -> Message:
            nonlocal came, arrived
            if arrived:  # only the client's end can come now, for which there is no hurry
                return await receive()
            announced = headers.get("content-length", "0")
            if announced.isdigit() and int(announced[:20]) > limits.bytes:
                raise self._too_large()
            try:
                async with asyncio.timeout(limits.idle_seconds):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    408,
                    f"nothing more of the request arrived within {limits.idle_seconds:g} s: send it again",
                ) from error
            size = len(message.get("body", b""))
            came += size
            self._receiving += size
            if came > limits.bytes:
                raise self._too_large()
            if size and self._receiving > MAX_UPLOADS * limits.bytes:
                raise HTTPException(
                    503, "too many uploads are under way; try again in 5 s", {"Retry-After": "5"}
                )
            if not message.get("more_body", False):
                arrived = True
                self._receiving -= came
                came = 0
            return message

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._check_origin(scope["method"], headers)
        try:
            await (refusal or self._app)(scope, receive_bounded, send_marked)
        except ClientDisconnect:
            logger.warning("a client disconnected before its request had arrived")
        finally:
            self._receiving -= came

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413,
            f"the request is too large, expected at most {self._limits.megabytes:g} MB: send fewer images at once",
        )

    def _check_origin(self, method: str, headers: Headers) -> JSONResponse | None:
        """Return the answer to a request that only a hostile web page makes, else None."""
        host = headers.get("host", "")
        name = split_host(host)
        if not is_address(name) and name not in self._hosts:
            # By DNS rebinding a page elsewhere can call this service by a name of its own.
            return JSONResponse(
                {
                    "detail": f"the service is not known as {name[:100]!r}, expected an IP address or one of "
                    f"{sorted(self._hosts)}: start it with --allow-host <name>"
                },
                421,
            )
        origin = headers.get("origin")
        elsewhere = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if method not in ("GET", "HEAD") and (
            elsewhere or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        ):
            return JSONResponse({"detail": "requests from other websites are refused"}, 403)
        return None


def split_host(host: str) -> str:
    """Return the name in a Host header without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def is_address(name: str) -> bool:
    """Tell whether a host is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
