"""Column types that mean the same on SQLite and PostgreSQL."""

import re
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

metadata = MetaData()
"""Every room's tables. The migrations are held against it by a test."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant. SQLite has no zones: there it is kept in UTC and made aware on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant as the database takes it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant as Proctor takes it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """A text of any characters. NUL and lone surrogates, which databases refuse, are kept as JSON escapes.

    To JSON they mean the same; in other texts they stay visible.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """The text as the database takes it."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
