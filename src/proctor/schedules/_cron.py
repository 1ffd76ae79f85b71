"""When a schedule is due: cron expressions in a time zone.

Knows neither runs nor the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from proctor.core import InvalidInput

FIELDS = 5
LONGEST_EXPRESSION = 200
SHOWN = 64
"""Characters of a text that an error repeats."""
THIS_MACHINES = frozenset({"localtime", "posixrules"})
"""Names that mean another zone on each machine."""
FORM = 'Five fields: minute, hour, day of the month, month, weekday; for example "0 8 * * MON-FRI".'


def next_due(cron: str, zone: str, after: datetime) -> datetime:
    """The first instant behind `after` at which an expression is due, in UTC.

    Where the clocks change it does as Debian's cron: a time of day that doesn't exist is due when the clocks
    have gone forward, and one that comes twice is due the first time only. Expressions whose minute or hour
    begins with `*` go by the time that really passes.

    Raises:
        InvalidInput: the expression or the zone can't be read, or the expression is never due.
    """
    try:
        first = next(_times(cron, _zone(zone), after), None)
    except CronSimError as error:
        what = f"the cron expression {cron[:SHOWN]!r} can't be read: {error}"
        raise InvalidInput(what, hint=FORM) from None
    if first is None:
        raise InvalidInput(f"the cron expression {cron!r} is never due", hint="No such day exists.")
    return first


def due_times(cron: str, zone: str, after: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` instants behind `after` at which an expression is due, in UTC.

    Raises:
        InvalidInput: as `next_due`.
    """
    found: list[datetime] = []
    while len(found) < count:
        after = next_due(cron, zone, after)
        found.append(after)
    return tuple(found)


def _times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    # The library takes a sixth field for seconds, and any length.
    if len(cron) > LONGEST_EXPRESSION or len(cron.split()) != FIELDS:
        raise CronSimError("Wrong number of fields")
    # In an hour that comes twice, the library's next time may be the first of the two, which is over.
    found = (local.astimezone(UTC) for local in CronSim(cron, after.astimezone(zone)))
    return (due for due in found if due > after)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo("" if name in THIS_MACHINES else name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all; the name of a folder of zones
        near = get_close_matches(name[:SHOWN], available_timezones() - THIS_MACHINES, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Name it as Europe/Berlin or UTC."
        raise InvalidInput(f"there is no time zone {name[:SHOWN]!r}", hint=hint) from None
