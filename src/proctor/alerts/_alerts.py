"""Minutes are looked at one by one, each by exactly one process, and people are told what is wrong.

A minute belongs to whoever adds its row: the numbers it held, what became of the alerts, and the messages to
people are one transaction with it. A process that comes too late has done nothing. Where nobody looked for a
while the hours that passed are only noted, the last minutes are looked at in their order, and people are
told only what is still so at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection

from proctor import audit
from proctor.alerts import _sql
from proctor.alerts._memory import ALL, LONGEST, Memory, hour_of, hours_between
from proctor.alerts._rules import NEWEST, judge, judge_backlog
from proctor.alerts._states import advance, hushed, tell
from proctor.alerts._tally import Tally
from proctor.alerts._usual import HOUR
from proctor.alerts._values import RULES, Alert, AlertState, Backlog, Finding, Rule, Silence
from proctor.core import AlertSettings, Clock, InvalidInput, MeasuredBy, new_id
from proctor.store import Database

MINUTE = timedelta(minutes=1)
LATE = timedelta(seconds=5)
"""How long what a minute held may take to be written."""
LIVE = timedelta(minutes=3)
"""People are told of minutes that aren't older."""
LOOKED_AT = timedelta(minutes=30)
"""Of a longer time that nobody looked at the hours are noted and not judged."""
KEPT = timedelta(days=90)
"""Alerts that are over, and what people were told."""
LONGEST_SILENCE = timedelta(days=365)
LONGEST_TEAM = 64
LONGEST_REASON = 1_000
"""Characters."""
TOLD_WITHIN = timedelta(days=1)
"""An end that people weren't told within this isn't told any more."""


Over: TypeAlias = Mapping[tuple[Rule, str], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where numbers come from. Each reads in the connection that it is given."""

    observe: Callable[[Connection, datetime, datetime], Mapping[str, Tally]]
    """What a stretch of time held, by team."""
    behind: Callable[[Connection, datetime, datetime, MeasuredBy, str], tuple[str, ...]]
    """The runs that a number comes from, the worst first; of a team, or of all where it is empty."""
    backlog: Callable[[Connection], Sequence[Backlog]]
    began: Callable[[Connection], datetime | None]
    """When the first run came in."""


class Alerts:
    """The alerts of one database."""

    def __init__(
        self, database: Database, *, clock: Clock, settings: AlertSettings, sources: Sources
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._sources = sources
        self._memory = Memory()

    async def tick(self) -> None:
        """Looks at each minute that is over and that nobody has looked at."""
        now = self._clock.now()
        until = (now - LATE).replace(second=0, microsecond=0)
        last = await self._database.read(self._last)
        if last is None or last >= until:
            return
        for hour in hours_between(last, until - LOOKED_AT):
            last = hour + HOUR
            await self._note(hour, until)
        while last < until:
            last += MINUTE
            if not await self._look_at(last, live=now - last < LIVE):
                self._memory.forget()
                return

    async def page(
        self,
        *,
        states: Sequence[AlertState] = (),
        team: str | None = None,
        rule: str | None = None,
        before: str = "",
        limit: int = 50,
    ) -> tuple[Alert, ...]:
        """A page of alerts, newest first, from before the id `before`; without `states`, in every state."""
        query = partial(_sql.page, states=states, team=team, rule=rule, before=before, limit=limit)
        return await self._database.read(query)

    async def get(self, alert_id: str) -> Alert:
        """One alert.

        Raises:
            NotFound: there is none.
        """
        return await self._database.read(lambda connection: _sql.get(connection, alert_id))

    async def silences(self) -> tuple[Silence, ...]:
        """The silences that hold now."""
        return await self._database.read(partial(_sql.silences_at, at=self._clock.now()))

    async def silence(
        self, *, rule: str = "*", team: str = "*", span: timedelta, reason: str, by: str
    ) -> Silence:
        """A silence: of alerts that it covers nobody is told until its end. It holds at once.

        Raises:
            InvalidInput: it covers no rule that there is, has no reason, or lasts too long.
        """
        at = self._clock.now()
        if not timedelta(0) < span <= LONGEST_SILENCE:
            raise InvalidInput(f"a silence lasts up to {LONGEST_SILENCE.days} days, not {span}")
        if not reason.strip() or len(reason) > LONGEST_REASON:
            raise InvalidInput(f"a silence has a reason of up to {LONGEST_REASON} characters")
        silence = Silence(
            id=new_id("sil"), rule=rule, team=team, at=at, until=at + span, reason=reason.strip(), by=by
        )
        if len(team) > LONGEST_TEAM or not any(silence.covers_rule(name) for name in RULES):
            raise InvalidInput(f"no rule is called {rule[:LONGEST_TEAM]}", hint=f"Rules: {', '.join(RULES)}.")

        def apply(connection: Connection) -> None:
            _sql.add_silence(connection, silence)
            self._hush(connection, at)
            data = {"rule": rule, "team": team, "until": silence.until.isoformat(), "reason": silence.reason}
            audit.append(connection, at=at, actor=by, action="alert.silenced", thing=silence.id, data=data)

        await self._database.commit(apply)
        return silence

    async def unsilence(self, silence_id: str, *, by: str) -> Silence:
        """A silence that has ended now.

        Raises:
            NotFound: there is none with this id that still holds.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> Silence:
            ended = _sql.end_silence(connection, silence_id, at)
            self._hush(connection, at)
            audit.append(connection, at=at, actor=by, action="alert.unsilenced", thing=silence_id)
            return ended

        return await self._database.commit(apply)

    def _last(self, connection: Connection) -> datetime | None:
        """The end of the newest minute that was looked at; the first hour where none was."""
        last = _sql.last_step(connection)
        if last is not None:
            return last
        began = self._sources.began(connection)
        return (
            None
            if began is None
            else max(hour_of(began), hour_of(self._clock.now()) - self._settings.history)
        )

    def _hush(self, connection: Connection, at: datetime) -> None:
        silences = _sql.silences_at(connection, at)
        for alert in _sql.standing(connection):
            state = hushed(alert, silences).state
            if state != alert.state:
                _sql.turn(connection, alert, state)

    async def _note(self, hour: datetime, until: datetime) -> None:
        """Notes what an hour held at which nobody looked; the minutes, too, where they still serve."""
        observe = self._sources.observe
        minutes = [hour + MINUTE * place for place in range(1, 61)] if hour + HOUR > until - LONGEST else []

        def read(connection: Connection) -> list[tuple[datetime, Mapping[str, Tally]]]:
            return [(ended, observe(connection, ended - MINUTE, ended)) for ended in minutes]

        whole = await self._database.read_long(lambda connection: observe(connection, hour, hour + HOUR))
        parts = await self._database.read_long(read)

        def write(connection: Connection) -> None:
            if _sql.claim(connection, hour + HOUR):
                _sql.add_hours(connection, hour, whole)
                for ended, tallies in parts:
                    _sql.add_windows(connection, ended, tallies)

        await self._database.apart(write)

    async def _look_at(self, at: datetime, *, live: bool) -> bool:
        """Whether the minute that ended then was this process's to look at."""

        def read(connection: Connection) -> tuple[Mapping[str, Tally], Sequence[Backlog], Over]:
            self._memory.load(connection, at - MINUTE, self._settings.history)
            over = _sql.lately_over(connection, at - LONGEST)
            return self._sources.observe(connection, at - MINUTE, at), self._sources.backlog(connection), over

        if self._memory.at is not None and self._memory.at >= at:
            self._memory.forget()  # what was added last time wasn't written
        tallies, backlogs, over = await self._database.read(read)
        self._memory.add(at, tallies)
        findings = self._judge(at, backlogs, over)
        return await self._database.apart(
            lambda connection: self._step(connection, at, tallies, findings, live=live)
        )

    def _judge(self, at: datetime, backlogs: Sequence[Backlog], over: Over) -> list[Finding]:
        memory, found = self._memory, list[Finding]()
        teams = memory.teams()
        busy = sum(memory.sums(team)[NEWEST].counts["calls"] > 0 for team in teams)
        for team in (*teams, ALL) if busy > 1 else teams:
            settings = self._settings.of(team)
            if settings.enabled:
                sums, usual = memory.sums(team), memory.usual(team)
                found += judge(team, sums, usual, at, settings=settings, over=over)
        for backlog in backlogs:
            settings = self._settings.of(backlog.team)
            finding = judge_backlog(backlog, at, settings)
            if settings.enabled and finding is not None:
                found.append(finding)
        return found

    def _step(
        self,
        connection: Connection,
        at: datetime,
        tallies: Mapping[str, Tally],
        findings: Sequence[Finding],
        *,
        live: bool,
    ) -> bool:
        if not _sql.claim(connection, at):
            return False
        _sql.add_windows(connection, at, tallies)
        if at == hour_of(at):
            self._close_hour(connection, at)

        def behind(finding: Finding) -> tuple[str, ...]:
            if finding.by is None:
                return ()
            since = at - timedelta(minutes=finding.minutes)
            return self._sources.behind(connection, since, at, finding.by, finding.team)

        settings = self._settings
        silences = _sql.silences_at(connection, self._clock.now())
        standing = _sql.standing(connection)
        result = advance(standing, findings, at, silences=silences, settings=settings, behind=behind)
        _sql.drop(connection, [alert.id for alert in result.dropped])
        _sql.put(connection, result.kept)
        if live:
            self._tell(connection, at, result.kept)
        return True

    def _tell(self, connection: Connection, at: datetime, kept: Sequence[Alert]) -> None:
        ended = _sql.untold_ends(connection, at - TOLD_WITHIN)
        firing = [alert for alert in kept if alert.state == "firing"]
        last = _sql.last_tellings(connection, at - self._settings.group_for)
        for telling, alerts in tell([*firing, *ended], last, at, self._settings):
            _sql.add_telling(connection, telling)
            _sql.put(connection, alerts)

    def _close_hour(self, connection: Connection, at: datetime) -> None:
        hour: dict[str, Tally] = {}
        for ended, team, tally in _sql.windows_after(connection, at - HOUR):
            if ended <= at:
                hour.setdefault(team, Tally()).add(tally)
        _sql.add_hours(connection, at - HOUR, hour)
        _sql.prune(
            connection,
            windows_before=at - LONGEST - HOUR,
            hours_before=at - self._settings.history - HOUR,
            before=at - KEPT,
        )
