"""A piece of a team's work as callers of other protocols see it: started, followed, read, decided.

Knows no protocol. A *part* of a run goes from one place of its log to where the run ended or came to wait for
people; what is decided begins the next part.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, cast

from proctor.access import Principal
from proctor.api._approvals import text_for
from proctor.api._platform import tenant_of
from proctor.api.protocols._floor import Floor, Piece
from proctor.app import Proctor, StartOptions
from proctor.approvals import Approval
from proctor.core import (
    Conflict,
    Decision,
    DecisionKind,
    Event,
    Forbidden,
    InvalidInput,
    Micros,
    NotFound,
    ProctorError,
    Token,
    canonical_json,
)
from proctor.runs import ENDED, Once, Run

NEW_THREAD = "new"
"""In the place of a thread's id: one is opened."""

SHOWN = 16
"""Characters of an action's digest that stand in a question's id."""

DECISIONS: Mapping[str, DecisionKind] = {"approve": "approve", "reject": "reject", "respond": "respond"}
"""What can be said of a question through another protocol."""


class StillAtWork(ProctorError):
    """The run takes longer than a request may."""

    code = "still_at_work"
    status = 504

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} is still at work", hint="It goes on: ask for it by its id.")
        self.run = run


_SETTLED = frozenset({"approval.decided", "approval.expired"})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as one caller may read it."""

    id: str
    """With a part of the action's digest: a decision holds for what was shown."""
    kind: str
    server: str
    name: str
    text: str
    arguments: str
    """JSON; without content for whoever doesn't decide: it may be what nobody has looked at yet."""
    expires_at: datetime | None


async def start(
    proctor: Proctor,
    principal: Principal,
    *,
    team: str,
    task: str,
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
    tenant = tenant_of(principal, tenant) or "default"
    options = StartOptions(tenant=tenant, requester=principal.name, subject=subject, trace=trace)
    if thread:
        if thread == NEW_THREAD:
            beside = None if sent is None else replace(sent, route=f"{sent.route}, its thread")
            thread = (await proctor.open_thread(team, tenant=tenant, once=beside)).id
        options["thread"] = thread
    if sent is not None:
        options["once"] = sent
    return await proctor.start(team, task, **options)


async def find(proctor: Proctor, principal: Principal, run_id: str) -> Run:
    """One run that the caller may see.

    Raises:
        NotFound: there is none.
    """
    return await proctor.runs.get(run_id, tenant=tenant_of(principal))


async def follow(proctor: Proctor, run: Run, floor: Floor, *, after: int = 0) -> AsyncGenerator[Piece, None]:
    """What is said in a part of a run, as it comes, until the part has ended.

    Raises:
        StillAtWork: it takes longer than a request may.
    """
    async with aclosing(_items(proctor, run, after)) as items:
        async for item in items:
            for piece in floor.hear(item):
                yield piece


async def log(proctor: Proctor, run: Run, *, after: int = 0) -> AsyncGenerator[Event, None]:
    """The events of a part of a run, as they come, until the part has ended.

    Raises:
        StillAtWork: it takes longer than a request may.
    """
    async with aclosing(_items(proctor, run, after)) as items:
        async for item in items:
            if isinstance(item, Event):
                yield item


async def _items(proctor: Proctor, run: Run, after: int) -> AsyncGenerator[Event | Token, None]:
    ends = asyncio.get_running_loop().time() + proctor.settings.server.longest_wait.total_seconds()
    watch = proctor.runs.watch(run.id, after=after, until_wait=True)
    async with aclosing(cast("AsyncGenerator[Event | Token, None]", watch)) as items:
        while True:
            try:
                async with asyncio.timeout_at(ends) as timer:
                    item = await anext(items, None)
            except TimeoutError:
                if not timer.expired():
                    raise
                raise StillAtWork(run) from None
            if item is None:
                return
            yield item
            if isinstance(item, Event) and item.type == "run.waiting":
                return


async def settle(proctor: Proctor, run: Run, *, after: int = 0) -> Part:
    """A part of a run after it has ended, or come to wait for people.

    Raises:
        StillAtWork: it takes longer than a request may.
    """
    async for _ in follow(proctor, run, Floor(), after=after):
        pass
    return await read(proctor, run.id, after=after)


async def read(proctor: Proctor, run_id: str, *, after: int = 0) -> Part:
    """A part of a run as it stands."""
    run = await proctor.runs.get(run_id)
    asked: dict[str, None] = {}
    calls: list[Event] = []
    state, began_at = run.state, run.created_at
    for event in await proctor.runs.events(run_id):
        if event.seq <= after:
            began_at = event.at
        if event.type == "approval.requested":
            asked[str(event.data["id"])] = None
        elif event.type in _SETTLED:
            asked.pop(str(event.data["id"]), None)
        elif event.seq > after and event.type in ("model.called", "tool.called"):
            calls.append(event)
        elif event.seq > after and event.type == "run.waiting":
            state = "waiting"
            break
    return Part(
        run=run,
        after=after,
        state=state,
        asked=tuple([await proctor.approval(id) for id in asked]) if state == "waiting" else (),
        spent=_sum(calls),
        began_at=began_at,
    )


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


def questions(part: Part, principal: Principal) -> tuple[Asked, ...]:
    """What people are asked in a part of a run."""
    return tuple(_asked(approval, principal) for approval in part.asked)


def _asked(approval: Approval, principal: Principal) -> Asked:
    question, action = approval.question, approval.action
    decides = principal.may("approver")
    name = str(action.get("tool") or question.kind)
    return Asked(
        id=f"{approval.id}.{approval.digest[:SHOWN]}",
        kind=question.kind,
        server=str(action.get("server") or "proctor"),
        name=name,
        text=text_for(approval, principal),
        arguments=canonical_json(action.get("arguments") or {}) if decides else "{}",
        expires_at=approval.expires_at,
    )


async def decide(
    proctor: Proctor,
    principal: Principal,
    run: Run,
    shown: str,
    *,
    kind: DecisionKind,
    comment: str = "",
) -> Approval:
    """A question of a run after the caller's decision; `shown` is its id as `questions` gave it.

    Raises:
        Forbidden: the caller doesn't decide.
        NotFound: the run has no such question.
        Conflict: it is decided, or about another action by now.
    """
    if not principal.may("approver"):
        raise Forbidden("this takes the role approver", hint="An admin gives roles.")
    id, _, digest = shown.partition(".")
    if len(digest) != SHOWN:
        raise InvalidInput("a question is named by its whole id", hint="Give it as it was shown.")
    approval = await proctor.approval(id, tenant=tenant_of(principal))
    if approval.run_id != run.id:
        raise NotFound(f"run {run.id} has no question {id}")
    if not approval.digest.startswith(digest):
        raise Conflict(f"the action of {id} was changed since it was shown", hint="Look at it again.")
    decision = Decision(kind=kind, comment=comment, by=principal.name, digest=approval.digest)
    return await proctor.decide(id, decision)


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
