"""Options that several commands share, and how their values are read."""

import getpass
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

from proctor.core import InvalidInput

ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="The configuration; else PROCTOR_CONFIG, else proctor.toml here.")
]
Json: TypeAlias = Annotated[bool, Parameter(negative="", help="Print one JSON value for programs.")]

Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1, lte=10_000))]

PORTS = Number(gte=0, lte=65_535)

UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(rf"(\d{{1,9}}({'|'.join(UNITS)}))+")
LONGEST_DURATION = timedelta(days=36_500)


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
