"""A second request for a call that takes long: the first answer counts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from proctor.core import (
    Clock,
    DeploymentSettings,
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ProctorError,
)

TAG = "h"
"""Of the second request: a part of its idempotency key, or the provider would answer both as one."""

HedgeListener: TypeAlias = Callable[[ModelCall], None]
"""Is told of each call for which a second request is sent."""


def hedge(
    deployments: Mapping[str, DeploymentSettings], *, clock: Clock, on_hedge: HedgeListener
) -> ModelMiddleware:
    """A middleware that sends a second request where `hedge_after` has passed without an answer.

    The first answer counts; the other request is cancelled, and has ended before the call returns. Where
    both fail the call fails as its first request did. Streamed calls are sent once: nobody can listen to two
    answers. The second request is an event of the run.
    """
    delays = {
        name: settings.hedge_after.total_seconds()
        for name, settings in deployments.items()
        if settings.hedge_after is not None
    }

    def middleware(call: ModelCall, handle: ModelHandler) -> Awaitable[ModelResult]:
        delay = delays.get(call.model)
        return handle(call) if delay is None or call.on_text is not None else hedged(call, handle, delay)

    async def hedged(call: ModelCall, handle: ModelHandler, delay: float) -> ModelResult:
        requests = [asyncio.ensure_future(handle(call))]
        waiting = asyncio.create_task(clock.sleep(delay))
        try:
            await asyncio.wait({requests[0], waiting}, return_when=asyncio.FIRST_COMPLETED)
            if requests[0].done():
                return requests[0].result()
            call.scope.event("model.hedged", {"deployment": call.model, "after_s": round(delay, 3)})
            on_hedge(call)
            requests.append(asyncio.ensure_future(handle(replace(call, attempt_tag=TAG))))
            result = await _first_success(requests)
            return replace(result, attempts=result.attempts + 1)
        finally:
            await _end(waiting, *requests)

    return middleware


async def _first_success(requests: Sequence["asyncio.Future[ModelResult]"]) -> ModelResult:
    """The first answer that comes; where none does, the failure of the request that was sent first."""
    left = set(requests)
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for request in requests:
            if request in done and not isinstance(request.exception(), ProctorError):
                return request.result()
    return requests[0].result()


async def _end(*work: "asyncio.Future[ModelResult] | asyncio.Future[None]") -> None:
    """Returns when nothing of it goes on any more."""
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
