"""Server-sent events: what a stream says, where it goes on after a break, and how it ends.

    id: 12                              the place behind this event; `Last-Event-ID` goes on there
    event: message                      the event's type
    data: {"run": …, "seq": 12, …}

Beside a run's own events there are `token` (a piece of a model's answer, without a place), `end` (a run has
ended), and where the stream ends before what it tells of: `closing` (this process stops), `expired` (it has
lasted long enough, or the reader's key or session holds no more), `slow` (the reader takes too little) and
`unavailable` (the database is away). After these a client connects again.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Collection, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Literal, TypeAlias, TypeVar, assert_never

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proctor.api._caller import Trust
from proctor.api._texts import ID
from proctor.core import Event, InvalidInput, ProctorError, Token, Unavailable, unless
from proctor.runs import MOST_FOLLOWED, Follower, Item, RunEnd

T = TypeVar("T")

HEARTBEAT = 15.0
"""Seconds without news after which a comment is sent: proxies close what is silent."""
SLOW = 5.0
"""Seconds for which a reader may let one piece wait, before it is let go."""
STUCK = 30.0
"""Seconds after which a reader that takes nothing at all is cut off."""
RETRY = 1_000
"""Milliseconds after which a browser connects again."""
PIECE = 32 * 1024
"""Characters that are sent together."""
ENDING = 2.0
"""Seconds that work has to end when its caller has left."""

Parting: TypeAlias = Literal["closing", "expired", "slow", "unavailable"]

RUN = f"run_{ID}"
PLACE = "[0-9]{1,9}"
_NAMES = frozenset(
    ("id", "kind", "team", "server", "tool", "deployment", "model", "stage", "outcome", "decision", "code")
)
"""Of an event's words those that name something. All others may be texts."""

_ENTRY = f"{RUN}:{PLACE}!?"
CURSOR = rf"^({RUN})?;({_ENTRY}(,{_ENTRY})*)?$"


class Cursor:
    """The place in the logs of several runs, as a stream's `id` holds it: `MARK;RUN:SEQ,RUN:SEQ!`.

    All that is behind a `!` has ended and was sent. A mark stands before all that a team's stream has still
    to tell of runs which the cursor doesn't name.
    """

    def __init__(self, text: str = "") -> None:
        self.mark = ""
        self.places: dict[str, int] = {}
        self.over: dict[str, int] = {}
        """Runs that have ended, each with the number of its last event."""
        if not text:
            return
        if re.match(CURSOR, text) is None:
            raise InvalidInput("Last-Event-ID is no place in this stream", hint="Send the last `id` back.")
        self.mark, _, named = text.partition(";")
        for entry in filter(None, named.strip().split(",")):
            run_id, _, place = entry.partition(":")
            which = self.over if place.endswith("!") else self.places
            which[run_id] = int(place.rstrip("!"))
        if len(self.places) > MOST_FOLLOWED:
            raise InvalidInput(f"a stream tells of {MOST_FOLLOWED} runs at most")

    def name(self, ids: Collection[str]) -> None:
        """Holds these runs alone, also those that had ended: they may have been resumed."""
        self.mark, known = "", {**self.over, **self.places}
        self.places, self.over = {run_id: known.get(run_id, 0) for run_id in ids}, {}

    def note(self, item: Event | RunEnd) -> None:
        """Goes behind an item."""
        match item:
            case Event():
                self.places[item.run_id] = item.seq
            case RunEnd():
                self.over[item.run_id] = self.places.pop(item.run_id, 0)

    def pass_mark(self, mark: str) -> None:
        """Forgets what has ended before a mark."""
        if mark > self.mark:
            self.mark = mark
            self.over = {run_id: seq for run_id, seq in self.over.items() if run_id > mark}

    def __str__(self) -> str:
        going_on = [f"{run_id}:{seq}" for run_id, seq in self.places.items()]
        over = [f"{run_id}:{seq}!" for run_id, seq in self.over.items()]
        return f"{self.mark};{','.join([*going_on, *over])}"


TOLD: dict[str, dict[str, Any]] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One event.",
            "required": ["data"],
            "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
        }
    }
}
"""What a stream's content is in the description."""


class LiveStream(Response):
    """Text that is sent as it comes into being, until its end, or until the reader has gone."""

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncGenerator[str, None], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["Content-Length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's own
        """Sends until the end, or until the reader has gone."""
        await unless_gone(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                try:
                    async with asyncio.timeout(STUCK):
                        await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
                except TimeoutError:
                    return  # whoever takes nothing can't be told anything, either: the server cuts them off
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class EventStream(LiveStream):
    """What a follower is handed, as server-sent events, until there is nothing more to come."""

    def __init__(
        self,
        following: AbstractAsyncContextManager[Follower],
        *,
        trust: Trust,
        cursor: Cursor | None,
        seconds: float,
        whole: bool,
    ) -> None:
        super().__init__(self._taken())
        self._following = following
        self._trust = trust
        self._cursor = cursor
        """Of one run alone there is none: its events' numbers are the places."""
        self._seconds = seconds
        self._whole = whole
        """Whether the reader may read texts."""

    async def _taken(self) -> AsyncGenerator[str, None]:
        """The stream's text, as long as the reader takes it in time."""
        loop = asyncio.get_running_loop()
        async with self._following as follower, aclosing(self._told_of(follower)) as pieces:
            async for piece in pieces:
                try:
                    await self._trust.renew()
                except ProctorError:
                    yield _parting("expired")
                    return
                asked = loop.time()
                yield piece
                if loop.time() - asked > SLOW:
                    yield _parting("slow")
                    return

    async def _told_of(self, follower: Follower) -> AsyncGenerator[str, None]:
        """The stream's text, a piece at a time."""
        yield f"retry: {RETRY}\n\n"
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        while loop.time() < end:
            if self._cursor is not None:
                self._cursor.pass_mark(follower.mark)
            try:
                items = await follower.take(min(HEARTBEAT, end - loop.time()))
            except Unavailable:
                yield _parting("unavailable")
                return
            if follower.slow or follower.closed:
                yield _parting("slow" if follower.slow else "closing")
                return
            text = ""
            for item in items:
                text += self._told(item)
                if len(text) >= PIECE:
                    yield text
                    text = ""
            if text:
                yield text
            if follower.done:
                return
            if not items:
                yield ":\n\n"
        yield _parting("expired")

    def _told(self, item: Item) -> str:
        match item:
            case Token() if item.last or not self._whole:
                return ""
            case Token():
                return _message("token", {"run": item.run_id, "agent": item.agent, "text": item.text})
            case Event():
                return _message(item.type, event_json(item, whole=self._whole), place=self._behind(item))
            case RunEnd():
                place = "" if self._cursor is None else self._behind(item)
                return _message("end", {"run": item.run_id, "state": item.state}, place=place)
            case _:
                assert_never(item)

    def _behind(self, item: Event | RunEnd) -> str:
        if self._cursor is None:
            assert isinstance(item, Event)
            return str(item.seq)
        self._cursor.note(item)
        return str(self._cursor)


def event_json(event: Event, *, whole: bool) -> dict[str, Any]:
    """An event as programs read it; where it isn't `whole`, without texts."""
    data = {
        name: value
        for name, value in event.data.items()
        if whole or name in _NAMES or isinstance(value, bool | int | float)
    }
    return {
        "run": event.run_id,
        "seq": event.seq,
        "at": event.at.isoformat(),
        "type": event.type,
        "agent": event.agent,
        "data": data,
    }


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """What work comes to; nothing where its caller leaves before."""
    return await unless(_gone(receive), work, within=ENDING)


async def _gone(receive: Receive) -> None:
    """Returns when the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _parting(why: Parting) -> str:
    return _message(why, {})


def _message(kind: str, data: Mapping[str, Any], *, place: str = "") -> str:
    # In ASCII, so on one line: what is recorded may hold anything.
    said = json.dumps(data, separators=(",", ":"))
    return f"{f'id: {place}{chr(10)}' if place else ''}event: {kind}\ndata: {said}\n\n"
