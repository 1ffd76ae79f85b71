"""What requests may hold: texts that a database takes, names, ids, instants."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from proctor.core import LONGEST_NAME, LONGEST_TENANT

STORABLE = r"^[^\x00]*$"
"""No database keeps a NUL."""

_BLANK = r"\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff"
SAYS_SOMETHING = rf"^[^\x00]*[^{_BLANK}][^\x00]*$"
"""What more than blanks stands in."""

ID = "[0-9a-hjkmnp-tv-z]{26}"
"""Behind the prefix of every id."""

_PRINTED = r"\w!-.0-9;-~\u00a1-\u00ac\u00ae-\u00ff\u2010-\u2027"
"""Characters of names. A colon stands in the names of programs alone, a slash in no tenant's."""
OWN_NAME = rf"^([{_PRINTED}/][{_PRINTED}/ ]*)?$"
"""A person's, or nobody's."""

LONGEST_TEXT = 200_000
"""Characters: as many as a task has, where nothing else is configured."""

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""Before and after there is nothing: no time zone has trouble with what is between."""

_INSTANT = re.compile(
    r"(\d{4})-\d\d-\d\dt([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.IGNORECASE | re.ASCII,
)
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"has more than {LONGEST_TEXT:,} characters")
    return text


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: object) -> datetime:
    """The instant that a text of RFC 3339 names; a leap second is the one before."""
    if not isinstance(value, str) or (found := _INSTANT.fullmatch(value)) is None:
        raise ValueError("is no instant of RFC 3339: 2026-12-01T08:00:00Z")
    if found[1] == "0000":
        return EARLIEST
    plain = _FRACTION.sub(lambda match: f".{match[1]:0<6}", value.upper()).replace(":60", ":59", 1)
    try:
        at = datetime.fromisoformat(plain).astimezone(UTC)
    except OverflowError:
        return EARLIEST if found[1] == "0001" else LATEST
    return min(max(at, EARLIEST), LATEST)


class Sent(BaseModel):
    """A body of a request: nothing strange in it, and nothing that only looks like what is wanted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shown(BaseModel):
    """A part of an answer whose fields are those of what it shows."""

    model_config = ConfigDict(from_attributes=True)


WHOLE = BeforeValidator(_whole)
"""Takes a number without a fraction also where it is written with one: `46.0`."""
Whole = Annotated[int, WHOLE]

Storable = Annotated[str, Field(pattern=STORABLE)]
"""A text without NUL, and without halves of characters: these no pattern can match."""

LongText: TypeAlias = Annotated[
    Storable, AfterValidator(_bounded), Field(description=f"At most {LONGEST_TEXT:,} characters.")
]
"""Its length is told in words: what tests an API by its description would build texts of it for minutes."""

Instant: TypeAlias = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""RFC 3339, with its zone."""

Since: TypeAlias = Annotated[
    Instant | SkipJsonSchema[None],
    Query(description="From this instant on.", examples=["2026-12-01T00:00:00Z"]),
]
Until: TypeAlias = Annotated[
    Instant | SkipJsonSchema[None], Query(description="Up to this instant, which doesn't belong to it.")
]

PersonName: TypeAlias = Annotated[
    str, Field(pattern=rf"^[{_PRINTED}:/][{_PRINTED}:/ ]*$", max_length=LONGEST_NAME)
]
"""Of a person, or of a program."""
TenantName: TypeAlias = Annotated[
    str, Field(pattern=rf"^[{_PRINTED}:][{_PRINTED}: ]*$", max_length=LONGEST_TENANT)
]

TenantWanted: TypeAlias = Annotated[
    str, Query(pattern=rf"^([{_PRINTED}:][{_PRINTED}: ]*)?$", max_length=LONGEST_TENANT)
]
"""A tenant's name; empty: the caller's own, or the platform."""

Wanted: TypeAlias = Annotated[Storable, Query(max_length=200)]
"""A word by which a list is filtered; empty: whatever it is."""

TeamName: TypeAlias = Annotated[Storable, Path(min_length=1, max_length=64, description="The team's name.")]


def id_of(prefix: str) -> Any:
    """What a path's id of one kind looks like."""
    return Path(pattern=f"^{prefix}_{ID}$", examples=[f"{prefix}_{'0' * 26}"])


def period(
    since: datetime | None,
    until: datetime | None,
    *,
    now: datetime,
    usual: timedelta,
    most: timedelta | None = None,
) -> tuple[datetime, datetime]:
    """From when to when a report goes: up to now, as long as usual, and as long as may be at most.

    Where the end comes before the beginning there is nothing between them.
    """
    end = now if until is None else until
    begin = end - usual if since is None else min(since, end)
    if most is not None:
        begin = max(begin, end - most)
    return max(begin, EARLIEST), end
