"""What dead workers had set aside is settled by what the ledger holds of them."""

from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Literal, TypeAlias

from proctor.core import Clock
from proctor.ledger import _holds, _settling
from proctor.ledger._budgets import Budgets
from proctor.ledger._rules import claim_at
from proctor.store import Database

Fate: TypeAlias = Literal["open", "ended", "completed"]
"""What became of the runs that a worker held. `open`: one may yet go on, and repeat a request that the ledger
doesn't know. `ended`: one never will, and didn't complete either. `completed`: all did, and have repeated
whatever they had asked for."""

Gone: TypeAlias = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Those of the workers that are dead for sure: none of them makes calls any more."""

FateOf: TypeAlias = Callable[[str], Awaitable[Fate]]
"""Tells the fate of the runs that a worker held."""

YOUNG = timedelta(minutes=1)
"""A worker that began so lately may not have said yet that it is there."""


class Reconciler:
    """Settles for those who can't do it themselves any more.

    What a dead worker's piece holds beyond the ledger may have been spent by requests that were under way. It
    comes back where every request was repeated and no provider bills that twice; else it is lost: it counts
    as spent until its period ends, or until an operator knows better.
    """

    def __init__(
        self,
        budgets: Budgets,
        database: Database,
        *,
        clock: Clock,
        gone: Gone,
        fate: FateOf,
        gives_back: bool,
        young: timedelta = YOUNG,
    ) -> None:
        self._budgets = budgets
        self._database = database
        self._clock = clock
        self._gone = gone
        self._fate = fate
        self._gives_back = gives_back
        self._young = young

    async def work(self) -> None:
        """Settles what can be settled now. Several workers may do it at once."""
        await self._database.commit(_holds.fold)
        at = self._clock.now()
        found = await self._database.read(lambda connection: _settling.holders(connection, at - self._young))
        workers = [name for name in found if not name.startswith((_holds.BATCH, _holds.FOLDED))]
        for worker in sorted(await self._gone(workers)) if workers else ():
            fate = await self._fate(worker)
            if fate != "open":
                await self._settle(worker, gives_back=self._gives_back and fate == "completed")
        await self._database.commit(lambda connection: _settling.prune(connection, at))

    async def _settle(self, worker: str, *, gives_back: bool) -> None:
        budgets = self._budgets.rules.budgets
        keys = await self._database.read(lambda connection: _settling.held_keys(connection, worker))
        claims = [claim for key in keys if (claim := claim_at(budgets, key)) is not None]
        await self._database.commit(
            lambda connection: _settling.reconcile(
                connection, holder=worker, claims=claims, gives_back=gives_back
            )
        )
