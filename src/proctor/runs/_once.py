"""Requests that are sent again take effect once.

What each has made is noted in the transaction that makes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from proctor.core import KeyReused
from proctor.runs._tables import repeats
from proctor.store import insert_into

KEPT = timedelta(hours=24)
"""After which a key is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """What tells a request that is sent again from another one."""

    caller: str
    route: str
    key: str
    """As the caller has chosen it."""
    digest: str
    """Of all that the request asks for."""


class Repeated(Exception):
    """The request was sent before. It undoes the transaction in which that comes out."""

    def __init__(self, thing: str) -> None:
        super().__init__(thing)
        self.thing = thing
        """The id of what the first one has made."""


def made(connection: Connection, once: Once, at: datetime) -> str | None:
    """The id of what an earlier sending of the request has made.

    Raises:
        KeyReused: another request had the same key.
    """
    query = select(repeats.c.digest, repeats.c.thing).where(_of(once), repeats.c.at > at - KEPT)
    row = connection.execute(query).first()
    if row is not None and row.digest != once.digest:
        raise KeyReused(
            "another request was sent with this Idempotency-Key", hint="Choose a new key for each request."
        )
    return None if row is None else str(row.thing)


def noting(
    once: Once | None, thing: str, at: datetime, insert: Callable[[Connection], None]
) -> Callable[[Connection], None]:
    """The insert of a thing, which doesn't happen where an earlier sending has made one.

    It raises `Repeated` or `KeyReused` then.
    """
    if once is None:
        return insert

    def noted(connection: Connection) -> None:
        connection.execute(delete(repeats).where(repeats.c.at <= at - KEPT))
        row = {
            "caller": once.caller,
            "route": once.route,
            "key": once.key,
            "digest": once.digest,
            "thing": thing,
            "at": at,
        }
        enter = insert_into(connection, repeats).values(row).on_conflict_do_nothing()
        # Where another transaction has just entered the key, this waits for its end.
        if connection.execute(enter.returning(repeats.c.key)).first() is None:
            earlier = made(connection, once, at)
            assert earlier is not None
            raise Repeated(earlier)
        insert(connection)

    return noted


def _of(once: Once) -> ColumnElement[bool]:
    return and_(repeats.c.caller == once.caller, repeats.c.route == once.route, repeats.c.key == once.key)
