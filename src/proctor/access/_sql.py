"""The room's queries, one function each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, insert, or_, select, update

from proctor.access._tables import keys, sessions, setups
from proctor.access._values import Key, Role, Session
from proctor.core import person


def insert_key(connection: Connection, key: Key, digest: str) -> None:
    """Adds a key."""
    row = {
        "id": key.id,
        "name": key.name,
        "person": key.person,
        "digest": digest,
        "roles": _written(key.roles),
        "tenant": key.tenant,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
    }
    connection.execute(insert(keys).values(row))


def key_with_digest(connection: Connection, key_id: str) -> tuple[Key, str] | None:
    """A key and the hash of its secret."""
    row = connection.execute(select(keys).where(keys.c.id == key_id)).first()
    return None if row is None else (_key(row), row.digest)


def lock_key(connection: Connection, key_id: str) -> Key | None:
    """A key that nobody else changes till the transaction's end."""
    row = connection.execute(select(keys).where(keys.c.id == key_id).with_for_update()).first()
    return None if row is None else _key(row)


def page_of_keys(connection: Connection, *, before: str, limit: int) -> tuple[Key, ...]:
    """Keys, the newest first."""
    query = select(keys).order_by(keys.c.id.desc()).limit(limit)
    if before:
        query = query.where(keys.c.id < before)
    return tuple(_key(row) for row in connection.execute(query))


def has_key_named(connection: Connection, name: str, at: datetime) -> bool:
    """Whether a key of a name is in force."""
    return bool(connection.scalar(select(exists().where(keys.c.name == name, *_in_force(at)))))


def has_admin(connection: Connection, at: datetime) -> bool:
    """Whether a key of the platform's admin is in force."""
    query = select(keys.c.roles).where(keys.c.tenant.is_(None), *_in_force(at))
    return any("admin" in roles.split() for roles in connection.scalars(query))


def keys_of_person(connection: Connection, name: str, at: datetime) -> tuple[Key, ...]:
    """A person's own keys that are in force, however the name is written; nobody else changes them."""
    query = select(keys).where(keys.c.person != "", *_in_force(at)).order_by(keys.c.id).with_for_update()
    return tuple(_key(row) for row in connection.execute(query) if person(row.person) == person(name))


def revoke_key(connection: Connection, key_id: str, at: datetime) -> None:
    """Ends a key."""
    connection.execute(update(keys).where(keys.c.id == key_id).values(revoked_at=at))


def succeed_key(connection: Connection, key_id: str, *, successor: str, expires_at: datetime) -> None:
    """Notes a key's successor, and until when the key itself holds."""
    connection.execute(
        update(keys).where(keys.c.id == key_id).values(successor=successor, expires_at=expires_at)
    )


def touch_key(connection: Connection, key_id: str, at: datetime) -> None:
    """Notes that a key was used."""
    connection.execute(update(keys).where(keys.c.id == key_id).values(used_at=at))


def insert_session(connection: Connection, session: Session) -> None:
    """Adds a session."""
    row = {
        "id": session.id,
        "name": session.name,
        "roles": _written(session.roles),
        "tenant": session.tenant,
        "began_at": session.began_at,
        "seen_at": session.seen_at,
    }
    connection.execute(insert(sessions).values(row))


def find_session(connection: Connection, session_id: str) -> Session | None:
    """A session by the hash of its secret."""
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).first()
    return None if row is None else _session(row)


def touch_session(connection: Connection, session_id: str, at: datetime) -> None:
    """Notes that a session was used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=at))


def delete_session(connection: Connection, session_id: str) -> bool:
    """Ends a session; whether there was one."""
    return connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount > 0


def sessions_of_person(connection: Connection, name: str) -> tuple[Session, ...]:
    """All sessions of a person, however the name is written."""
    rows = connection.execute(select(sessions))
    return tuple(_session(row) for row in rows if person(row.name) == person(name))


def delete_old_sessions(connection: Connection, *, seen_before: datetime, began_before: datetime) -> None:
    """Removes sessions that hold no more."""
    connection.execute(
        delete(sessions).where(or_(sessions.c.seen_at < seen_before, sessions.c.began_at < began_before))
    )


def replace_setup(connection: Connection, digest: str, expires_at: datetime) -> None:
    """Puts a setup token in the place of all before it."""
    connection.execute(delete(setups))
    connection.execute(insert(setups).values(digest=digest, expires_at=expires_at))


def has_setup(connection: Connection, digest: str, at: datetime) -> bool:
    """Whether a setup token is there and in time."""
    query = select(exists().where(setups.c.digest == digest, setups.c.expires_at > at))
    return bool(connection.execute(query).scalar())


def take_setup(connection: Connection, digest: str, at: datetime) -> bool:
    """Uses a setup token up; whether it was there and in time."""
    taken = connection.execute(delete(setups).where(setups.c.digest == digest, setups.c.expires_at > at))
    return taken.rowcount > 0


def _in_force(at: datetime) -> Sequence[ColumnElement[bool]]:
    return keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > at)


def _written(roles: frozenset[Role]) -> str:
    return " ".join(sorted(roles))


def _read(roles: str) -> frozenset[Role]:
    return frozenset(cast("list[Role]", roles.split()))


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        person=row.person,
        roles=_read(row.roles),
        tenant=row.tenant,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        successor=row.successor,
        used_at=row.used_at,
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        name=row.name,
        roles=_read(row.roles),
        tenant=row.tenant,
        began_at=row.began_at,
        seen_at=row.seen_at,
    )
