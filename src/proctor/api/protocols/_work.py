"""A piece of a team's work as callers of other protocols see it: started, followed, read.

Knows no protocol. A *part* of a run goes from one place of its log to where the run ended or came to wait for
people; what is decided begins the next part.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from proctor.access import Principal
from proctor.api._caller import Trust
from proctor.api._platform import tenant_for, tenant_of
from proctor.api._streams import HEARTBEAT
from proctor.api.protocols._conversation import Task
from proctor.api.protocols._floor import Floor, Piece
from proctor.app import Proctor, StartOptions
from proctor.approvals import Approval
from proctor.core import Conflict, Event, Micros, ProctorError, Token
from proctor.runs import ENDED, STOPPED, Item, Once, Run

NEW_THREAD = "new"
"""In the place of a thread's id: one is opened."""


class StillAtWork(ProctorError):
    """The run takes longer than a request may."""

    code = "still_at_work"
    status = 504

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} is still at work", hint="It goes on: ask for it by its id.")
        self.run = run


class Closing(StillAtWork):
    """This process stops, and the run goes on in the next one."""

    code = "closing"
    status = 503


_SETTLED = frozenset({"approval.decided", "approval.expired"})
_CALLS = frozenset({"model.called", "tool.called"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the calls of a part of a run came to."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cost: Micros = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run from one place of its log on."""

    run: Run
    after: int
    state: Literal["queued", "running", "waiting", "completed", "failed", "cancelled", "refused"]
    """That of the part: it keeps waiting where the run has gone on since."""
    asked: tuple[Approval, ...]
    """What people are asked, where it waits."""
    spent: Spent
    began_at: datetime


async def start(
    proctor: Proctor,
    principal: Principal,
    *,
    team: str,
    task: Task,
    tenant: str = "",
    thread: str = "",
    subject: str = "",
    trace: str = "",
    sent: Once | None = None,
) -> Run:
    """A new run of the caller's; `thread` is the conversation that it belongs to, or `new`.

    Where the request was sent before, as `sent` tells, it is the run that was started then.

    Raises:
        Forbidden: the caller belongs to another tenant.
        NotFound: there is no such team, or the tenant has no such thread.
    """
    tenant = tenant_for(principal, tenant)
    options = StartOptions(
        tenant=tenant, requester=principal.name, subject=subject, trace=trace, parts=task.parts
    )
    if thread:
        if thread == NEW_THREAD:
            beside = None if sent is None else replace(sent, route=f"{sent.route}, its thread")
            thread = (await proctor.open_thread(team, tenant=tenant, once=beside)).id
        options["thread"] = thread
    if sent is not None:
        options["once"] = sent
    return await proctor.start(team, task.text, **options)


async def find(proctor: Proctor, principal: Principal, run_id: str) -> Run:
    """One run that the caller may see.

    Raises:
        NotFound: there is none.
    """
    return await proctor.runs.get(run_id, tenant=tenant_of(principal))


async def follow(
    proctor: Proctor, run: Run, trust: Trust, floor: Floor, *, after: int = 0
) -> AsyncGenerator[tuple[Piece, ...], None]:
    """What is said in a part of a run, as it comes, until the part has ended; nothing after some silence.

    Raises:
        StillAtWork: it takes longer than a request may, or this process stops.
        Unauthenticated: the caller's key or session holds no more.
    """
    async with aclosing(_items(proctor, run, trust, after)) as taken:
        async for items in taken:
            pieces = [piece for item in items if isinstance(item, Token) for piece in floor.hear(item)]
            if pieces or not items:
                yield tuple(pieces)


async def log(proctor: Proctor, run: Run, trust: Trust, *, after: int = 0) -> AsyncGenerator[Event, None]:
    """The events of a part of a run, as they come, until the part has ended.

    Raises:
        StillAtWork: it takes longer than a request may, or this process stops.
        Unauthenticated: the caller's key or session holds no more.
    """
    async with aclosing(_items(proctor, run, trust, after)) as taken:
        async for items in taken:
            for item in items:
                if isinstance(item, Event):
                    yield item


async def _items(proctor: Proctor, run: Run, trust: Trust, after: int) -> AsyncGenerator[list[Item], None]:
    loop = asyncio.get_running_loop()
    ends = loop.time() + proctor.settings.server.longest_wait.total_seconds()
    words = True
    while True:
        async with proctor.runs.feed.follow({run.id: after}, until=STOPPED) as follower:
            while not follower.slow:
                items = await follower.take(min(HEARTBEAT, ends - loop.time()))
                if follower.closed:
                    raise Closing(run)
                if loop.time() >= ends:
                    raise StillAtWork(run)
                await trust.renew()
                events = [item for item in items if isinstance(item, Event)]
                yield items if words else [*events]
                if follower.done or any(event.type == "run.waiting" for event in events):
                    return
                after = max([after, *(event.seq for event in events)])
        words = False  # more came at a time than is kept; what is missing comes with the answer


async def settle(proctor: Proctor, run: Run, trust: Trust, *, after: int = 0) -> Part:
    """A part of a run after it has ended, or come to wait for people.

    Raises:
        StillAtWork: it takes longer than a request may, or this process stops.
        Unauthenticated: the caller's key or session holds no more.
    """
    async for _ in log(proctor, run, trust, after=after):
        pass
    return await read(proctor, run.id, after=after)


async def read(proctor: Proctor, run_id: str, *, after: int = 0) -> Part:
    """A part of a run as it stands."""
    run = await proctor.runs.get(run_id)
    events = await proctor.runs.events(run_id)
    waits = next((event.seq for event in events if event.seq > after and event.type == "run.waiting"), None)
    told = events if waits is None else [event for event in events if event.seq < waits]
    state = run.state if waits is None else "waiting"
    return Part(
        run=run,
        after=after,
        state=state,
        asked=await _unsettled(proctor, told) if state == "waiting" else (),
        spent=_sum([event for event in told if event.seq > after and event.type in _CALLS]),
        began_at=max((event.at for event in events if event.seq <= after), default=run.created_at),
    )


async def decided(proctor: Proctor, run_id: str, after: int) -> tuple[Approval, ...]:
    """What people were asked before a part of a run began, and have decided."""
    events = [event for event in await proctor.runs.events(run_id) if event.seq <= after]
    return tuple(each for each in await _unsettled(proctor, events) if each.decision is not None)


async def _unsettled(proctor: Proctor, events: Sequence[Event]) -> tuple[Approval, ...]:
    """What people are asked at the end of a part of a log."""
    asked: dict[str, None] = {}
    for event in events:
        if event.type == "approval.requested":
            asked[str(event.data["id"])] = None
        elif event.type in _SETTLED:
            asked.pop(str(event.data["id"]), None)
    return tuple([await proctor.approval(id) for id in asked])


async def answer(proctor: Proctor, principal: Principal, run: Run) -> str:
    """What a run has answered: with what stands behind its tokens for whoever asked, and nobody else."""
    own = bool(principal.name) and principal.name == run.requester
    return (await proctor.answer(run) if own else run.result) or ""


async def latest(proctor: Proctor, run_id: str) -> int:
    """Where the last part of a run begins: at the last wait for people that is over."""
    begins = waits = 0
    for event in await proctor.runs.events(run_id):
        if event.type == "run.waiting":
            waits = event.seq
        elif waits and (event.type in _SETTLED or event.type.startswith("run.")):
            begins = waits
    return begins


async def end_of_log(proctor: Proctor, run_id: str) -> int:
    """The number of a run's last event."""
    return max((event.seq for event in await proctor.runs.events(run_id)), default=0)


async def cancel(proctor: Proctor, principal: Principal, run: Run) -> Run:
    """The run after it was asked to stop; one that has ended stays as it is."""
    if run.state in ENDED:
        return run
    try:
        return await proctor.runs.cancel(run.id, by=principal.name)
    except Conflict:
        return await proctor.runs.get(run.id)


def _sum(calls: Sequence[Event]) -> Spent:
    def total(name: str) -> int:
        return sum(int(str(call.data.get(name) or 0)) for call in calls)

    return Spent(
        input=total("input"), output=total("output"), cached=total("cached_input"), cost=total("cost")
    )


def seconds(at: datetime) -> int:
    """An instant as Unix time."""
    return int(at.astimezone(UTC).timestamp())
