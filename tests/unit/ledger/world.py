"""A worker's budgets on a real database, and calls that are made through them."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import select

from proctor.core import (
    BudgetRule,
    Decision,
    DeploymentSettings,
    ModelCall,
    ModelResult,
    ToolCall,
    ToolResult,
    ToolServerSettings,
    ToolSpec,
    Usage,
)
from proctor.ledger import Budgets, Prices, Reconciler, ledger_entries
from proctor.ledger._tables import budget_accounts, budget_pieces
from proctor.store import Database
from proctor.testing import FakeClock, FakeScope

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUND = 10
DEPLOYMENTS = {
    "small": DeploymentSettings(model="m-1", price={"input": 1, "output": 10}, max_output=50),
    "large": DeploymentSettings(model="m-2", price={"input": 10, "output": 100}, max_output=50),
    "free": DeploymentSettings(model="m-3", price="free"),
    "unpriced": DeploymentSettings(model="m-4", base_url="http://127.0.0.1:9/v1"),
}
TOOLS = {
    "shop": ToolServerSettings.model_validate(
        {"url": "http://127.0.0.1:9", "cost_per_call": "0.002", "call_timeout": 10, "max_output": 1000}
    )
}


def call(*, model="small", text="x" * 100, scope=None, **more) -> ModelCall:
    return ModelCall(
        scope=scope or FakeScope(), model=model, messages=({"role": "user", "content": text},), **more
    )


def tool_call(*, scope=None, server="shop") -> ToolCall:
    spec = ToolSpec(server=server, name="look_up", description="", parameters={})
    return ToolCall(scope=scope or FakeScope(), tool=spec, arguments={})


PRICES = Prices(DEPLOYMENTS)
NEED = PRICES.bound_of(call(), at=NOON)
"""What is set aside for one call to `small`."""


def answers(cost: int, *, model="small"):
    """A provider whose answer costs so many micro-dollars on `small`: one for each token of the prompt."""

    async def handler(made: ModelCall) -> ModelResult:
        return ModelResult(
            message={},
            finish_reason="stop",
            usage=Usage(input=cost),
            deployment=made.model,
            model="m-1",
        )

    return handler


class Held:
    """A provider that answers when it is told to."""

    def __init__(self, cost: int) -> None:
        self.go, self.asked = asyncio.Event(), asyncio.Semaphore(0)
        self._answer = answers(cost)

    async def __call__(self, made: ModelCall) -> ModelResult:
        self.asked.release()
        await self.go.wait()
        return await self._answer(made)


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock(NOON)
        self.happened: list[tuple[str, str]] = []
        self.cheaper: dict[str, str] = {}

    def budgets(
        self, worker="w1", *, patience=0.0, prices=PRICES, tools=TOOLS, piece=0.01, **rules
    ) -> Budgets:
        return Budgets(
            {name: BudgetRule.model_validate(rule) for name, rule in rules.items()},
            prices=PRICES,
            database=self.database,
            worker=worker,
            clock=self.clock,
            piece=piece,
            tools=TOOLS,
            cheaper=lambda made: self.cheaper.get(made.model),
            listener=lambda what, budget: self.happened.append((what, budget)),
            patience=timedelta(seconds=patience),
        )

    def reconciler(
        self, budgets, *, gone=(), fate="completed", gives_back=True, young=timedelta(0)
    ) -> Reconciler:
        async def are_gone(workers):
            return [worker for worker in workers if worker in gone]

        async def fate_of(_worker):
            return fate

        return Reconciler(
            budgets,
            self.database,
            clock=self.clock,
            gone=are_gone,
            fate=fate_of,
            gives_back=gives_back,
            young=young,
        )

    async def enter(self, *scopes: FakeScope) -> None:
        """Commits what calls booked."""
        for scope in scopes:
            for _, write in scope.booked:
                await self.database.commit(write)
            scope.booked.clear()

    async def account(self, budget="daily", subject="") -> tuple[int, int, int]:
        """What of an account is taken, spent and lost."""
        query = select(budget_accounts).where(
            budget_accounts.c.budget == budget, budget_accounts.c.subject == subject
        )
        rows = await self.rows(query)
        return sum(r.taken for r in rows), sum(r.spent for r in rows), sum(r.lost for r in rows)

    async def pieces(self) -> dict[str, tuple[int, int]]:
        return {row.holder: (row.taken, row.spent) for row in await self.rows(select(budget_pieces))}

    async def entries(self) -> list:
        return await self.rows(select(ledger_entries).order_by(ledger_entries.c.id))

    async def rows(self, query) -> list:
        return await self.database.read(lambda connection: connection.execute(query).all())


@asynccontextmanager
async def a_world(url: str):
    async with await Database.open(url) as database:
        yield World(database)


async def chain(budgets: Budgets, made: ModelCall, provider) -> ModelResult:
    """The model chain as far as it is the ledger's."""
    async with asyncio.timeout(BOUND):
        return await budgets.thrift(made, partial(_inner, budgets, provider))


async def _inner(budgets, provider, made):
    return await budgets.model(made, provider)


def approve(**more) -> Decision:
    return Decision(kind="approve", by="ann@example.org", **more)


def gives(text: str):
    async def handler(_call: ToolCall) -> ToolResult:
        return ToolResult(text=text)

    return handler


def usd(micros: int) -> str:
    return f"{micros / 1_000_000:.6f}"
