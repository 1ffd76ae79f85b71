"""Options that several commands share, and how their values are read."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

from proctor.core import InvalidInput

ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="The configuration; else PROCTOR_CONFIG, else proctor.toml here.")
]
Json: TypeAlias = Annotated[bool, Parameter(negative="", help="Print one JSON value for programs.")]

Frozen: TypeAlias = Annotated[
    bool,
    Parameter(
        negative="", help="Start no tool server without a fixed version, and believe only pinned tools."
    ),
]

Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=10_000))]

Format = Literal["table", "csv", "json"]

PORTS = Number(gte=0, lte=65_535)

UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(rf"(\d{{1,9}}({'|'.join(UNITS)}))+")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_DURATION = timedelta(days=36_500)
USUAL_PERIOD = timedelta(days=30)
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class WrongCall(InvalidInput):
    """The options don't go together, or one is missing."""

    code = "usage"


def this_user() -> str:
    """The name of whoever calls this command; empty for a user without one, as containers have."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def read_duration(text: str) -> timedelta:
    """The duration that an option names: 90s, 30min, 2h, 1d12h.

    Raises:
        InvalidInput: it names none, or one of more than a hundred years.
    """
    parts = re.findall(r"(\d+)([a-z]+)", text) if DURATION.fullmatch(text) else ()
    try:
        span = sum((timedelta(**{UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    except OverflowError:
        span = timedelta.max
    if not parts or span > LONGEST_DURATION:
        raise InvalidInput(f"{text!r} is no length of time.", hint="Write 90s, 30min, 2h or 1d12h.")
    return span


def read_period(
    since: str | None, until: str | None, last: str | None, now: datetime
) -> tuple[datetime, datetime]:
    """The beginning and the end that `--since`, `--until` and `--last` name; else the last 30 days.

    Days are those of UTC, as in the ledger, and the last one belongs to it. Before 1970 and after 9998 there
    is nothing: no time zone has trouble with what is between.

    Raises:
        InvalidInput: one can't be read, or they leave no time between them.
        WrongCall: they don't go together.
    """
    if last is not None and (since is not None or until is not None):
        raise WrongCall("--last goes without --since and --until.")
    span = USUAL_PERIOD if last is None else read_duration(last)
    end = now if until is None else _read_day(until, timedelta(days=1))
    begin = end - span if since is None else _read_day(since, timedelta())
    if begin >= end:
        raise InvalidInput("The end doesn't come after the beginning.", hint="See --since and --until.")
    return max(begin, EARLIEST), min(end, LATEST)


def _read_day(text: str, more: timedelta) -> datetime:
    """An instant; a day that is named alone stands for its first one, and so much more."""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return min(at, LATEST) + more if DAY.fullmatch(text) else at
    except (ValueError, OverflowError):
        hint = "Write 2026-12-01, or 2026-12-01T08:00+01:00."
        raise InvalidInput(f"{text!r} is no day and no time.", hint=hint) from None
