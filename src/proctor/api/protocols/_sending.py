"""Answers that are long under way: events as they come, and callers who leave."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import anyio
from fastapi import Request
from fastapi.responses import StreamingResponse

from proctor.access import Principal
from proctor.api.protocols._work import cancel
from proctor.app import Proctor
from proctor.core import end_tasks
from proctor.runs import Run

T = TypeVar("T")

PAUSE = 15.0
"""Seconds of silence after which a stream says that it lives: proxies cut silent ones."""

ENDING = 2.0
"""Seconds that a task has to end."""

_PING = ": waiting\n\n"


def event(data: Mapping[str, Any], name: str = "") -> str:
    """One server-sent event."""
    return f"event: {name}\n" * bool(name) + f"data: {json.dumps(data)}\n\n"


def stream(lines: AsyncGenerator[str, None], headers: Mapping[str, str]) -> StreamingResponse:
    """A response of server-sent events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers}
    return StreamingResponse(_kept_alive(lines), media_type="text/event-stream", headers=headers)


async def _kept_alive(lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    coming: asyncio.Task[str | None] | None = None
    async with aclosing(lines):
        try:
            while True:
                coming = coming or asyncio.create_task(_next(lines))
                done, _ = await asyncio.wait({coming}, timeout=PAUSE)
                if not done:
                    yield _PING
                    continue
                line, coming = coming.result(), None
                if line is None:
                    return
                yield line
        finally:
            if coming is not None:
                await end_tasks([coming], within=ENDING)


async def _next(lines: AsyncGenerator[str, None]) -> str | None:
    return await anext(lines, None)


@asynccontextmanager
async def cancelling(
    proctor: Proctor, principal: Principal, run: Run, request: Request, *, wanted: bool
) -> AsyncIterator[None]:
    """A block that the caller may leave: the run is cancelled then, where that is wanted, else it goes on.

    A server that stops cuts the block off too, and leaves the run alone.
    """
    whole = False
    try:
        yield
        whole = True
    finally:
        if wanted and not whole:
            with anyio.CancelScope(shield=True):
                if await request.is_disconnected():
                    await cancel(proctor, principal, run)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work comes to; nothing where the caller leaves before."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_leave(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        await end_tasks([task for task in (doing, leaving) if not task.done()], within=ENDING)


async def _leave(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
