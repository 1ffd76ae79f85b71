"""What the process that looks at minutes keeps in mind of them: it is read once, then only added to."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor.alerts import _sql
from proctor.alerts._rules import SPANS
from proctor.alerts._tally import Tally
from proctor.alerts._usual import HOUR, Usual

LONGEST = timedelta(minutes=max(SPANS))
ALL = ""
"""Stands for all teams together."""


class _Stretch:
    """What the last minutes come to, by team."""

    def __init__(self, minutes: int) -> None:
        self._length = timedelta(minutes=minutes)
        self._minutes: deque[tuple[datetime, Mapping[str, Tally]]] = deque()
        self.sums: defaultdict[str, Tally] = defaultdict(Tally)

    def add(self, at: datetime, tallies: Mapping[str, Tally]) -> None:
        self._minutes.append((at, tallies))
        for team, tally in tallies.items():
            self.sums[team].add(tally)
            self.sums[ALL].add(tally)
        while self._minutes[0][0] <= at - self._length:
            _, old = self._minutes.popleft()
            for team, tally in old.items():
                self.sums[team].take(tally)
                self.sums[ALL].take(tally)


class Memory:
    """The last three hours minute by minute, added up for each stretch of time; older hours as they are."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.at: datetime | None = None
        """The end of the newest minute that it holds."""
        self._stretches = {minutes: _Stretch(minutes) for minutes in SPANS}
        self._usual: dict[str, Usual] = {}
        self._usual_at: datetime | None = None

    def add(self, at: datetime, tallies: Mapping[str, Tally]) -> None:
        """Adds what the minute held that ended then."""
        for stretch in self._stretches.values():
            stretch.add(at, tallies)
        self.at = at

    def load(self, connection: Connection, at: datetime, history: timedelta) -> None:
        """Reads what it doesn't hold of the time up to `at`."""
        since = at - LONGEST if self.at is None else max(self.at, at - LONGEST)
        minutes: defaultdict[datetime, dict[str, Tally]] = defaultdict(dict)
        for ended, team, tally in _sql.windows_after(connection, since):
            if ended <= at:
                minutes[ended][team] = tally
        for ended, tallies in minutes.items():
            self.add(ended, tallies)
        if self._usual_at != hour_of(at):
            self._usual = _learn(_sql.hours_since(connection, hour_of(at) - history), hour_of(at))
            self._usual_at = hour_of(at)

    def teams(self) -> tuple[str, ...]:
        """Teams that did something lately, or in the past that says what is usual."""
        return tuple(sorted({*self._stretches[max(SPANS)].sums, *self._usual} - {ALL}))

    def sums(self, team: str) -> Mapping[int, Tally]:
        """What a team did in each stretch of time until now."""
        return {minutes: stretch.sums[team] for minutes, stretch in self._stretches.items()}

    def usual(self, team: str) -> Usual | None:
        """What is usual for a team."""
        return self._usual.get(team)


def _learn(rows: Iterable[tuple[datetime, str, Tally]], before: datetime) -> dict[str, Usual]:
    hours: defaultdict[str, list[tuple[datetime, Tally]]] = defaultdict(list)
    for began, team, tally in rows:
        if began < before:
            hours[team].append((began, tally))
    return {team: Usual(theirs, theirs[0][0]) for team, theirs in hours.items()}


def hour_of(at: datetime) -> datetime:
    """The beginning of an instant's hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def hours_between(since: datetime, until: datetime) -> list[datetime]:
    """The beginnings of the hours that are over by `until`, from that of `since` on."""
    first = hour_of(since)
    return [first + HOUR * place for place in range(max((until - first) // HOUR, 0))]
