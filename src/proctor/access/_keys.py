"""Keys of programs: made, found, rotated and revoked."""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor import audit
from proctor.access import _sql
from proctor.access._secrets import hash_of, is_same, new_secret
from proctor.access._values import Key, NewKey, Principal, Role
from proctor.core import (
    Clock,
    Conflict,
    InvalidInput,
    NotFound,
    Unauthenticated,
    check_name,
    check_tenant,
    new_id,
    person,
)
from proctor.store import Database

FRESH = timedelta(seconds=2)
"""How long a key is believed without another look: so long one that was revoked elsewhere goes on."""
COARSE = timedelta(minutes=5)
"""Between notes of when a key was used."""
OVERLAP = timedelta(days=1)
"""How long a rotated key goes on beside its successor, where nothing else is said."""
LONGEST_LIFE = timedelta(days=3650)
PROCTORS_OWN = ("proctor", "setup", "expiry")
"""Names that Proctor itself signs with."""

KEY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_TOKEN = re.compile(r"pk_([0-9a-z]{26})_[A-Za-z0-9_-]{43}")


class Keys:
    """All keys of a database, as one process sees them."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._seen: dict[str, tuple[datetime, Key, str]] = {}
        """When a key was read, what it was, and its hash. As many as there are keys."""

    async def find(self, token: str) -> Principal:
        """Who holds a key.

        Raises:
            Unauthenticated: there is no such key, or it holds no more.
            DatabaseUnavailable: nobody can tell at the moment.
        """
        parts = _TOKEN.fullmatch(token)
        found = None if parts is None else await self._read(f"key_{parts[1]}")
        if found is None or not is_same(found[1], hash_of(token)):
            raise _unknown()
        key, now = found[0], self._clock.now()
        if key.state(now) != "active":
            raise _unknown()
        if key.used_at is None or now - key.used_at > COARSE:
            await self._database.commit(lambda connection: _sql.touch_key(connection, key.id, now))
            self._seen[key.id] = (now, replace(key, used_at=now), found[1])
        return key.principal

    def knows(self, token: str) -> bool:
        """Whether a key was found before, by this process: that it still holds isn't said."""
        parts = _TOKEN.fullmatch(token)
        seen = None if parts is None else self._seen.get(f"key_{parts[1]}")
        return seen is not None and is_same(seen[2], hash_of(token))

    async def create(
        self,
        name: str,
        *,
        roles: Collection[Role],
        by: str,
        tenant: str | None = None,
        person: str = "",
        life: timedelta | None = None,
    ) -> NewKey:
        """A new key of a program; with `person`, of that person alone, who is then who decides by it.

        Raises:
            InvalidInput: name, roles or life can't be taken.
            Conflict: a key of this name is in force.
        """

        def job(connection: Connection) -> NewKey:
            return create_key(
                connection,
                name,
                roles=roles,
                by=by,
                at=self._clock.now(),
                tenant=tenant,
                person=person,
                life=life,
            )

        return await self._database.commit(job)

    async def rotate(self, key_id: str, *, by: str, overlap: timedelta = OVERLAP) -> NewKey:
        """A key's successor: the same rights, a new secret. The key itself goes on for the overlap.

        A life that the key was given begins anew.

        Raises:
            NotFound: there is no such key.
            Conflict: it holds no more, or was rotated before.
            InvalidInput: the overlap can't be taken.
        """
        if not timedelta(0) <= overlap <= LONGEST_LIFE:
            raise InvalidInput("the overlap is too long, or below nothing")

        def job(connection: Connection) -> NewKey:
            at = self._clock.now()
            key = _locked(connection, key_id)
            if key.state(at) != "active" or key.successor is not None:
                state = "rotated" if key.successor else key.state(at)
                raise Conflict(f"key {key_id} is {state}", hint="Create another one.")
            made = _make(
                key.name,
                roles=key.roles,
                by=by,
                at=at,
                tenant=key.tenant,
                person=key.person,
                life=key.expires_at - key.created_at if key.expires_at else None,
            )
            _sql.insert_key(connection, made.key, hash_of(made.token))
            ends = at + overlap if key.expires_at is None else min(key.expires_at, at + overlap)
            _sql.succeed_key(connection, key_id, successor=made.key.id, expires_at=ends)
            audit.append(
                connection,
                at=at,
                actor=by,
                action="key.rotated",
                thing=key_id,
                tenant=key.tenant or "",
                data={"successor": made.key.id, "until": ends.isoformat()},
            )
            return made

        made = await self._database.commit(job)
        self._seen.pop(key_id, None)
        return made

    async def revoke(self, key_id: str, *, by: str) -> Key:
        """A key that opens nothing any more: here at once, in other processes within two seconds.

        Revoking a revoked key changes nothing.

        Raises:
            NotFound: there is no such key.
        """

        def job(connection: Connection) -> Key:
            at = self._clock.now()
            key = _locked(connection, key_id)
            return revoke_key(connection, key, by=by, at=at) if key.revoked_at is None else key

        # A commit that fails has others' commits done again.
        key = await self.get(key_id)
        if key.revoked_at is None:
            key = await self._database.commit(job)
        self._seen.pop(key_id, None)
        return key

    async def get(self, key_id: str) -> Key:
        """One key.

        Raises:
            NotFound: there is no such key.
        """
        found = await self._database.read(lambda connection: _sql.key_with_digest(connection, key_id))
        if found is None:
            raise _no_such(key_id)
        return found[0]

    async def page(self, *, before: str = "", limit: int = 50) -> tuple[Key, ...]:
        """A page of all keys, the newest first."""
        return await self._database.read(
            lambda connection: _sql.page_of_keys(connection, before=before, limit=limit)
        )

    async def _read(self, key_id: str) -> tuple[Key, str] | None:
        now = self._clock.now()
        seen = self._seen.get(key_id)
        if seen is not None and timedelta(0) <= now - seen[0] < FRESH:
            return seen[1], seen[2]
        found = await self._database.read(lambda connection: _sql.key_with_digest(connection, key_id))
        if found is None:
            self._seen.pop(key_id, None)
            return None
        self._seen[key_id] = (now, *found)
        return found


def revoke_key(connection: Connection, key: Key, *, by: str, at: datetime) -> Key:
    """A key in force, revoked in the caller's transaction."""
    _sql.revoke_key(connection, key.id, at)
    audit.append(
        connection,
        at=at,
        actor=by,
        action="key.revoked",
        thing=key.id,
        tenant=key.tenant or "",
        data={"name": key.name},
    )
    return replace(key, revoked_at=at)


def create_key(
    connection: Connection,
    name: str,
    *,
    roles: Collection[Role],
    by: str,
    at: datetime,
    tenant: str | None = None,
    person: str = "",
    life: timedelta | None = None,
) -> NewKey:
    """A new key, in the caller's transaction; see `Keys.create`.

    Raises:
        InvalidInput: name, roles or life can't be taken.
        Conflict: a key of this name is in force.
    """
    made = _make(name, roles=roles, by=by, at=at, tenant=tenant, person=person, life=life)
    if _sql.has_key_named(connection, name, at):
        raise Conflict(f"a key {name} is in force", hint="Rotate it, or choose another name.")
    key = made.key
    _sql.insert_key(connection, key, hash_of(made.token))
    audit.append(
        connection,
        at=at,
        actor=by,
        action="key.created",
        thing=key.id,
        tenant=tenant or "",
        data={
            "name": name,
            "roles": sorted(key.roles),
            "person": key.person,
            "expires": key.expires_at.isoformat() if key.expires_at else "",
        },
    )
    return made


def _make(
    name: str,
    *,
    roles: Collection[Role],
    by: str,
    at: datetime,
    tenant: str | None,
    person: str,
    life: timedelta | None,
) -> NewKey:
    if not re.fullmatch(KEY_NAME, name):
        raise InvalidInput(f"{name!r} can't name a key", hint="Letters, digits, dots, - and _, at most 100.")
    if not roles:
        raise InvalidInput("a key without a role opens nothing")
    if tenant is not None:
        check_tenant(tenant)
    if life is not None and not timedelta(0) < life <= LONGEST_LIFE:
        raise InvalidInput("a key lives for some time, and for ten years at most")
    check_person(person)
    key = Key(
        id=new_id("key"),
        name=name,
        person=person,
        roles=frozenset(roles),
        tenant=tenant,
        created_at=at,
        created_by=by,
        expires_at=at + life if life else None,
    )
    return NewKey(key=key, token=f"pk_{key.id.removeprefix('key_')}_{new_secret()}")


def check_person(name: str) -> None:
    """Returns where a name can be a person's.

    Raises:
        InvalidInput: it is one that programs or Proctor itself sign with, or none at all.
    """
    check_name("person", name)
    if ":" in person(name) or person(name) in PROCTORS_OWN:
        raise InvalidInput(f"nobody is called {name}", hint="Programs and Proctor itself sign so.")


def _locked(connection: Connection, key_id: str) -> Key:
    key = _sql.lock_key(connection, key_id)
    if key is None:
        raise _no_such(key_id)
    return key


def _no_such(key_id: str) -> NotFound:
    return NotFound(f"there is no key {key_id}", hint="`proctor keys list` shows those that there are.")


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "the key is unknown, or holds no more",
        hint="`proctor keys create` makes one, for whoever may.",
    )
