"""One segment of a run: from its start or resumption to its end or its next wait."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from proctor import approvals
from proctor.agents import Knowledge, Losses, TeamContext, TeamRun
from proctor.core import (
    Clock,
    DeadlineExceeded,
    ProctorError,
    RunError,
    TeamError,
    Token,
    canonical_json,
    unless,
)
from proctor.runs import _threads_sql
from proctor.runs._chain import settle_end
from proctor.runs._failure import Left, after_failure, left
from proctor.runs._journal import Journal, Listener
from proctor.runs._past import Past
from proctor.runs._plan import TeamPlan
from proctor.runs._review import Reviewed, review
from proctor.runs._session import RunSession
from proctor.runs._values import Run
from proctor.store import Database
from proctor.telemetry import RunSpans

BUILDING_ENDS = 1.0
"""Seconds that a factory has to end where its run is stopped."""


class Segment:
    """The execution of one attempt at a run. The database has the last word on all that it does."""

    def __init__(
        self,
        run: Run,
        plan: TeamPlan,
        past: Past,
        *,
        database: Database,
        clock: Clock,
        linger: timedelta,
        listener: Listener,
        on_token: Callable[[Token], None],
        spans: RunSpans,
    ) -> None:
        self._run = run
        self._spans = spans
        self._plan = plan
        self._database = database
        self._clock = clock
        self._cancelled = False
        self._past = past
        self._knowledge: Knowledge | None = None
        self._journal = Journal(
            database,
            run_id=run.id,
            attempt=run.attempt,
            recorded=past.recorded,
            clock=clock,
            linger=linger,
            listener=listener,
            on_failure=self._lost,
        )
        self._session = RunSession(
            run, plan, past, self._journal, clock=clock, on_token=on_token, spans=spans
        )

    def cancel(self) -> None:
        """Ends the run as soon as its calls in progress are cancelled."""
        self._cancelled = True
        self._session.abandon()

    def suspend(self) -> None:
        """Ends the attempt at the next call boundary; the run is queued again."""
        self._session.halt()

    async def execute(self) -> Run:
        """The run as this segment leaves it.

        Raises:
            StaleAttempt: another attempt has taken the run over; nothing of this one was written.
        """
        begun = self._clock.now()
        if self._run.attempt > 1:
            self._journal.event("run.resumed", "", {"attempt": self._run.attempt})
        try:
            run = await self._end(await self._outcome())
        finally:
            self._session.close_turns()
            await self._journal.close()
        self._spans.left(run.state, run.error_code or "", begun, run.worker or "")
        return run

    async def _outcome(self) -> Left:
        at = self._clock.now()
        try:
            answer = await self._drive()
        except ProctorError as error:
            if self._journal.failure is not None:
                raise self._journal.failure from error
            at, progressed = self._clock.now(), self._journal.progressed
            return after_failure(self._run, error, self._plan.settings, at=at, progressed=progressed)
        if self._journal.failure is not None:
            raise self._journal.failure
        at = self._clock.now()
        if self._cancelled:
            return left("cancelled", "run.cancelled", {}, at=at, finished_at=at)
        if answer is not None and answer.refused:
            reason = {"reason": answer.text}
            return left("refused", "run.refused", reason, at=at, finished_at=at, result=answer.text)
        if answer is not None:
            data = {"characters": len(answer.text)}
            return left("completed", "run.completed", data, at=at, finished_at=at, result=answer.text)
        if self._session.asked:
            return left("waiting", "run.waiting", {}, at=at)
        return left("queued", None, {}, at=at, handed_at=None, due_at=self._session.rests_until)

    async def _drive(self) -> Reviewed | None:
        """The team's last message as it was reviewed; nothing where the attempt was halted before."""
        context = TeamContext(
            self._session, task=self._run.task, models=self._plan.models, tools=self._plan.tools
        )
        try:
            async with asyncio.timeout(self._plan.settings.deadline.total_seconds()):
                team = await self._built(context)
                if team is None:
                    return None
                approvals.check_humans(self._plan.name, self._plan.settings, context.humans)
                answer = await self._until_halted(team)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the run took longer than {self._plan.settings.deadline.total_seconds():g} s",
                hint=f"Raise teams.{self._plan.name}.deadline and resume the run with `proctor runs resume`.",
            ) from None
        except ProctorError:
            raise
        except Exception as error:  # the worker loop: a team may raise anything
            raise TeamError(f"{type(error).__name__}: {error}") from error
        if self._session.failure is not None:
            raise self._session.failure
        return answer

    async def _built(self, context: TeamContext) -> TeamRun | None:
        """The team; nothing where the attempt is halted before it is built."""
        plan = self._plan
        building = TeamRun.build(plan.factory, context, self._session, settings=plan.settings)
        return await unless(self._session.halting, building, within=BUILDING_ENDS)

    async def _whole(self, team: TeamRun) -> Reviewed:
        if self._past.memory is not None:
            lost = await team.remember(self._past.memory)
            if not self._past.loss_told:
                self._tell_loss("begin", lost)
        text = await team.drive(self._run.task)
        await settle_end(self._session)
        if self._run.thread_id is not None:
            self._knowledge = await team.knowledge(task=self._run.task, answer=text)
            self._tell_loss("end", self._knowledge.lost)
        first = self._past.memory is None
        return await review(
            self._session,
            text,
            self._plan.review,
            asks=self._run.asks,
            first=first,
            told=self._past.verdict_told,
        )

    async def _until_halted(self, team: TeamRun) -> Reviewed | None:
        work = asyncio.create_task(self._whole(team))
        try:
            either: tuple[asyncio.Future[Any], ...] = (work, self._session.halting)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not self._session.halted:
                return await work
            if not self._cancelled:
                await self._session.quiet()
            return None
        finally:
            work.cancel()
            await self._session.end()
            await team.kill()
            await asyncio.gather(work, return_exceptions=True)

    async def _end(self, end: Left) -> Run:
        run_id, asked = self._run.id, tuple(self._session.asked)
        if end.state == "waiting":
            await self._journal.flush()  # a question may be answered, by a standing approval, as it is stored
        if end.event is not None:
            self._journal.event(end.event.type, "", end.event.data)
        values: list[Mapping[str, Any]] = []
        if end.state == "completed" and self._knowledge is not None:
            state = canonical_json({**self._knowledge.state, "labels": self._session.texts.kept()})
            self._journal.also(lambda connection: _threads_sql.keep(connection, run_id, state))

        def close(connection: Connection) -> Mapping[str, Any]:
            # A decision may have come while siblings of the asking call were still in progress.
            again = end.state == "waiting" and approvals.any_decided(connection, asked)
            values[:] = [{**end.values, "state": "queued", "handed_at": None} if again else end.values]
            return values[0]

        if end.state in ("cancelled", "completed", "refused"):  # behind what this attempt still asks
            self._journal.also(lambda connection: approvals.cancel_pending(connection, run_id))
        await self._journal.end(close)
        cost = self._run.cost + self._journal.spent
        return replace(end, values=values[0]).apply(replace(self._run, cost=cost))

    def _tell_loss(self, when: Literal["begin", "end"], lost: Losses) -> None:
        """Logs which parts of the team go on without what they, or the thread's next run, should know."""
        if lost:
            self._journal.event("thread.state_lost", "", {"when": when, "parts": dict(lost)})

    def _lost(self) -> None:
        self._session.fail(RunError("the run's records can't be written"))
