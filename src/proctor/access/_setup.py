"""The first start: a token that makes the first admin's key, once."""

from datetime import timedelta

from sqlalchemy import Connection

from proctor.access import _sql
from proctor.access._keys import create_key
from proctor.access._secrets import hash_of, new_secret
from proctor.access._values import NewKey, Role
from proctor.core import Clock, Unauthenticated
from proctor.store import Database

LIFE = timedelta(hours=1)
_FIRST: tuple[Role, ...] = ("admin",)


async def offer_setup(database: Database, *, clock: Clock) -> str | None:
    """A fresh setup token, where no admin of the platform has a key; it takes the place of earlier ones."""
    token = f"setup_{new_secret()}"

    def job(connection: Connection) -> bool:
        at = clock.now()
        if _sql.has_admin(connection, at):
            return False
        _sql.replace_setup(connection, hash_of(token), at + LIFE)
        return True

    return token if await database.commit(job) else None


async def spend_setup(database: Database, token: str, *, name: str, clock: Clock) -> NewKey:
    """The first admin's key.

    Raises:
        Unauthenticated: the token is unknown, spent or too old, or an admin has a key by now.
        InvalidInput: the name can't be taken.
    """
    digest = hash_of(token)

    def job(connection: Connection) -> NewKey:
        at = clock.now()
        if not _sql.take_setup(connection, digest, at) or _sql.has_admin(connection, at):
            raise _unknown()
        return create_key(connection, name, roles=_FIRST, by="setup", at=at)

    # Strangers come here: a commit that fails has others' commits done again.
    if not await database.read(lambda connection: _sql.has_setup(connection, digest, clock.now())):
        raise _unknown()
    return await database.commit(job)


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "the setup token is unknown, spent or too old",
        hint="Start the server anew for another one, or use `proctor keys create` on its machine.",
    )
