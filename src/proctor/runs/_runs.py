"""Runs: started, executed in segments, waited for, resumed, cancelled, read back."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor.core import Clock, Conflict, Event, Token, Unavailable
from proctor.runs import _sql
from proctor.runs._desk import Desk
from proctor.runs._execution import Execution
from proctor.runs._feed import Feed
from proctor.runs._follower import RunEnd
from proctor.runs._once import Once, Repeated, made, noting
from proctor.runs._plan import Hooks
from proctor.runs._prepare import Intake, Prepared
from proctor.runs._queue import Limits
from proctor.runs._stop import note_by_hand
from proctor.runs._telling import spans_of, tell_end
from proctor.runs._values import ENDED, STOPPED, RecordedCall, Run, RunState, Share
from proctor.runs._watch import Watchers
from proctor.store import Database

POLL = 0.5
"""Seconds between looks at a run that another process executes."""


class Runs:
    """The runs of one database."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        linger: timedelta,
        hooks: Hooks,
        share: Share,
        limits: Limits,
        worker: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._hooks = hooks
        self._watchers = Watchers()
        self.feed = Feed(database, self._watchers, clock=clock)
        """The logs of these runs, for many who follow them."""
        self.intake = Intake(hooks, clock=clock, worker=worker)
        """Where tasks come in."""
        self.desk = Desk(database, clock=clock, roles=hooks.roles)
        """What people decide on these runs."""
        self.execution = Execution(
            database,
            clock=clock,
            linger=linger,
            hooks=hooks,
            share=share,
            limits=limits,
            worker=worker,
            watchers=self._watchers,
        )
        """What this process executes of them."""

    async def start(self, prepared: Prepared, *, once: Once | None = None) -> Run:
        """A durable run: whatever happens to this process, it isn't lost.

        Where the input policy denies the task, the run is `refused` and tells why. Where the same request was
        sent before, as `once` tells, it is the run that was started then.

        Raises:
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team, or (`ThreadBusy`) takes no message now.
            KeyReused: another request was sent with the same key.
        """
        run = prepared.run
        insert = noting(once, run.id, run.created_at, prepared.insert)
        # Whoever sends the key at the same time waits for this transaction: it stands alone.
        commit = self._database.commit if once is None else self._database.apart
        try:
            with self.execution.taking(run.id) if run.state == "running" else nullcontext():
                await commit(insert)
        except Repeated as again:
            return await self.get(again.thing)
        self.stored(run)
        if prepared.busy_thread == "interrupt" and run.thread_id is not None:
            await self.execution.stop_cancelled()
        return run

    def stored(self, run: Run) -> None:
        """Takes note of a new run that was stored in a transaction of the caller's."""
        if run.state == "refused":
            tell_end(self._hooks, run, spans_of(self._hooks, run, failed=False))

    async def started(self, once: Once) -> Run | None:
        """The run that an earlier sending of a request has started.

        Raises:
            KeyReused: another request was sent with the same key.
        """

        def query(connection: Connection) -> Run | None:
            run_id = made(connection, once, self._clock.now())
            return None if run_id is None else _sql.get_run(connection, run_id)

        return await self._database.read(query)

    async def resume(self, run_id: str, *, by: str = "", tenant: str | None = None) -> Run:
        """A failed run, queued again: it goes on where it stood.

        Raises:
            NotFound: there is no such run.
            Conflict: the run is in no state from which it could be resumed.
        """

        def requeue(connection: Connection) -> Run:
            run = _sql.get_run(connection, run_id, tenant=tenant)
            if run.state in ("queued", "running"):
                return run
            values = {
                "error": None,
                "error_code": None,
                "finished_at": None,
                "cancel_requested": False,
                "due_at": None,
                "handed_at": None,
                "failures": 0,
            }
            if not _sql.move(connection, run_id, allowed=("failed",), to="queued", **values):
                hint = (
                    "`proctor approvals list` shows what it waits for; `proctor serve` lets questions expire."
                    if run.state == "waiting"
                    else ""
                )
                raise Conflict(f"run {run_id} is {run.state}: there is nothing to resume", hint=hint)
            note_by_hand(connection, run, "run.resumed", by=by, at=self._clock.now())
            return _sql.get_run(connection, run_id)

        return await self._database.commit(requeue)

    async def wake(self, ids: Collection[str]) -> int:
        """How many of the runs were resting, and are due now."""
        return len(await self._database.commit(lambda connection: _sql.wake(connection, ids)))

    async def cancel(self, run_id: str, *, by: str = "", tenant: str | None = None) -> Run:
        """The run after it was asked to stop: at once where nobody executes it, else as soon as it is seen.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has ended.
        """
        return await self.execution.cancel(run_id, by=by, tenant=tenant)

    async def get(self, run_id: str, *, tenant: str | None = None) -> Run:
        """One run; with `tenant` only where it is that tenant's.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(lambda connection: _sql.get_run(connection, run_id, tenant=tenant))

    async def page(
        self,
        *,
        state: RunState | None = None,
        team: str | None = None,
        tenant: str | None = None,
        since: datetime | None = None,
        before: str = "",
        limit: int = 50,
    ) -> tuple[Run, ...]:
        """A page of runs, newest first."""

        def query(connection: Connection) -> tuple[Run, ...]:
            return _sql.page_runs(
                connection, state=state, team=team, tenant=tenant, since=since, before=before, limit=limit
            )

        return await self._database.read(query)

    async def events(self, run_id: str, *, after: int = 0) -> tuple[Event, ...]:
        """A run's log from behind a number."""
        return await self._database.read(lambda connection: _sql.run_events(connection, run_id, after=after))

    async def log(self, run_id: str, *, tenant: str | None, after: int, limit: int) -> tuple[Event, ...]:
        """A page of a run's log from behind a number; with `tenant` only where the run is that tenant's.

        Raises:
            NotFound: there is no such run.
        """

        def query(connection: Connection) -> tuple[Event, ...]:
            _sql.get_run(connection, run_id, tenant=tenant)
            return _sql.run_events(connection, run_id, after=after, limit=limit)

        return await self._database.read(query)

    async def calls(self, run_id: str, *, tenant: str | None = None) -> tuple[RecordedCall, ...]:
        """A run's recorded calls, in the order in which they finished.

        Raises:
            NotFound: with `tenant`, that it has no such run.
        """

        def query(connection: Connection) -> tuple[RecordedCall, ...]:
            if tenant is not None:
                _sql.get_run(connection, run_id, tenant=tenant)
            return _sql.recorded_calls(connection, run_id)

        return await self._database.read(query)

    async def watch(
        self, run_id: str, *, after: int = 0, until_wait: bool = False
    ) -> AsyncIterator[Event | Token]:
        """A run's events from behind a number as they come, and tokens while this process executes it.

        Ends with the run, or with `until_wait` also where it waits for a person. Who lets a thousand tokens
        wait misses some, and no event.

        Raises:
            NotFound: there is no such run.
            Unavailable: the database is away, or this process stops.
        """
        await self.get(run_id)
        until = STOPPED if until_wait else ENDED
        while True:
            ended = False
            async with self.feed.follow({run_id: after}, until=until) as follower:
                while items := await follower.take():
                    for item in items:
                        if isinstance(item, RunEnd):
                            ended = True
                        else:
                            after = item.seq if isinstance(item, Event) else after
                            yield item
            if ended and run_id not in self.execution:
                return
            if follower.closed:
                raise Unavailable("this process stops, and follows runs no more")
            if ended:
                await self.noticed(run_id)

    async def noticed(self, run_id: str) -> None:
        """Returns when this process sees something happen to the run, or when it is time to look at it."""
        noticed = asyncio.Event()
        with self._watchers.telling(run_id, lambda _: noticed.set()), suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await noticed.wait()
