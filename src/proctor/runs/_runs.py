"""Runs: started, executed in segments, waited for, resumed, cancelled, read back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from proctor import approvals
from proctor.core import (
    Clock,
    Conflict,
    Decision,
    Event,
    InvalidInput,
    ProctorError,
    RunError,
    StaleAttempt,
    Token,
    Verdict,
    new_id,
)
from proctor.runs import _sql
from proctor.runs._segment import Past, Segment, TeamPlan
from proctor.runs._sql import EventDraft
from proctor.runs._values import FINAL, RecordedCall, Run, RunState
from proctor.store import Database

ENDED: frozenset[RunState] = FINAL | {"failed"}

SHOWN = 300
"""Characters of a database's complaint that a run keeps."""

LONGEST_TENANT = 64

POLL = 0.5
"""Seconds between looks at a run that another process executes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the wiring puts into runs."""

    plan: Callable[[Run], Awaitable[TeamPlan]]
    """The team of a run.

    Raises:
        NotFound: this process doesn't know the team.
    """
    screen: Callable[[str], Verdict]
    """What the input policy says about a task."""
    finished: Callable[[Run, float], None]
    """Told of each run that ended, with the seconds since it was started."""


class Runs:
    """The runs of one database."""

    def __init__(self, database: Database, *, clock: Clock, linger: timedelta, hooks: Hooks) -> None:
        self._database = database
        self._clock = clock
        self._linger = linger
        self._hooks = hooks
        self._segments: dict[str, Segment] = {}
        self._watchers: dict[str, list[asyncio.Queue[Token | None]]] = {}

    async def start(
        self, team: str, task: str, *, target: str = "", tenant: str = "default", executes: bool
    ) -> Run:
        """A durable run: whatever happens to this process, it isn't lost.

        Where the input policy denies the task, the run is `refused` and tells why. With `executes` this
        process takes it up at once; otherwise it is queued.

        Raises:
            InvalidInput: the text can't be taken at all.
        """
        if len(tenant) > LONGEST_TENANT or not tenant.isprintable():
            raise InvalidInput(f"a tenant's name has at most {LONGEST_TENANT} printable characters")
        verdict = self._hooks.screen(task)
        refused = verdict.outcome in ("deny", "escalate")
        at = self._clock.now()
        run = Run(
            id=new_id("run"),
            team=team,
            target=target,
            tenant=tenant,
            state="refused" if refused else "running" if executes else "queued",
            attempt=0 if refused or not executes else 1,
            task=task if verdict.outcome == "allow" else verdict.text or "[withheld]",
            result=verdict.reason if refused else None,
            error_code=None,
            error=None,
            cost=0,
            created_at=at,
            finished_at=at if refused else None,
        )
        drafts = [EventDraft(type="run.started", agent="", data={"team": team}, at=at)]
        if verdict.outcome != "allow":
            data = {"stage": "input", "outcome": verdict.outcome, "rules": list(verdict.rules)}
            drafts.append(EventDraft(type="policy.verdict", agent="", data=data, at=at))
        if refused:
            drafts.append(EventDraft(type="run.refused", agent="", data={"reason": verdict.reason}, at=at))

        def insert(connection: Connection) -> None:
            _sql.insert_run(connection, run, drafts)

        await self._database.commit(insert)
        if refused:
            self._hooks.finished(run, 0.0)
        return run

    async def execute(self, run: Run | str) -> Run | None:
        """The run after its next segment; nothing where it is not queued (any more).

        A run that was just started is given whole: it is this process's already and has no past.
        """
        if isinstance(run, Run):
            return await self._execute(run, Past())
        at = self._clock.now()
        claimed = await self._database.commit(lambda connection: _claim(connection, run, at))
        if claimed is None:
            return None
        return await self._execute(*claimed)

    async def _execute(self, run: Run, past: Past) -> Run:
        try:
            plan = await self._hooks.plan(run)
        except ProctorError as error:
            return await self._fail(run, error)
        segment = Segment(
            run,
            plan,
            past,
            database=self._database,
            clock=self._clock,
            linger=self._linger,
            listener=self._wake,
            on_token=self._publish,
        )
        self._segments[run.id] = segment
        try:
            run = await segment.execute()
        except StaleAttempt:
            raise
        except Exception as error:  # noqa: BLE001 - the worker loop: what can't be written ends this run, readably
            what = str(error).partition("\n")[0][:SHOWN]
            return await self._fail(run, RunError(f"the attempt broke: {type(error).__name__}: {what}"))
        finally:
            del self._segments[run.id]
            self._wake(run.id)
        stop = partial(_sql.cancel_requested, run_id=run.id)
        if run.state == "waiting" and await self._database.read(stop):
            run = await self.cancel(run.id)
        if run.state in ENDED:
            self._hooks.finished(run, (self._clock.now() - run.created_at).total_seconds())
        return run

    async def _fail(self, run: Run, error: ProctorError) -> Run:
        at = self._clock.now()
        draft = EventDraft(
            type="run.failed", agent="", data={"code": error.code, "message": str(error)}, at=at
        )
        failed = replace(run, state="failed", error_code=error.code, error=str(error), finished_at=at)

        def end(connection: Connection) -> None:
            values: dict[str, Any] = {
                "state": "failed",
                "error_code": error.code,
                "error": str(error),
                "finished_at": at,
            }
            _sql.append(connection, run.id, run.attempt, [draft], **values)

        await self._database.commit(end)
        self._hooks.finished(failed, (at - run.created_at).total_seconds())
        self._wake(run.id)
        return failed

    async def recover(self, teams: Collection[str] | None = None) -> tuple[str, ...]:
        """Ids of queued runs, oldest first, after those that a dead process left running were queued again.

        With `teams` given, only of these; other applications take up their own.

        Only for a process that has the right to execute runs.
        """

        def take_up(connection: Connection) -> tuple[str, ...]:
            for run_id in _sql.runs_in(connection, "running", teams):
                if run_id not in self._segments:
                    _sql.move(connection, run_id, allowed=("running",), to="queued")
            return _sql.runs_in(connection, "queued", teams)

        return await self._database.commit(take_up)

    async def queued(self, teams: Collection[str] | None = None) -> tuple[str, ...]:
        """Ids of queued runs, oldest first; runs that are asked to stop are stopped on the way."""

        def look(connection: Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
            return _sql.runs_in(connection, "queued", teams), _sql.cancelling(connection)

        due, cancelling = await self._database.read(look)
        for run_id in cancelling:
            if run_id in self._segments:
                self._segments[run_id].cancel()
        return due

    async def resume(self, run_id: str) -> Run:
        """A failed run, queued again: it goes on where it stood.

        Raises:
            NotFound: there is no such run.
            Conflict: the run is in no state from which it could be resumed.
        """

        def requeue(connection: Connection) -> Run:
            run = _sql.get_run(connection, run_id)
            if run.state in ("queued", "running"):
                return run
            values = {"error": None, "error_code": None, "finished_at": None, "cancel_requested": False}
            if not _sql.move(connection, run_id, allowed=("failed",), to="queued", **values):
                hint = "`proctor approvals list` shows what it waits for." if run.state == "waiting" else ""
                raise Conflict(f"run {run_id} is {run.state}: there is nothing to resume", hint=hint)
            return _sql.get_run(connection, run_id)

        return await self._database.commit(requeue)

    async def cancel(self, run_id: str) -> Run:
        """The run after it was asked to stop: at once where nobody executes it, else as soon as it is seen.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has ended.
        """

        def stop(connection: Connection) -> Run:
            run = _sql.get_run(connection, run_id)
            if run.state in FINAL:
                raise Conflict(f"run {run_id} is {run.state} already")
            if not _stop(connection, run_id, self._clock.now()):
                _sql.request_cancel(connection, run_id)
            return _sql.get_run(connection, run_id)

        run = await self._database.commit(stop)
        if run_id in self._segments:
            self._segments[run_id].cancel()
        return run

    def suspend_all(self) -> None:
        """Lets every segment of this process end at its next call boundary; the runs are queued again."""
        for segment in self._segments.values():
            segment.suspend()

    async def decide(self, approval_id: str, decision: Decision) -> approvals.Approval:
        """The decided approval; its run is queued again.

        Raises:
            NotFound: there is no such approval.
            Conflict: it is decided already.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> approvals.Approval:
            approval = approvals.decide(connection, id=approval_id, decision=decision, at=at)
            data = {
                "id": approval.id,
                "decision": decision.kind,
                "by": decision.by,
                "comment": decision.comment,
            }
            draft = EventDraft(type="approval.decided", agent=approval.agent, data=data, at=at)
            _sql.append(connection, approval.run_id, None, [draft])
            _sql.move(connection, approval.run_id, allowed=("waiting",), to="queued")
            return approval

        return await self._database.commit(apply)

    async def get(self, run_id: str) -> Run:
        """One run.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(lambda connection: _sql.get_run(connection, run_id))

    async def page(
        self, *, state: RunState | None = None, team: str | None = None, before: str = "", limit: int = 50
    ) -> tuple[Run, ...]:
        """A page of runs, newest first."""
        return await self._database.read(
            lambda connection: _sql.page_runs(connection, state=state, team=team, before=before, limit=limit)
        )

    async def events(self, run_id: str, *, after: int = 0) -> tuple[Event, ...]:
        """A run's log from behind a number."""
        return await self._database.read(lambda connection: _sql.run_events(connection, run_id, after=after))

    async def calls(self, run_id: str) -> tuple[RecordedCall, ...]:
        """A run's recorded calls, in the order in which they finished."""
        return await self._database.read(lambda connection: _sql.recorded_calls(connection, run_id))

    async def watch(
        self, run_id: str, *, after: int = 0, until_wait: bool = False
    ) -> AsyncIterator[Event | Token]:
        """A run's events from behind a number as they come, and tokens while this process executes it.

        Ends with the run, or with `until_wait` also where it waits for a person.
        """
        queue: asyncio.Queue[Token | None] = asyncio.Queue()
        self._watchers.setdefault(run_id, []).append(queue)
        stops = ENDED | {"waiting"} if until_wait else ENDED
        try:
            while True:
                run = await self.get(run_id)
                log = await self.events(run_id, after=after)
                earlier, woken = _take(queue)
                for token in earlier:
                    yield token
                for event in log:
                    after = event.seq
                    yield event
                if run.state in stops and run_id not in self._segments:
                    return
                if not woken:
                    async for token in _drain(queue):
                        yield token
        finally:
            self._watchers[run_id].remove(queue)
            if not self._watchers[run_id]:
                del self._watchers[run_id]

    def _wake(self, run_id: str) -> None:
        for queue in self._watchers.get(run_id, ()):
            queue.put_nowait(None)

    def _publish(self, token: Token) -> None:
        for queue in self._watchers.get(token.run_id, ()):
            queue.put_nowait(token)


def _take(queue: "asyncio.Queue[Token | None]") -> tuple[list[Token], bool]:
    """The tokens that came before the events just read, and whether something else has happened since."""
    taken = [queue.get_nowait() for _ in range(queue.qsize())]
    return [item for item in taken if item is not None], None in taken


async def _drain(queue: "asyncio.Queue[Token | None]") -> AsyncIterator[Token]:
    """Tokens until something else happened, or until it is time to look again."""
    while True:
        try:
            async with asyncio.timeout(POLL):
                item = await queue.get()
        except TimeoutError:
            return
        if item is None:
            return
        yield item


def _stop(connection: Connection, run_id: str, at: datetime) -> bool:
    """Whether the run is cancelled, which it is at once where nobody executes it."""
    if not _sql.move(
        connection, run_id, allowed=("queued", "waiting", "failed"), to="cancelled", finished_at=at
    ):
        return False
    approvals.cancel_pending(connection, run_id)
    _sql.append(connection, run_id, None, [EventDraft(type="run.cancelled", agent="", data={}, at=at)])
    return True


def _claim(connection: Connection, run_id: str, at: datetime) -> tuple[Run, Past] | None:
    if _sql.cancel_requested(connection, run_id):
        _stop(connection, run_id, at)
    run = _sql.claim(connection, run_id)
    return None if run is None else (run, Past.load(connection, run_id))
