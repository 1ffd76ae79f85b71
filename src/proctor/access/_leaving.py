"""How a person is shut out: all that opens the server in their name is revoked at once."""

from dataclasses import dataclass

from sqlalchemy import Connection

from proctor.access import _sql
from proctor.access._keys import revoke_key
from proctor.access._sessions import end_session
from proctor.access._values import Key
from proctor.core import Clock, NotFound
from proctor.store import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutOut:
    """What opened the server in a person's name, and opens it no more."""

    keys: tuple[Key, ...]
    sessions: int


async def shut_out(database: Database, name: str, *, by: str, clock: Clock) -> ShutOut:
    """The person's own keys, now revoked, and how many sessions were ended.

    Servers refuse them within two seconds. Whoever the identity provider still lets in can sign in anew.

    Raises:
        NotFound: nothing opens the server in that name.
    """

    def job(connection: Connection) -> ShutOut:
        at = clock.now()
        keys = _sql.keys_of_person(connection, name, at)
        sessions = _sql.sessions_of_person(connection, name)
        for session in sessions:
            end_session(connection, session, by=by, at=at)
        return ShutOut(
            keys=tuple(revoke_key(connection, key, by=by, at=at) for key in keys), sessions=len(sessions)
        )

    done = await database.commit(job)
    if not done.keys and not done.sessions:  # not in the job: a commit that fails has others' done again
        raise NotFound(f"nothing opens the server in the name of {name}")
    return done
