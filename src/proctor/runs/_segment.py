"""One segment of a run: from its start or resumption to its end or its next wait."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from proctor import approvals
from proctor.agents import ModelFeatures, TeamContext, TeamFactory, TeamRun
from proctor.core import (
    Clock,
    DeadlineExceeded,
    EventType,
    JsonObject,
    ProctorError,
    RunError,
    TeamError,
    Token,
    ToolSpec,
)
from proctor.runs import _sql
from proctor.runs._chain import settle_end
from proctor.runs._journal import Journal, Listener
from proctor.runs._session import Chains, RunSession, said_mark
from proctor.runs._values import RecordedCall, Run, RunState
from proctor.store import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """All that is needed to execute a team."""

    name: str
    factory: TeamFactory
    tools: Mapping[str, tuple[ToolSpec, ...]]
    """What the team declared, by the name it declared."""
    models: Mapping[str, ModelFeatures]
    chains: Chains
    deadline: timedelta
    max_tool_iterations: int
    max_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier attempts at a run left."""

    recorded: tuple[RecordedCall, ...] = ()
    asked: tuple[approvals.Approval, ...] = ()
    said: tuple[str, ...] = ()

    @classmethod
    def load(cls, connection: Connection, run_id: str) -> "Past":
        """The past of a run."""
        events = _sql.run_events(connection, run_id)
        said = tuple(
            said_mark(event.agent, str(event.data["text"])) for event in events if event.type == "message"
        )
        return cls(
            recorded=_sql.recorded_calls(connection, run_id),
            asked=approvals.of_run(connection, run_id),
            said=said,
        )


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
    ) -> None:
        self._run = run
        self._plan = plan
        self._database = database
        self._clock = clock
        self._cancelled = False
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
            run_id=run.id,
            team=run.team,
            tenant=run.tenant,
            journal=self._journal,
            chains=plan.chains,
            decided={approval.call_key: approval for approval in past.asked},
            said=Counter(past.said),
            max_calls=plan.max_calls - len(past.recorded),
            clock=clock,
            on_token=on_token,
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
        if self._run.attempt > 1:
            self._journal.event("run.resumed", "", {"attempt": self._run.attempt})
        try:
            state, data, values = await self._outcome()
            return await self._end(state, data, values)
        finally:
            await self._journal.close()

    async def _outcome(self) -> tuple[RunState, JsonObject, Mapping[str, str | None]]:
        try:
            text = await self._drive()
        except ProctorError as error:
            if self._journal.failure is not None:
                raise self._journal.failure from error
            failed = {"error_code": error.code, "error": str(error)}
            return "failed", {"code": error.code, "message": str(error)}, failed
        if self._journal.failure is not None:
            raise self._journal.failure
        if self._cancelled:
            return "cancelled", {}, {}
        if text is not None:
            return "completed", {"characters": len(text)}, {"result": text}
        if self._session.asked:
            return "waiting", {}, {}
        return "queued", {}, {}

    async def _drive(self) -> str | None:
        """The team's last message; nothing where the attempt was halted before."""
        context = TeamContext(
            self._session, task=self._run.task, models=self._plan.models, tools=self._plan.tools
        )
        limit = self._plan.max_tool_iterations
        try:
            async with asyncio.timeout(self._plan.deadline.total_seconds()):
                team = await TeamRun.build(
                    self._plan.factory, context, self._session, max_tool_iterations=limit
                )
                text = await self._until_halted(team)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the run took longer than {self._plan.deadline.total_seconds():g} s",
                hint=f"Raise teams.{self._plan.name}.deadline and resume the run with `proctor runs resume`.",
            ) from None
        except ProctorError:
            raise
        except Exception as error:  # the worker loop: a team may raise anything
            raise TeamError(f"{type(error).__name__}: {error}") from error
        if self._session.failure is not None:
            raise self._session.failure
        return text

    async def _whole(self, team: TeamRun) -> str:
        text = await team.drive(self._run.task)
        await settle_end(self._session)
        return text

    async def _until_halted(self, team: TeamRun) -> str | None:
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

    async def _end(self, state: RunState, data: JsonObject, values: Mapping[str, str | None]) -> Run:
        types: dict[RunState, EventType] = {
            "completed": "run.completed",
            "failed": "run.failed",
            "waiting": "run.waiting",
            "cancelled": "run.cancelled",
        }
        if state in types:
            self._journal.event(types[state], "", data)
        run_id, asked = self._run.id, tuple(self._session.asked)
        finished_at = self._clock.now() if state in ("completed", "failed", "cancelled") else None
        left: list[RunState] = []

        def close(connection: Connection) -> Mapping[str, Any]:
            # A decision may have come while siblings of the asking call were still in progress.
            to = "queued" if state == "waiting" and approvals.any_decided(connection, asked) else state
            left[:] = [to]
            return {"state": to, "finished_at": finished_at, **values}

        if state == "cancelled":  # behind what this attempt still asks
            self._journal.also(lambda connection: approvals.cancel_pending(connection, run_id))
        await self._journal.end(close)
        return replace(
            self._run,
            state=left[0],
            result=values.get("result"),
            error_code=values.get("error_code"),
            error=values.get("error"),
            cost=self._run.cost + self._journal.spent,
            finished_at=finished_at,
        )

    def _lost(self) -> None:
        self._session.fail(RunError("the run's records can't be written"))
