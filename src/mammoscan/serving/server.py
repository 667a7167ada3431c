"""Listen on a port, bound the connections to it, and shut down without losing requests."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import math
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mammoscan.errors import MammoscanError
from mammoscan.serving.limits import ServiceLimits

if TYPE_CHECKING:
    from fastapi import FastAPI


def take_port(host: str, port: int) -> socket.socket:
    """Bind a port before anything slow is done, so that a port in use is reported at once.

    Args:
        host: A name or an address.
        port: 0 means any free one.

    Returns:
        The socket; nothing can connect before a server listens on it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError) as error:  # ValueError: a null character, a name too long
        reason = getattr(error, "strerror", None) or str(error)
        raise MammoscanError(
            f"--host {host[:200]}: found no such address ({reason}), expected e.g. 127.0.0.1"
        ) from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = "something listens there already; end it, or take another: --port 0 finds a free one"
        elif error.errno == errno.EACCES:
            reason = "this user may not; take a port above 1023"
        else:
            reason = f"{error.strerror}; take an address of this machine"
        raise MammoscanError(f"--port {port}: cannot listen on {host}: {reason}") from error
    return listener


def name_address(listener: socket.socket) -> str:
    """Return the address to type into a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_private(listener: socket.socket) -> bool:
    """Tell whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def make_config(app: FastAPI, limits: ServiceLimits, **options: Any) -> uvicorn.Config:
    """Return how uvicorn serves an application within the limits of its connections."""
    return uvicorn.Config(
        app,
        http=make_protocol(limits),
        h11_max_incomplete_event_size=limits.header_bytes,
        backlog=limits.connections,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=math.ceil(limits.seconds),
        **options,
    )


def make_protocol(limits: ServiceLimits) -> type[H11Protocol]:
    """Return a protocol that closes slow connections, and the longest waiting where there are too many."""

    class BoundedProtocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            if len(self.connections) >= limits.connections:
                # The one that has waited longest for its headers; those that are being answered are kept.
                waiting = [other for other in self.connections if isinstance(other, BoundedProtocol)]
                waiting = [other for other in waiting if not other.is_answering]
                if not waiting:
                    transport.write(FULL)
                    transport.close()
                min(waiting, key=lambda other: other.since, default=self).drop()
            super().connection_made(transport)
            self._wait(limits.idle_seconds)

        @property
        def is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            was_answering = self.is_answering
            if not was_answering and self._timer is None:
                self._wait(limits.idle_seconds)
            super().data_received(data)
            if self.is_answering and not was_answering:
                # Time for the body and for the answer, and for a client that reads the answer slowly.
                self._wait(2 * limits.seconds)

        def on_response_complete(self) -> None:
            self._stop_waiting()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def drop(self) -> None:
            self._stop_waiting()
            if self.transport is not None:
                self.transport.abort()

        def _wait(self, seconds: float) -> None:
            self._stop_waiting()
            self.since = self.loop.time()
            self._timer = self.loop.call_later(seconds, self.drop)

        def _stop_waiting(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return BoundedProtocol


FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def run_server(
    app: FastAPI, listener: socket.socket, limits: ServiceLimits, announce: Callable[[], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are then finished.

    Args:
        app: What answers.
        listener: Bound.
        limits: Of connections, and of the time that requests under way may take at the end.
        announce: Called once it listens.
    """
    # Uvicorn finishes the requests and then sends itself the signal once more, to die of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stay)
    _AnnouncedServer(make_config(app, limits, log_level="warning"), announce).run([listener])


class _AnnouncedServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _stay(number: int, frame: FrameType | None) -> None:
    del number, frame
