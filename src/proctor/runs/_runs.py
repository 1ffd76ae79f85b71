"""Runs: started, executed in segments, waited for, resumed, cancelled, read back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from proctor import approvals
from proctor.core import (
    BusyThread,
    Clock,
    Conflict,
    DatabaseUnavailable,
    Event,
    InvalidInput,
    NotFound,
    ProctorError,
    RunError,
    StaleAttempt,
    TeamSettings,
    Token,
    Verdict,
    new_id,
)
from proctor.runs import _queue, _sql, _threads_sql
from proctor.runs._desk import Desk
from proctor.runs._failure import Left, after_failure, left
from proctor.runs._queue import Limits
from proctor.runs._segment import Past, Segment, TeamPlan
from proctor.runs._sql import EventDraft
from proctor.runs._values import FINAL, RecordedCall, Run, RunState, Share, check_tenant
from proctor.runs._watch import Watchers
from proctor.store import Database

T = TypeVar("T")

ENDED: frozenset[RunState] = FINAL | {"failed"}

SHOWN = 300
"""Characters of a database's complaint that a run keeps."""

LONGEST_REQUESTER = 200
HIGHEST_PRIORITY = 1000

log = logging.getLogger("proctor.runs")

LEAVING = 0.5
"""Seconds that a run which is cut off has to be queued again."""

ORPHANED = timedelta(minutes=1)

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
    segment: Callable[[Run], None]
    """Told of each run as a segment of it has left it."""
    simplifies: Callable[[str], bool]
    """Whether a run that starts now takes its team's simple form."""
    team: Callable[[str], TeamSettings]
    """The settings of a team, by its name."""
    roles: approvals.Roles
    """The members of each role that decides on approvals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that is ready to be stored, with its first events."""

    run: Run
    drafts: tuple[EventDraft, ...]
    busy_thread: BusyThread
    """What becomes of it where a run of its thread goes on."""

    def insert(self, connection: Connection) -> None:
        """Stores it.

        Raises:
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team, or (`ThreadBusy`) takes no message now.
        """
        _sql.insert_run(connection, self.run, self.drafts)
        if self.run.thread_id is not None:
            for run_id in _threads_sql.enter(connection, self.run, self.busy_thread):
                if not _stop(connection, run_id, self.run.created_at):
                    _sql.request_cancel(connection, run_id)


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
        self._linger = linger
        self._hooks = hooks
        self.desk = Desk(database, clock=clock, roles=hooks.roles)
        """What people decide on these runs."""
        self.share = share
        """Which runs this process executes."""
        self._limits = limits
        self.worker = worker
        """This process, as operators find it: host and process id."""
        self._segments: dict[str, Segment] = {}
        self._taken: dict[str, asyncio.Event] = {}
        """Runs that are this process's own, from before they are stored as running here until they are left;
        each with what is set when it must stop, also while its segment has not begun."""
        self._watchers = Watchers()

    def prepare(
        self,
        team: str,
        task: str,
        *,
        target: str = "",
        tenant: str = "default",
        requester: str = "",
        priority: int = 0,
        due_at: datetime | None = None,
        thread_id: str | None = None,
        schedule_id: str | None = None,
        executes: bool = False,
    ) -> Prepared:
        """A run with its first events, after the input policy was asked; nothing is stored yet.

        Raises:
            InvalidInput: the text can't be taken at all.
        """
        check_tenant(tenant)
        if not task.strip():
            raise InvalidInput("the text is empty", hint="Say what the team is to do.")
        if len(requester) > LONGEST_REQUESTER or not requester.isprintable():
            raise InvalidInput(f"a requester's name has at most {LONGEST_REQUESTER} printable characters")
        if abs(priority) > HIGHEST_PRIORITY:
            raise InvalidInput(f"a priority is between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}")
        if due_at is not None and due_at.utcoffset() is None:
            raise InvalidInput(
                "an instant without a time zone", hint="Add one: 2026-12-01T08:00+01:00, or `tzinfo=UTC`."
            )
        if due_at is not None and thread_id is not None:
            raise InvalidInput(
                "a message of a conversation has its turn when it comes, and can't be delayed",
                hint="Send it when it is due, or outside the conversation.",
            )
        verdict = self._hooks.screen(task)
        refused = verdict.outcome in ("deny", "escalate")
        at = self._clock.now()
        here = executes and not refused and thread_id is None
        simple = (due_at is None or due_at <= at) and not refused and self._hooks.simplifies(team)
        run = Run(
            id=new_id("run"),
            team=team,
            target=target,
            tenant=tenant,
            state="refused" if refused else "running" if here else "queued",
            attempt=1 if here else 0,
            task=task if verdict.outcome == "allow" else verdict.text or "[withheld]",
            result=verdict.reason if refused else None,
            error_code=None,
            error=None,
            cost=0,
            created_at=at,
            finished_at=at if refused else None,
            requester=requester,
            priority=priority,
            due_at=due_at,
            simple=simple,
            thread_id=thread_id,
            schedule_id=schedule_id,
            worker=self.worker if here else None,
        )
        drafts = [EventDraft(type="run.started", agent="", data={"team": team}, at=at)]
        if verdict.outcome != "allow":
            data = {"stage": "input", "outcome": verdict.outcome, "rules": list(verdict.rules)}
            drafts.append(EventDraft(type="policy.verdict", agent="", data=data, at=at))
        if refused:
            drafts.append(EventDraft(type="run.refused", agent="", data={"reason": verdict.reason}, at=at))
        if simple:
            drafts.append(EventDraft(type="run.simplified", agent="", data={}, at=at))
        busy_thread = self._hooks.team(team).busy_thread
        return Prepared(run=run, drafts=tuple(drafts), busy_thread=busy_thread)

    async def start(self, prepared: Prepared) -> Run:
        """A durable run: whatever happens to this process, it isn't lost.

        Where the input policy denies the task, the run is `refused` and tells why.

        Raises:
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team, or (`ThreadBusy`) takes no message now.
        """
        run = prepared.run
        if run.state == "running":
            self._taken[run.id] = asyncio.Event()
        try:
            await self._database.commit(prepared.insert)
        except BaseException:
            self._taken.pop(run.id, None)
            raise
        self.stored(run)
        if prepared.busy_thread == "interrupt" and run.thread_id is not None:
            await self.stop_cancelled()
        return run

    def letting_go(self, run_id: str) -> Callable[[object], None]:
        """To be called when the execution of a run that was just started has ended, if it ever began."""
        mark = self._taken.get(run_id)

        def let_go(_: object) -> None:
            if self._taken.get(run_id) is mark:
                self._taken.pop(run_id, None)

        return let_go

    def stored(self, run: Run) -> None:
        """Takes note of a new run that was stored in a transaction of the caller's."""
        if run.state == "refused":
            self._hooks.finished(run, 0.0)

    async def execute(self, run: Run | str) -> Run | None:
        """The run after its next segment; nothing where it isn't to be executed (any more).

        A run that was just started is given whole: it is this process's already and has no past.
        """
        if isinstance(run, Run):
            return await self._execute(run, Past())
        return await self._take(run, self._claim)

    async def take_over(self, run: Run | str) -> Run | None:
        """As `execute`, also where the run stands as running.

        Only for who knows that nobody executes it any more. Where that is wrong the other attempt is fenced.

        Raises:
            NotFound: this process doesn't execute runs of that application; another one may.
        """
        return await self._take(run if isinstance(run, str) else run.id, self._claim_lost)

    async def _take(
        self, run_id: str, claim: Callable[[Connection, str], tuple[Run, Past] | None]
    ) -> Run | None:
        if run_id in self._taken:
            return None
        self._taken[run_id] = asyncio.Event()
        try:
            claimed = await self._database.commit(lambda connection: claim(connection, run_id))
        except BaseException:
            self._taken.pop(run_id, None)
            raise
        if claimed is None:
            self._taken.pop(run_id, None)
            return None
        return await self._execute(*claimed)

    def _claim_lost(self, connection: Connection, run_id: str) -> tuple[Run, Past] | None:
        if not _queue.is_of(connection, self.share, run_id):
            raise NotFound(f"run {run_id} is of an application that this worker doesn't execute")
        if self._lose(run_id, connection):
            _queue.keep_turn(connection, run_id, self._clock.now())
        return self._claim(connection, run_id)

    def _claim(self, connection: Connection, run_id: str) -> tuple[Run, Past] | None:
        at = self._clock.now()
        if _sql.cancel_requested(connection, run_id):
            _stop(connection, run_id, at)
        run = _queue.claim(connection, run_id, at=at, worker=self.worker)
        return None if run is None else (run, Past.load(connection, run_id))

    def _retries(self, team: str) -> int:
        return self._hooks.team(team).retries

    async def _execute(self, run: Run, past: Past) -> Run | None:
        """The run as its segment leaves it; nothing where another attempt has taken it over."""
        stopping = self._taken.setdefault(run.id, asyncio.Event())
        try:
            ended = await self._attempt(run, past, stopping)
        except StaleAttempt:
            log.warning("attempt %s of %s was taken over by another worker", run.attempt, run.id)
            return None
        except asyncio.CancelledError:
            if stopping.is_set():
                await self._give_back(run)
            raise
        finally:
            self._taken.pop(run.id, None)
            self._segments.pop(run.id, None)
            self._watchers.wake(run.id)
        stop = partial(_sql.cancel_requested, run_id=run.id)
        if ended.state in ("waiting", "queued") and await self._database.read(stop):
            ended = await self.cancel(run.id)
        if ended.state in ENDED:
            self._hooks.finished(ended, (self._clock.now() - ended.created_at).total_seconds())
        self._hooks.segment(ended)
        return ended

    async def _give_back(self, run: Run) -> None:
        """Queues a run again whose execution is cut off in an orderly stop: that is no failed attempt."""
        end = left("queued", None, {}, at=self._clock.now(), handed_at=None, due_at=None)
        leaving = asyncio.ensure_future(self._leave(run, end))
        await asyncio.wait({leaving}, timeout=LEAVING)
        error = leaving.exception() if leaving.done() else None
        if error is not None and not isinstance(error, StaleAttempt):
            log.warning("%s can't be given back, and will be found lost: %s", run.id, error)

    async def _attempt(self, run: Run, past: Past, stopping: asyncio.Event) -> Run:
        try:
            # Takes as long as the team's tool servers take to start.
            plan = await _unless(stopping, self._hooks.plan(run))
            if plan is None:
                at = self._clock.now()
                return await self._leave(run, left("queued", None, {}, at=at, handed_at=None, due_at=None))
            segment = Segment(
                run,
                plan,
                past,
                database=self._database,
                clock=self._clock,
                linger=self._linger,
                listener=self._watchers.wake,
                on_token=self._watchers.publish,
            )
            self._segments[run.id] = segment
            if stopping.is_set():
                segment.suspend()
            return await segment.execute()
        except (StaleAttempt, DatabaseUnavailable):
            raise
        except ProctorError as error:
            return await self._break_off(run, error)
        except Exception as error:  # noqa: BLE001 - the worker loop: what can't be written ends this run, readably
            what = str(error).partition("\n")[0][:SHOWN]
            broke = RunError(f"the attempt broke: {type(error).__name__}: {what}")
            return await self._break_off(run, broke)

    async def _break_off(self, run: Run, error: ProctorError) -> Run:
        """The run after an attempt that came to nothing of its own."""
        team = self._hooks.team(run.team)
        end = after_failure(run, error, team, at=self._clock.now(), progressed=False)
        return await self._leave(run, end)

    async def _leave(self, run: Run, end: Left) -> Run:
        """The run after an attempt whose segment has not begun, or could not write its own end."""

        def write(connection: Connection) -> None:
            _sql.append(connection, run.id, run.attempt, end.drafts, **end.values)

        await self._database.commit(write)
        return end.apply(run)

    async def recover(self) -> None:
        """Queues again what a dead process left running, or was about to take up.

        Only for a process that alone has the right to execute runs, and doesn't use it yet.
        """
        await self.find_lost()
        await self._database.commit(lambda connection: _queue.take_back(connection, self.share))

    async def find_lost(self) -> None:
        """Queues again what nobody executes, though it stands as running.

        Only for a process that alone has the right to execute runs: whatever runs, and not here, is lost.
        """

        def look(connection: Connection) -> tuple[str, ...]:
            return _queue.unowned(connection, self.share, self._taken)

        for run_id in await self._database.read(look):
            if run_id not in self._taken:
                await self._database.commit(partial(self._lose, run_id))

    def _lose(self, run_id: str, connection: Connection) -> bool:
        return _queue.lose(connection, run_id, self._retries, at=self._clock.now())

    async def due(self, most: int) -> tuple[str, ...]:
        """Runs whose turn it is, the most urgent first; who else asks gets others for a while."""
        at = self._clock.now()
        if most < 1 or not await self._database.read(
            lambda connection: _queue.anything_due(connection, self.share, self._limits, at)
        ):
            return ()
        return await self._database.commit(
            lambda connection: _queue.hand_out(connection, self.share, self._limits, at=at, most=most)
        )

    async def orphans(self) -> tuple[str, ...]:
        """Runs that other processes have been executing for longer than a minute."""
        before = self._clock.now() - ORPHANED
        found = await self._database.read(
            lambda connection: _queue.running_since(connection, self.share, before)
        )
        return tuple(run_id for run_id in found if run_id not in self._segments)

    async def stop_cancelled(self) -> None:
        """Cancels the runs of this process that are asked to stop."""
        ids = tuple(self._taken)
        if not ids:
            return
        for run_id in await self._database.read(lambda connection: _sql.cancelling(connection, ids)):
            self._stop_here(run_id)

    def _stop_here(self, run_id: str) -> None:
        if run_id in self._taken:
            self._taken[run_id].set()
        if run_id in self._segments:
            self._segments[run_id].cancel()

    @property
    def executing(self) -> int:
        """Runs that this process executes at this moment."""
        return len(self._segments)

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
        self._stop_here(run_id)
        return run

    def suspend_all(self) -> None:
        """Lets every segment of this process end at its next call boundary; the runs are queued again."""
        for segment in self._segments.values():
            segment.suspend()
        for stopping in self._taken.values():
            stopping.set()

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
                if run.state in stops and run_id not in self._segments:
                    return
                if not woken:
                    async for token in watch.tokens(POLL):
                        yield token

    async def noticed(self, run_id: str) -> None:
        """Returns when this process sees something happen to the run, or when it is time to look at it."""
        with self._watchers.of(run_id) as watch:
            await watch.news(POLL)


async def _unless(event: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What the work comes to; nothing where the event is set before."""
    waits = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return await waits[0] if waits[0].done() else None
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _stop(connection: Connection, run_id: str, at: datetime) -> bool:
    """Whether the run is cancelled, which it is at once where nobody executes it."""
    if not _sql.move(
        connection, run_id, allowed=("queued", "waiting", "failed"), to="cancelled", finished_at=at
    ):
        return False
    approvals.cancel_pending(connection, run_id)
    _sql.append(connection, run_id, None, [EventDraft(type="run.cancelled", agent="", data={}, at=at)])
    return True
