"""One request to a team: its run is begun, and answered whole or as it comes, unless the caller leaves."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from proctor.access import Principal
from proctor.api._caller import Trust
from proctor.api._idempotency import once
from proctor.api._streams import LiveStream, unless_gone
from proctor.api.protocols import _work
from proctor.api.protocols._asking import TeamRequest
from proctor.api.protocols._conversation import Said, task_of
from proctor.api.protocols._work import Part, StillAtWork
from proctor.app import Proctor
from proctor.core import Unavailable
from proctor.runs import Run
from proctor.telemetry import incoming

PING = ": waiting\n\n"
"""Says that a silent stream lives: proxies cut silent ones."""


class Teller(Protocol):
    """Tells of a run in the words of one protocol."""

    async def whole(self, part: Part) -> Mapping[str, Any]:
        """A part of it that has ended, or come to wait for people."""

    def told(self, run: Run, trust: Trust, after: int) -> AsyncGenerator[str, None]:
        """A part of it as server-sent events, as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, and who sends it."""

    proctor: Proctor
    principal: Principal
    trust: Trust
    request: Request
    asked: TeamRequest

    async def begin(self, said: Sequence[Said], *, thread: str, key: str) -> Run:
        """A new run, or the one that the same request has started before."""
        asked = self.asked
        given = {**asked.model_dump(mode="json", include=set(asked.meant)), "thread": thread}
        return await _work.start(
            self.proctor,
            self.principal,
            team=asked.model,
            task=task_of(said),
            tenant=asked.named("tenant"),
            thread=thread,
            subject=asked.safety_identifier or asked.user or "",
            trace=incoming(self.request.headers),
            sent=once(self.principal, key, f"POST {self.request.url.path}", given),
        )

    async def answer(self, teller: Teller, run: Run, after: int) -> Response:
        """What the caller gets of a part of a run.

        Raises:
            StillAtWork: it takes longer than a request may, or can't be looked at now.
        """
        headers = {"x-proctor-run": run.id}
        if self.asked.stream:
            return LiveStream(self._unless_left(teller, run, after), headers)
        settling = _work.settle(self.proctor, run, self.trust, after=after)
        try:
            part = await unless_gone(self.request.receive, settling)
            if part is not None:
                return JSONResponse(await teller.whole(part), headers=headers)
        except Unavailable as error:  # else the client would send the request again, and start another run
            raise StillAtWork(run) from error
        await self._leave(run)
        return Response(status_code=204)  # to nobody

    async def _unless_left(self, teller: Teller, run: Run, after: int) -> AsyncGenerator[str, None]:
        whole = False
        try:
            async with aclosing(teller.told(run, self.trust, after)) as lines:
                async for line in lines:
                    yield line
            whole = True
        finally:
            if not whole:
                with anyio.CancelScope(shield=True):
                    if await self.request.is_disconnected():  # and no server that stops
                        await self._leave(run)

    async def _leave(self, run: Run) -> None:
        """Cancels the run where the caller wants that: else it goes on."""
        if self.asked.named("cancel_on_disconnect") in ("true", "1", "yes"):
            await _work.cancel(self.proctor, self.principal, run)


def event(data: Mapping[str, Any], name: str = "") -> str:
    """One server-sent event."""
    return f"event: {name}\n" * bool(name) + f"data: {json.dumps(data)}\n\n"
