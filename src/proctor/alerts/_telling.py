"""What people are still to be told. Knows not how: the caller passes it on, and says what was."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection

from proctor.alerts import _sql
from proctor.alerts._tables import tellings
from proctor.alerts._values import Telling

STALE = timedelta(days=1)
"""What is older isn't told any more: nobody sent anything meanwhile."""
ROUND = "told"
"""The one occasion on which a message is told."""

Told: TypeAlias = Callable[[ColumnElement[str], ColumnElement[str] | str], ColumnElement[bool]]
"""The condition that a message, by its id, was passed on, on an occasion."""


def untold(connection: Connection, told: Told, now: datetime) -> tuple[Telling, ...]:
    """Messages that nobody has passed on yet."""
    return _sql.tellings_since(connection, now - STALE, ~told(tellings.c.id, ROUND))


def telling(connection: Connection, telling_id: str) -> Telling:
    """One message to people.

    Raises:
        NotFound: there is none.
    """
    return _sql.telling(connection, telling_id)
