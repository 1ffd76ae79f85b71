"""What the chains of all teams share, one of each a process: budgets, router, cache, breakers, and more."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from proctor import ledger, runs
from proctor.core import Clock, JsonObject, Micros, ModelResult, PriceUnknown, Usage
from proctor.engine import Chore, Workers
from proctor.models import Batches, BatchRequest, Breakers, Cache, ConfiguredEndpoints, Embed, Models, Rates
from proctor.models.router import Router, overrides
from proctor.telemetry import Metrics

if TYPE_CHECKING:
    from proctor.app._settings import Settings
    from proctor.store import Database

GONE = timedelta(minutes=1)
"""A worker that has said nothing for so long makes no calls."""

BUDGETS_LOOK = timedelta(seconds=2)
"""Between looks for budgets that somebody has set."""
TIDY_LOOK = timedelta(seconds=1)
"""Between looks for money that is set aside and not needed."""
DEAD_LOOK = timedelta(seconds=10)
"""Between looks for what dead workers had set aside."""
BATCH_LOOK = timedelta(seconds=5)
"""Between looks for requests that go, and answers that come, by a provider's batch."""
PRUNE_LOOK = timedelta(minutes=10)
"""Between looks for cached answers that are too old."""
DAILY_LOOK = timedelta(minutes=5)
"""Between looks whether the day's work is done: sizes measured, books held against each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the links stand on."""

    settings: "Settings"
    database: "Database"
    models: Models
    workers: Workers
    metrics: Metrics
    clock: Clock
    environ: Mapping[str, str]
    level: Callable[[], int]
    """The level of degradation."""
    wake: Callable[[], None]
    """Told when runs have become due."""


class Links:
    """The parts of the model chain that all teams share, and what has to be done for them now and then."""

    def __init__(self, ground: Ground) -> None:
        settings, metrics, clock = ground.settings, ground.metrics, ground.clock
        self._ground = ground
        self._prices = prices = ledger.Prices(settings.models, added=ground.models.added)
        self.router = Router(
            settings.models,
            settings.router,
            clock=clock,
            price=self._price,
            level=ground.level,
            budget_share=lambda: 1 - self.budgets.share,
            override=overrides(settings.teams, settings.models),
        )
        self.budgets = ledger.Budgets(
            ledger.configured(settings.budget, settings.budgets, settings.teams),
            prices=prices,
            database=ground.database,
            worker=ground.workers.id,
            clock=clock,
            piece=settings.budget.piece,
            tools=settings.tools,
            cheaper=self.router.cheaper,
            listener=metrics.budget_told,
        )
        self.reconciler = ledger.Reconciler(
            self.budgets,
            ground.database,
            clock=clock,
            gone=self._gone,
            fate=self._fate,
            gives_back=prices.repeats_are_free,
        )
        self.cache = Cache(
            settings.models,
            database=ground.database,
            clock=clock,
            allowed=settings.may_be_cached,
            on_hit=self.budgets.given_again,
            embed=_embed(settings),
        )
        self.batches = Batches(
            settings.models,
            ground.database,
            ConfiguredEndpoints(ground.environ),
            clock=clock,
            hold=self.budgets.hold,
            redeem=self.budgets.redeem,
            release=self.budgets.release,
            unclaimed=self._unclaimed,
            unfinished=runs.unfinished,
            wake=runs.wake,
        )
        self.breakers = Breakers(settings.models, clock=clock, on_change=metrics.breaker_changed)
        self.rates = Rates(
            settings.models,
            database=ground.database,
            clock=clock,
            rng=Random(),  # noqa: S311 - spreads requests; it needs no secrecy
            on_wait=metrics.rate_waited,
        )

    async def close(self) -> None:
        """Gives back what is set aside and not needed."""
        await self.batches.close()
        await self.budgets.close()

    def chores(self) -> tuple[Chore, ...]:
        """What a process that executes runs does for them."""
        ground, budgets = self._ground, self.budgets
        database, clock = ground.database, ground.clock
        audit = ledger.Audit(
            database, clock=clock, worker=ground.workers.id, on_differences=ground.metrics.ledger_differs
        )
        price = ground.settings.storage.usd_per_gb_month
        storage = ledger.Storage(database, clock=clock, usd_per_gb_month=price)
        chores: tuple[Chore, ...] = (
            Chore(name="budgets that are set", every=BUDGETS_LOOK, work=budgets.look),
            Chore(name="money that isn't needed", every=TIDY_LOOK, work=budgets.tidy),
            Chore(name="dead workers' money", every=DEAD_LOOK, work=self.reconciler.work),
            Chore(name="audit of the ledger", every=DAILY_LOOK, work=audit.look),
            Chore(name="sizes of what is kept", every=DAILY_LOOK, work=storage.look),
        )
        if self.cache.is_used:
            chores += (Chore(name="old cached answers", every=PRUNE_LOOK, work=self.cache.prune),)
        if any(one.batch for one in ground.settings.models.values()):
            chores += (Chore(name="batches", every=BATCH_LOOK, work=self._carry_batches),)
        return chores

    async def _carry_batches(self) -> None:
        if await self.batches.work():
            self._ground.wake()

    def _price(self, deployment: str, usage: Usage) -> Micros | None:
        try:
            return self._prices.price_of(usage, deployment, at=self._ground.clock.now())
        except PriceUnknown:
            return None

    async def _gone(self, workers: Collection[str]) -> Collection[str]:
        now, own = self._ground.clock.now(), self._ground.workers.id
        seen = {worker.id for worker in await self._ground.workers.page() if now - worker.seen_at < GONE}
        return [worker for worker in workers if worker not in seen and worker != own]

    async def _fate(self, worker: str) -> ledger.Fate:
        states = await self._ground.database.read(partial(runs.states_of, worker=worker))
        if states <= {"completed"}:
            return "completed"
        return "ended" if states <= {"completed", "cancelled"} else "open"

    def _unclaimed(self, connection: Connection, request: BatchRequest, result: ModelResult) -> None:
        """Enters what a provider's batch answered when nobody waited for it any more."""
        cost = self.budgets.unclaimed(connection, request, result)
        self._ground.metrics.wasted(request.team, request.agent, "", cost)
        data: JsonObject = {"deployment": result.deployment, "outcome": "unclaimed", "cost": cost}
        runs.waste(
            connection, request.run_id, agent=request.agent, data=data, cost=cost, at=self._ground.clock.now()
        )


def _embed(settings: "Settings") -> Embed | None:
    """What compares questions, where a deployment's cache does. Else nothing of it is loaded."""
    if not any(one.cache and one.cache.similarity for one in settings.models.values()):
        return None
    from proctor.knowledge import Embedder

    return Embedder().embed
