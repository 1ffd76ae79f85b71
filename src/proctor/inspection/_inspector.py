"""Who inspects: once in a UTC day by the clock, and whenever somebody asks."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor import audit
from proctor.core import Clock
from proctor.inspection import _filing
from proctor.inspection._books import check_ledger, check_prices
from proctor.inspection._people import check_approvals, check_decisions
from proctor.inspection._system import check_pins, check_policies, check_record, check_retention
from proctor.inspection._values import Filed, Finding, FindingKind, Period, Rules
from proctor.ledger import utc_day
from proctor.store import Database

log = logging.getLogger("proctor.inspection")

SETTLING = timedelta(minutes=5)
"""How long a process is up before it inspects: one that executes a single run is gone by then."""
FIRST = timedelta(days=30)
"""How far the first inspection looks back."""
OVERLAP = timedelta(hours=1)
"""How far each one looks back behind the last: what was being written then is whole by now."""
LOGGED = 20
"""Findings that a log tells one by one."""
IN_FULL: frozenset[FindingKind] = frozenset({"record", "ledger", "retention"})
"""Kinds that are looked at from the first day on, each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What an inspection came to."""

    period: Period
    found: int
    """All that it found, also what was known."""
    fresh: tuple[Filed, ...]
    """What wasn't known before."""


class Inspector:
    """Inspects one database by the configuration in force."""

    def __init__(
        self,
        database: Database,
        *,
        rules: Callable[[], Awaitable[Rules]],
        clock: Clock,
        worker: str,
        on_found: Callable[[int], None],
    ) -> None:
        """`on_found` is told by how many findings there are more."""
        self._database = database
        self._rules = rules
        self._clock = clock
        self._worker = worker
        self._tell = on_found
        self._begun = clock.now()
        self._day = ""

    async def look(self) -> None:
        """Inspects where that wasn't done today, from the last time on; the log tells what was found."""
        now = self._clock.now()
        day = utc_day(now)
        if day == self._day or now - self._begun < SETTLING:
            return
        last = await self._database.read(lambda connection: _filing.last_daily(connection, now))
        if last is None or utc_day(last) < day:
            done = await self.inspect(now - FIRST if last is None else last - OVERLAP, day=day)
            for filed in done.fresh[:LOGGED]:
                log.error("inspection: %s", filed.text)
            if len(done.fresh) > LOGGED:
                log.error("and %d more findings: proctor audit inspect", len(done.fresh) - LOGGED)
        self._day = day

    async def inspect(self, since: datetime, *, day: str = "", by: str = "proctor") -> Inspected:
        """What is found in what happened since an instant; what is new is filed. `day` is noted as done."""
        now, rules = self._clock.now(), await self._rules()
        period = Period(since=since, until=now)
        found = await self._database.read_long(lambda connection: _all(connection, rules, period))

        def keep(connection: Connection) -> tuple[Filed, ...]:
            if day and not _filing.take_day(
                connection, day=day, at=now, worker=self._worker, found=len(found)
            ):
                return ()  # another process was faster
            fresh = _filing.file(connection, found, at=now, in_full=IN_FULL)
            _filing.note(
                connection,
                at=now,
                by=by,
                thing=_filing.DAILY if day else _filing.BY_HAND,
                since=since,
                found=len(found),
                fresh=len(fresh),
            )
            return fresh

        fresh = await self._database.commit(keep)
        if fresh:
            self._tell(len(fresh))
        return Inspected(period=period, found=len(found), fresh=fresh)


def _all(connection: Connection, rules: Rules, period: Period) -> list[Finding]:
    audit.hold_still(connection)
    checks: dict[FindingKind, Iterator[Finding]] = {
        "record": check_record(connection, rules),
        "ledger": check_ledger(connection),
        "price": check_prices(connection, rules, period),
        "approval": check_approvals(connection, rules, period),
        "decision": check_decisions(connection, rules, period),
        "policy": check_policies(connection, rules, period),
        "retention": check_retention(connection, rules, period),
        "pin": check_pins(connection, rules, period),
    }
    return [finding for kind, check in checks.items() for finding in _read(kind, check)]


def _read(kind: FindingKind, check: Iterator[Finding]) -> Iterator[Finding]:
    """What a check finds; what it meets that nobody could have written is a finding, and no way out of it."""
    try:
        yield from check
    except (ValueError, TypeError, LookupError) as error:
        text = f"what is held on this can't be read: {type(error).__name__}"
        yield Finding(kind=kind, severity="critical", thing="unreadable", text=text)
