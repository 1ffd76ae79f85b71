"""The runs that this process executes: found, taken up, executed in segments, given back."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from proctor.core import Clock, DatabaseUnavailable, NotFound, ProctorError, RunError, StaleAttempt, unless
from proctor.runs import _queue, _sql
from proctor.runs._failure import Left, after_failure, left
from proctor.runs._past import Past
from proctor.runs._plan import Hooks
from proctor.runs._queue import Limits
from proctor.runs._segment import Segment
from proctor.runs._stop import ask_to_stop, not_ended, stop
from proctor.runs._telling import spans_of, tell_end
from proctor.runs._values import ENDED, Run, Share
from proctor.runs._watch import Watchers
from proctor.store import Database
from proctor.telemetry import RunSpans, here

SHOWN = 300
"""Characters of a database's complaint that a run keeps."""

PLANNING_ENDS = 1.0
"""Seconds that what a run needs has to be given up, where the run must stop before it has begun."""

LEAVING = 0.5
"""Seconds that a run which is cut off has to be queued again."""

ORPHANED = timedelta(minutes=1)

log = logging.getLogger("proctor.runs")


class Execution:
    """What this process executes: at each moment these runs, each once."""

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
        watchers: Watchers,
    ) -> None:
        self._database = database
        self._clock = clock
        self._linger = linger
        self._hooks = hooks
        self.share = share
        """Which runs this process executes."""
        self._limits = limits
        self.worker = worker
        """This process, as operators find it: host and process id."""
        self._watchers = watchers
        self._segments: dict[str, Segment] = {}
        self._taken: dict[str, asyncio.Future[None]] = {}
        """Runs that are this process's own, from before they are stored as running here until they are left;
        each with what is done when it must stop, also while its segment has not begun."""

    def __len__(self) -> int:
        return len(self._segments)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._segments

    @contextmanager
    def taking(self, run_id: str) -> Iterator[None]:
        """Keeps a run that is being stored as running here for this process, unless that fails."""
        self._taken[run_id] = asyncio.get_running_loop().create_future()
        with ExitStack() as undo:
            undo.callback(self._taken.pop, run_id, None)
            yield
            undo.pop_all()

    def letting_go(self, run_id: str) -> Callable[[object], None]:
        """To be called when the execution of a run that was just started has ended, if it ever began."""
        mark = self._taken.get(run_id)

        def let_go(_: object) -> None:
            if self._taken.get(run_id) is mark:
                self._taken.pop(run_id, None)

        return let_go

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
        self, run_id: str, claim: Callable[[Connection, str], tuple[Run, Past | None] | None]
    ) -> Run | None:
        if run_id in self._taken:
            return None
        with self.taking(run_id):
            claimed = await self._database.commit(lambda connection: claim(connection, run_id))
        run, past = claimed or (None, None)
        if run is not None and past is not None:
            return await self._execute(run, past)
        self._taken.pop(run_id, None)
        if run is not None:
            await self._tell(run)
        return None

    def _claim_lost(self, connection: Connection, run_id: str) -> tuple[Run, Past | None] | None:
        if not _queue.is_of(connection, self.share, run_id):
            raise NotFound(f"run {run_id} is of an application that this worker doesn't execute")
        lost = self._lose(run_id, connection)
        if lost is not None and lost.state in ENDED:
            return lost, None
        if lost is not None:
            _queue.keep_turn(connection, run_id, self._clock.now())
        return self._claim(connection, run_id)

    def _claim(self, connection: Connection, run_id: str) -> tuple[Run, Past | None] | None:
        """The run, to be executed, and its past; without one where it was asked to stop, and is cancelled."""
        at = self._clock.now()
        if _sql.cancel_requested(connection, run_id) and stop(connection, run_id, at):
            return _sql.get_run(connection, run_id), None
        run = _queue.claim(connection, run_id, at=at, worker=self.worker)
        return None if run is None else (run, Past.load(connection, run_id))

    def _retries(self, team: str) -> int:
        return self._hooks.team(team).retries

    async def _execute(self, run: Run, past: Past) -> Run | None:
        """The run as its segment leaves it; nothing where another attempt has taken it over."""
        spans = spans_of(self._hooks, run, failed=past.failed)
        outside = here.set(spans.here())
        try:
            return await self._execute_told(run, past, spans)
        finally:
            here.reset(outside)

    async def _execute_told(self, run: Run, past: Past, spans: RunSpans) -> Run | None:
        stopping = self._taken.setdefault(run.id, asyncio.get_running_loop().create_future())
        try:
            ended = await self._attempt(run, past, stopping, spans)
        except StaleAttempt:
            log.warning("attempt %s of %s was taken over by another worker", run.attempt, run.id)
            return None
        except asyncio.CancelledError:
            if stopping.done():
                await self._give_back(run)
            raise
        finally:
            self._taken.pop(run.id, None)
            self._segments.pop(run.id, None)
            self._watchers.wake(run.id)
        asked = partial(_sql.cancel_requested, run_id=run.id)
        if ended.state in ("waiting", "queued") and await self._database.read(asked):
            ended = await self.cancel(run.id)
        elif ended.state in ENDED:
            tell_end(self._hooks, ended, spans)
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

    async def _attempt(self, run: Run, past: Past, stopping: "asyncio.Future[None]", spans: RunSpans) -> Run:
        try:
            # Takes as long as the team's tool servers take to start.
            plan = await unless(stopping, self._hooks.plan(run), within=PLANNING_ENDS)
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
                spans=spans,
            )
            self._segments[run.id] = segment
            if stopping.done():
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
                lost = await self._database.commit(partial(self._lose, run_id))
                if lost is not None and lost.state in ENDED:
                    await self._tell(lost)

    def _lose(self, run_id: str, connection: Connection) -> Run | None:
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
            _stop(self._taken[run_id])
        if run_id in self._segments:
            self._segments[run_id].cancel()

    def suspend_all(self) -> None:
        """Lets every segment of this process end at its next call boundary; the runs are queued again."""
        for segment in self._segments.values():
            segment.suspend()
        for stopping in self._taken.values():
            _stop(stopping)

    async def cancel(self, run_id: str, *, by: str = "", tenant: str | None = None) -> Run:
        """The run after it was asked to stop: at once where nobody executes it, else as soon as it is seen.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has ended.
        """
        # A commit that fails has others' commits done again.
        await self._database.read(lambda connection: not_ended(connection, run_id, tenant=tenant))
        run = await self._database.commit(
            lambda connection: ask_to_stop(connection, run_id, self._clock.now(), by=by, tenant=tenant)
        )
        self._stop_here(run_id)
        if run.state == "cancelled":  # nobody executes it, who could tell of it
            await self._tell(run)
        return run

    async def _tell(self, run: Run) -> None:
        """Tells of a run that has ended while nobody executed it; of one that had failed then was told."""
        if run.state == "cancelled" and run.error_code is not None:
            return
        before = await self._database.read(lambda connection: _sql.failures(connection, run.id))
        failed = before > (run.state == "failed")
        tell_end(self._hooks, run, spans_of(self._hooks, run, failed=failed))


def _stop(stopping: "asyncio.Future[None]") -> None:
    if not stopping.done():
        stopping.set_result(None)
