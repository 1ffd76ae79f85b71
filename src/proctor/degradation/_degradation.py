"""The level of this process: what it does to calls and to new runs, and how others learn of it."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never, get_args

from sqlalchemy import Connection

from proctor import audit
from proctor.core import (
    Clock,
    DegradationSettings,
    Degraded,
    InvalidInput,
    ModelCall,
    ModelHandler,
    ModelResting,
    ModelResult,
    ProctorError,
    ToolCall,
    ToolHandler,
    ToolResult,
    Unavailable,
    new_id,
)
from proctor.degradation import _sql
from proctor.degradation._ladder import (
    CLOSED,
    FALLBACK,
    NORMAL,
    READ_ONLY,
    SIMPLE,
    Change,
    Ending,
    Ladder,
    Level,
)
from proctor.degradation._sql import Hold, Passage, WorkerLevel
from proctor.store import Database

log = logging.getLogger("proctor.degradation")

RULE = "degradation"
"""What refuses a tool call at level 3."""

LONGEST_HOLD = timedelta(days=3650)

STAND_EVERY = timedelta(seconds=5)
STANDS = timedelta(seconds=15)
"""A worker that hasn't said for so long where it stands is taken for gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Where the system stands, for operators."""

    hold: Hold | None
    workers: tuple[WorkerLevel, ...]

    @property
    def level(self) -> Level:
        """The level that new runs meet: what is held, else that of the best worker, where there is one."""
        if self.hold is not None:
            return self.hold.level
        return min((worker.level for worker in self.workers), default=NORMAL)


class Degradation:
    """The level of this process, its links of both chains, and its door for new runs.

    A process that executes runs finds its level by its own calls, in `tick`. One that only starts runs takes
    over, in `look`, what the others wrote.
    """

    def __init__(
        self,
        settings: DegradationSettings,
        *,
        resting: Collection[str],
        database: Database,
        worker: str,
        clock: Clock,
        budget_share: Callable[[], float],
        on_level: Callable[[Change], None],
    ) -> None:
        self._settings = settings
        self._resting = frozenset(resting)
        self._database = database
        self._worker = worker
        self._clock = clock
        self._budget_share = budget_share
        self._on_level = on_level
        self._ladder = Ladder(settings)
        self._outlook: Outlook | None = None
        self._hold: Hold | None = None
        self._ticking = asyncio.Lock()
        self._unwritten: list[Passage] = []
        self._stood_at: datetime | None = None

    @property
    def level(self) -> Level:
        """The present level, from 0 (normal) to 4 (new runs are refused)."""
        return self._ladder.level if self._outlook is None else self._outlook.level

    @property
    def simplifies(self) -> bool:
        """Whether a run that starts now takes its team's simple form."""
        return self.level >= SIMPLE

    @property
    def closed(self) -> bool:
        """Whether no new run may start."""
        return self.level >= CLOSED

    def admit(self) -> None:
        """Returns where a new run may start.

        Raises:
            Degraded: none may for now; it tells when to come back.
        """
        if not self.closed:
            return
        now = self._clock.now()
        hold = self._hold if self._outlook is None else self._outlook.hold
        seconds = self._ladder.seconds_to_recovery(now)
        if hold is not None:
            seconds = max(1.0, (hold.until - now).total_seconds())
        raise Degraded(
            "the system takes no new runs for now; those under way go on",
            hint=f"Try again in {seconds:.0f} s.",
            retry_after=seconds,
        )

    async def model(self, call: ModelCall, proceed: ModelHandler) -> ModelResult:
        """The answer of a deployment that doesn't rest, or that is probed; how it ends is taken note of.

        Raises:
            ModelResting: the deployment rests; its fallback is to be asked.
        """
        rests = self.level >= FALLBACK and call.model in self._resting
        trial = self._ladder.begin(call.model, self._clock.now(), rests=rests)
        if trial is None:
            raise ModelResting(f"{call.model} rests while the system is degraded to level {self.level}")
        ending: Ending = "void"
        try:
            result = await proceed(call)
            ending = "answered"
        except ProctorError as error:
            # A database that is away says nothing of the provider; one that rests, and is stood in for, fails
            # nobody.
            rests = isinstance(error, ModelResting) and call.model in self._resting
            if error.retryable and not rests and not isinstance(error, Unavailable):
                ending = "failed"
            raise
        finally:
            self._ladder.end(trial, self._clock.now(), ending)
        return result

    def held_up(self, error: ProctorError) -> None:
        """Takes note that a call is tried again: it counts where its deployment isn't asked at all."""
        if isinstance(error, ModelResting):
            self._ladder.miss(self._clock.now())

    async def tool(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """The tool's answer; from level 3 on a refusal where the tool may change something.

        What a person has decided on is never refused: nobody would ask that person again.
        """
        if self.level < READ_ONLY or call.tool.effect == "read_only":
            return await proceed(call)
        if call.scope.is_decided("action") or call.scope.is_decided("uncertain"):
            return await proceed(call)
        text = (
            f"{call.tool.name} may not be called for now: the system is degraded and only reads. "
            "Go on without it, and say so in the answer."
        )
        data = {"server": call.tool.server, "tool": call.tool.name, "rule": RULE, "reason": text}
        call.scope.event("tool.refused", data)
        return ToolResult(text=text, is_error=True, refused_by=RULE)

    async def tick(self) -> None:
        """Takes the step that is due and writes down what changed: the chore of a process that executes."""
        async with self._ticking:
            now = self._clock.now()
            self._outlook = None
            self._hold = await self._database.read(lambda connection: _sql.hold_at(connection, now))
            change = self._step()
            if change is not None:
                self._announce(change)
            await self._write()

    async def look(self) -> None:
        """Takes over what the workers and operators wrote: for a process that executes nothing."""
        self._outlook = await self.outlook()

    async def outlook(self) -> Outlook:
        """Where the system stands."""
        now = self._clock.now()

        def query(connection: Connection) -> Outlook:
            workers = _sql.worker_levels(connection, now - STANDS)
            return Outlook(hold=_sql.hold_at(connection, now), workers=workers)

        return await self._database.read(query)

    async def history(self, *, before: str = "", limit: int = 50) -> tuple[Passage, ...]:
        """A page of changes of all workers, newest first."""
        return await self._database.read(
            lambda connection: _sql.history(connection, before=before, limit=limit)
        )

    async def hold(self, level: Level, *, span: timedelta, reason: str, by: str) -> Hold:
        """A level that all processes take within 2 s and keep for a while, whatever their rules say.

        Afterwards the rules go on from there.

        Raises:
            InvalidInput: there is no such level, or the time isn't positive or too long.
        """
        if level not in get_args(Level):
            raise InvalidInput(f"there is no level {level}", hint="Levels go from 0 to 4.")
        if not timedelta(0) < span <= LONGEST_HOLD:
            raise InvalidInput(
                f"a level is held for a time of up to {LONGEST_HOLD.days} days, not for {span}"
            )
        at = self._clock.now()
        hold = Hold(id=new_id("hld"), at=at, level=level, until=at + span, reason=reason, by=by)

        def apply(connection: Connection) -> None:
            _sql.add_hold(connection, hold)
            data = {"level": level, "until": hold.until.isoformat()}
            audit.append(connection, at=at, actor=by, action="degradation.held", thing=hold.id, data=data)

        await self._database.commit(apply)
        return hold

    async def release(self, *, by: str = "") -> bool:
        """Whether a level was held; the rules decide again."""
        at = self._clock.now()

        def apply(connection: Connection) -> bool:
            hold = _sql.hold_at(connection, at)
            if hold is not None:
                audit.append(connection, at=at, actor=by, action="degradation.released", thing=hold.id)
            return _sql.end_holds(connection, at)

        return await self._database.commit(apply)

    def _step(self) -> Change | None:
        now = self._clock.now()
        if self._hold is not None:
            return self._ladder.put(self._hold.level, now, self._hold.detail)
        if not self._settings.enabled:
            return self._ladder.put(NORMAL, now, {"reason": "the hold has ended, and no rule is in force"})
        return self._ladder.evaluate(now, budget_share=self._budget_share())

    def _announce(self, change: Change) -> None:
        self._on_level(change)
        self._unwritten.append(
            Passage(
                id=new_id("deg"),
                at=change.at,
                worker=self._worker,
                level=change.level,
                previous=change.previous,
                rule=change.rule,
                detail=change.detail,
            )
        )
        say = log.warning if change.level > change.previous else log.info
        say(
            "degradation: level %s after %s (%s %s): %s",
            change.level,
            change.previous,
            change.rule,
            dict(change.detail),
            describe(change.level),
        )

    async def _write(self) -> None:
        """Writes down what changed, and every few seconds where this worker stands."""
        now, level, passages = self._clock.now(), self._ladder.level, tuple(self._unwritten)
        if not passages and self._stood_at is not None and now - self._stood_at < STAND_EVERY:
            return

        def write(connection: Connection) -> None:
            if passages:
                _sql.record(connection, passages)
            _sql.stand(connection, self._worker, level, now)

        await self._database.commit(write)
        del self._unwritten[: len(passages)]
        self._stood_at = now


def describe(level: Level) -> str:
    """What a level means."""
    match level:
        case 0:
            return "normal"
        case 1:
            return "model calls go to fallbacks"
        case 2:
            return "new runs take their team's simple form"
        case 3:
            return "tools that change something are refused"
        case 4:
            return "new runs are refused"
        case _:
            assert_never(level)
