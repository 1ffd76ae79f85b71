"""Threads: conversations, whose runs follow each other and know of each other.

A message is a run. Which of them executes, and what its agents know, stands in `_threads_sql`.
"""

from functools import partial

from sqlalchemy import Connection

from proctor import audit
from proctor.core import Clock, check_tenant, new_id
from proctor.runs import _sql, _threads_sql
from proctor.runs._once import Once, Repeated, noting
from proctor.runs._values import Run, Thread
from proctor.store import Database


class Threads:
    """The threads of one database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, team: str, *, tenant: str, once: Once | None = None) -> Thread:
        """A new thread, which belongs to one team and one tenant; with `once` the one of an earlier sending.

        Raises:
            InvalidInput: the tenant's name can't be taken.
            KeyReused: another request was sent with the same key.
        """
        check_tenant(tenant)
        thread = Thread(
            id=new_id("thr"),
            team=team,
            tenant=tenant,
            turns=0,
            created_at=self._clock.now(),
            spoken_at=None,
        )
        commit = self._database.commit if once is None else self._database.apart
        insert = partial(_threads_sql.insert_thread, thread=thread)
        try:
            await commit(noting(once, thread.id, thread.created_at, insert))
        except Repeated as again:
            return await self.get(again.thing)
        return thread

    async def get(self, thread_id: str, *, tenant: str | None = None) -> Thread:
        """One thread; with `tenant` only where it is that tenant's.

        Raises:
            NotFound: there is no such thread.
        """
        return await self._database.read(
            lambda connection: _threads_sql.get_thread(connection, thread_id, tenant=tenant)
        )

    async def page(
        self, *, team: str | None = None, tenant: str | None = None, before: str = "", limit: int = 50
    ) -> tuple[Thread, ...]:
        """A page of threads, newest first."""

        def query(connection: Connection) -> tuple[Thread, ...]:
            return _threads_sql.page_threads(connection, team=team, tenant=tenant, before=before, limit=limit)

        return await self._database.read(query)

    async def runs(
        self, thread_id: str, *, tenant: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[Run, ...]:
        """A page of a thread's runs, in the order of its messages, from behind the n-th.

        Raises:
            NotFound: there is no such thread.
        """

        def query(connection: Connection) -> tuple[Run, ...]:
            _threads_sql.get_thread(connection, thread_id, tenant=tenant)
            found = _threads_sql.runs_of_thread(connection, thread_id, after=after, limit=limit)
            return tuple(_sql.get_run(connection, run_id) for run_id in found)

        return await self._database.read(query)

    async def is_shared(self, run: Run) -> bool:
        """Whether somebody else than the run's requester has asked in its thread, too."""
        return await self._database.read(partial(_threads_sql.is_shared, run=run))

    async def before(self, run_id: str) -> tuple[Run, ...]:
        """The runs that go on and that a queued run of their thread waits for, the oldest first."""

        def query(connection: Connection) -> tuple[Run, ...]:
            found = _threads_sql.standing_before(connection, run_id)
            return tuple(_sql.get_run(connection, each) for each in found)

        return await self._database.read(query)

    async def forget(self, thread_id: str, *, by: str = "") -> int:
        """How many states were deleted: the thread's agents know nothing of its earlier messages any more.

        Its runs stay. A failed one that is resumed asks its models anew.

        Raises:
            NotFound: there is no such thread.
            ThreadBusy: a run of the thread goes on.
        """

        def apply(connection: Connection) -> int:
            thread = _threads_sql.get_thread(connection, thread_id)
            states = _threads_sql.forget(connection, thread_id)
            if states:
                audit.append(
                    connection,
                    at=self._clock.now(),
                    actor=by,
                    action="thread.forgotten",
                    thing=thread_id,
                    tenant=thread.tenant,
                    data={"states": states},
                )
            return states

        return await self._database.commit(apply)
