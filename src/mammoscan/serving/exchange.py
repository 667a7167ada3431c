"""One request's way: its files in, within its time, and its answer out as long as somebody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile

from mammoscan.serving.limits import ServiceLimits

Answer = TypeVar("Answer")


@asynccontextmanager
async def receive_files(
    request: Request, limits: ServiceLimits, deadline: float
) -> AsyncIterator[list[UploadFile]]:
    """Yield the files of a request, which are gone afterwards.

    Args:
        request: With a body of ``multipart/form-data``.
        limits: How many files there may be.
        deadline: The event loop's time by which they must be here.
    """
    try:
        async with asyncio.timeout_at(deadline):
            form = await request.form(max_files=limits.images)
    except TimeoutError as error:
        raise HTTPException(
            408, f"the images did not arrive within {limits.seconds:g} s: send fewer at once"
        ) from error
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise HTTPException(
                422, "found no file, expected multipart/form-data with one or more in the field 'images'"
            )
        yield files
    finally:
        await form.close()


async def finish_work(
    request: Request, work: Coroutine[None, None, Answer], limits: ServiceLimits, deadline: float
) -> Answer:
    """Return what the work gives, or end it when its time is over or whoever asked has gone."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_wait_until_gone(request))
    try:
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.wait({working, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if leaving.done():
            raise HTTPException(499, "whoever asked has gone")
        raise HTTPException(
            503,
            f"there was no answer within {limits.seconds:g} s: send fewer images at once, or later",
            {"Retry-After": str(math.ceil(limits.seconds))},
        )
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def drop_body(request: Request, deadline: float) -> None:
    """Read what is still coming: a client that is cut off while it sends never sees the answer."""
    with contextlib.suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout_at(deadline):
            async for _ in request.stream():
                pass


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
