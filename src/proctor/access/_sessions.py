"""Sessions of people who have signed in."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor import audit
from proctor.access import _sql
from proctor.access._secrets import hash_of, new_secret
from proctor.access._values import Principal, Session
from proctor.core import AccessSettings, Clock, Unauthenticated
from proctor.store import Database

FRESH = timedelta(seconds=2)
"""How long a session is believed without another look: so long one that was ended elsewhere goes on."""
COARSE = timedelta(minutes=1)
"""Between notes of when a session was used."""
MOST_SEEN = 10_000


class Sessions:
    """All sessions of a database, as one process sees them."""

    def __init__(self, database: Database, settings: AccessSettings, *, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._seen: dict[str, tuple[datetime, Session]] = {}

    async def open(self, principal: Principal) -> str:
        """The secret of a new session, for the person's browser alone. Sessions that are over are removed."""
        secret = new_secret()

        def job(connection: Connection) -> None:
            at = self._clock.now()
            _sql.delete_old_sessions(
                connection,
                seen_before=at - self._settings.session_idle,
                began_before=at - self._settings.session_life,
            )
            session = Session(
                id=hash_of(secret),
                name=principal.name,
                roles=principal.roles,
                tenant=principal.tenant,
                began_at=at,
                seen_at=at,
            )
            _sql.insert_session(connection, session)
            audit.append(
                connection,
                at=at,
                actor=principal.name,
                action="session.began",
                thing=principal.name,
                tenant=principal.tenant or "",
                data={"roles": sorted(principal.roles)},
            )

        await self._database.commit(job)
        return secret

    async def find(self, secret: str) -> Principal:
        """Who has signed in.

        Raises:
            Unauthenticated: there is no such session, or it is over.
        """
        session_id, now = hash_of(secret), self._clock.now()
        session = await self._read(session_id, now)
        idle = self._settings.session_idle
        if session is None or now - session.seen_at > idle or now >= self._ends(session):
            raise Unauthenticated("the session is over", hint="Sign in again.")
        if now - session.seen_at > min(COARSE, idle / 4):
            await self._database.commit(lambda connection: _sql.touch_session(connection, session_id, now))
            if session_id in self._seen:  # not closed meanwhile
                self._seen[session_id] = (now, replace(session, seen_at=now))
        return session.principal

    def knows(self, secret: str) -> bool:
        """Whether a session was found before, by this process: that it still goes on isn't said."""
        return hash_of(secret) in self._seen

    async def close(self, secret: str) -> None:
        """Ends a session: here at once, in other processes within two seconds."""
        session_id = hash_of(secret)

        def job(connection: Connection) -> None:
            session = _sql.find_session(connection, session_id)
            if session is not None:
                end_session(connection, session, by=session.name, at=self._clock.now())

        await self._database.commit(job)
        self._seen.pop(session_id, None)

    def _ends(self, session: Session) -> datetime:
        return session.began_at + self._settings.session_life

    async def _read(self, session_id: str, now: datetime) -> Session | None:
        seen = self._seen.get(session_id)
        if seen is not None and timedelta(0) <= now - seen[0] < FRESH:
            return seen[1]
        session = await self._database.read(lambda connection: _sql.find_session(connection, session_id))
        if session is None:
            self._seen.pop(session_id, None)
            return None
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen[session_id] = (now, session)
        return session


def end_session(connection: Connection, session: Session, *, by: str, at: datetime) -> None:
    """Ends a session in the caller's transaction, unless another one has ended it."""
    if _sql.delete_session(connection, session.id):
        audit.append(
            connection,
            at=at,
            actor=by,
            action="session.ended",
            thing=session.name,
            tenant=session.tenant or "",
        )
