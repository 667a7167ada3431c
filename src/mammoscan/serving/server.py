"""A port of its own, and a server on it that ends well."""

from __future__ import annotations

import errno
import ipaddress
import math
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    from fastapi import FastAPI


def take_port(host: str, port: int) -> socket.socket:
    """Bind a port before anything slow is done, so that a taken one is said at once.

    Args:
        host: A name or an address.
        port: 0 means any free one.

    Returns:
        The socket; nothing can connect before a server listens on it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise MammoscanError(
            f"--host {host}: found no such address ({error.strerror}), expected e.g. 127.0.0.1"
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


def run_server(app: FastAPI, listener: socket.socket, seconds: float, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are then finished.

    Args:
        app: What answers.
        listener: Bound.
        seconds: How long requests under way may take at the end.
        announce: Called once it listens.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=math.ceil(seconds),
    )
    # Uvicorn finishes the requests and then sends itself the signal once more, to die of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stay)
    _AnnouncedServer(config, announce).run([listener])


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
