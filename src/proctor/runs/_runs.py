"""Runs: started, executed in segments, waited for, resumed, cancelled, read back."""

from collections.abc import AsyncIterator, Collection
from contextlib import nullcontext
from datetime import timedelta

from sqlalchemy import Connection

from proctor.core import Clock, Conflict, Event, Token
from proctor.runs import _sql
from proctor.runs._desk import Desk
from proctor.runs._execution import Execution
from proctor.runs._plan import Hooks
from proctor.runs._prepare import Intake, Prepared
from proctor.runs._queue import Limits
from proctor.runs._values import ENDED, RecordedCall, Run, RunState, Share
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
        self._hooks = hooks
        self._watchers = Watchers()
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

    async def start(self, prepared: Prepared) -> Run:
        """A durable run: whatever happens to this process, it isn't lost.

        Where the input policy denies the task, the run is `refused` and tells why.

        Raises:
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team, or (`ThreadBusy`) takes no message now.
        """
        run = prepared.run
        with self.execution.taking(run.id) if run.state == "running" else nullcontext():
            await self._database.commit(prepared.insert)
        self.stored(run)
        if prepared.busy_thread == "interrupt" and run.thread_id is not None:
            await self.execution.stop_cancelled()
        return run

    def stored(self, run: Run) -> None:
        """Takes note of a new run that was stored in a transaction of the caller's."""
        if run.state == "refused":
            self._hooks.finished(run, 0.0)

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
            return _sql.get_run(connection, run_id)

        return await self._database.commit(requeue)

    async def wake(self, ids: Collection[str]) -> int:
        """How many of the runs were resting, and are due now."""
        return len(await self._database.commit(lambda connection: _sql.wake(connection, ids)))

    async def cancel(self, run_id: str) -> Run:
        """The run after it was asked to stop: at once where nobody executes it, else as soon as it is seen.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has ended.
        """
        return await self.execution.cancel(run_id)

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
        stops = ENDED | {"waiting"} if until_wait else ENDED
        with self._watchers.of(run_id) as watch:
            while True:
                run = await self.get(run_id)
                log = await self.events(run_id, after=after)
                earlier, woken = watch.take()
                for token in earlier:
                    yield token
                for event in log:
                    after = event.seq
                    yield event
                if run.state in stops and run_id not in self.execution:
                    return
                if not woken:
                    async for token in watch.tokens(POLL):
                        yield token

    async def noticed(self, run_id: str) -> None:
        """Returns when this process sees something happen to the run, or when it is time to look at it."""
        with self._watchers.of(run_id) as watch:
            await watch.news(POLL)
