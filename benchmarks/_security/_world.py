"""A server with two tenants, callers of all kinds, and real things of each tenant that routes are about."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from proctor import Decision, Settings
from proctor.access import NewKey, Role
from proctor.api import make_server
from proctor.approvals import Filter, standing_page
from proctor.cli._web import web
from proctor.core import BudgetRule, ModelCall
from proctor.knowledge import Document
from proctor.ledger import set_budget
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call

OWN, OTHER = "acme", "rival-co"
MARKS = {OWN: "our own business", OTHER: "a secret of the rival"}
"""What stands in the tasks of each tenant."""

ROLES: tuple[Role, ...] = get_args(Role)
PLENTY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who sends requests."""

    name: str
    """`none`, `expired key`, `revoked key`, or the role."""
    role: Role | None
    """Nothing: nobody who may do anything."""
    tenant: str | None
    headers: Mapping[str, str]


def application() -> proctor.App:
    """A team that asks a person before it gives money back."""
    app = proctor.App()

    @app.tool(effect="consequential")
    async def refund(order: str) -> str:
        """Gives the money back."""
        return f"order {order} is refunded"

    @app.team("desk", tools=["refund"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"), max_tool_iterations=5
        )

    return app


def clerk(call: ModelCall) -> Reply:
    """Refunds where it is asked to, and repeats the task else."""
    task = str(next(message["content"] for message in call.messages if message["role"] == "user"))
    asked = any(message["role"] == "tool" for message in call.messages)
    if asked or not task.startswith("refund "):
        return f"Done: {task}"
    return [tool_call("refund", order=task.partition(":")[0])]


def settings(url: str) -> Settings:
    """A server that asks who somebody is, and counts no requests: the table is about roles."""
    return Settings.model_validate(
        {
            "database": {"url": url, "linger": 0},
            "models": {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}},
            "policies": {"marking": "off"},
            "knowledge": {"embeddings": "none"},
            "access": {
                "authentication": "required",
                "requests_per_minute": PLENTY,
                "failures_per_minute": PLENTY,
            },
        }
    )


class World:
    """The running server, and makers of what its routes are about."""

    def __init__(self, running: proctor.Proctor, address: str) -> None:
        self.running = running
        self.address = address
        self.callers: tuple[Caller, ...] = ()
        self.secrets = {MARKS[OTHER]}
        """What nobody of the own tenant may be told: texts and ids of the other."""
        self._made = 0

    async def run(self, tenant: str) -> str:
        """The id of a run that has ended."""
        run = await self.running.run("desk", MARKS[tenant], tenant=tenant)
        return self._note(tenant, run.id)

    async def response(self, tenant: str) -> str:
        """The id by which OpenAI's clients know a run of a conversation."""
        thread = await self.running.open_thread("desk", tenant=tenant)
        run = await self.running.run("desk", MARKS[tenant], tenant=tenant, thread=thread.id)
        return self._note(tenant, run.id.replace("run_", "resp_"))

    async def approval(self, tenant: str) -> str:
        """The id of a question that waits for a person."""
        self._made += 1  # another order each time: an approval that stands is for one of them
        run = await self.running.run("desk", f"refund {self._made}: {MARKS[tenant]}", tenant=tenant)
        (waiting,) = await self.running.approvals(Filter(run_id=run.id))
        return self._note(tenant, waiting.id)

    async def standing(self, tenant: str) -> str:
        """The id of an approval that also holds for later calls."""
        decision = Decision(kind="approve", by="ann@example.org", standing="day")
        await self.running.decide(await self.approval(tenant), decision)
        found = await self.running.database.read(
            lambda connection: standing_page(connection, now=datetime.now(UTC), limit=200)
        )
        return self._note(tenant, next(each.id for each in found if each.tenant == tenant))

    async def thread(self, tenant: str) -> str:
        """The id of a conversation."""
        thread = await self.running.open_thread("desk", tenant=tenant)
        await self.running.run("desk", MARKS[tenant], tenant=tenant, thread=thread.id)
        return self._note(tenant, thread.id)

    async def collection(self, tenant: str) -> str:
        """The name of a collection of documents in which each tenant has its own."""
        document = Document(name="a", text=MARKS[tenant], tenant=tenant)
        await self.running.knowledge.add(f"{tenant}/papers", [document])
        return "papers"

    async def key(self, _tenant: str) -> str:
        """The id of a program's key."""
        return (await self._key(["viewer"])).key.id

    async def budget(self, _tenant: str) -> str:
        """The name of a budget that was set."""
        self._made += 1
        name, rule = f"made{self._made}", BudgetRule.model_validate({"usd": 5, "period": "day"})
        at = datetime.now(UTC)
        await self.running.database.commit(
            lambda connection: set_budget(connection, name, rule, at=at, by="test")
        )
        return name

    def _note(self, tenant: str, made: str) -> str:
        if tenant == OTHER:
            self.secrets.add(made)
        return made

    async def make_callers(self) -> None:
        """Makes one caller of each kind."""
        found = [Caller(name="none", role=None, tenant=None, headers={})]
        for role in ROLES:
            found += [
                Caller(name=role, role=role, tenant=tenant, headers=_bearer(await self._key([role], tenant)))
                for tenant in (None, OWN)
            ]
        revoked = await self._key(["admin"])
        await self.running.keys.revoke(revoked.key.id, by="test")
        expired = await self._expired()
        for name, key in (("expired key", expired), ("revoked key", revoked)):
            found.append(Caller(name=name, role=None, tenant=None, headers=_bearer(key)))
        self.callers = tuple(found)

    async def _key(self, roles: list[Role], tenant: str | None = None) -> NewKey:
        self._made += 1
        return await self.running.keys.create(f"made{self._made}", roles=roles, tenant=tenant, by="test")

    async def _expired(self) -> NewKey:
        earlier = FakeClock(datetime.now(UTC) - timedelta(days=2))
        keys = type(self.running.keys)(self.running.database, clock=earlier)
        return await keys.create("expired", roles=["admin"], by="test", life=timedelta(days=1))


Maker = Callable[[World, str], Awaitable[str]]


def _bearer(key: NewKey) -> dict[str, str]:
    return {"authorization": f"Bearer {key.token}"}


@asynccontextmanager
async def open_world(url: str) -> AsyncIterator[World]:
    """A server on a free port of this machine, with its callers."""
    model = ScriptedModel(clerk)
    async with proctor.open(
        application(), settings=settings(url), providers={"openai": model}, grace=timedelta(0)
    ) as running:
        app = make_server(running, host="127.0.0.1", environ={})
        async with web(app, host="127.0.0.1", port=0) as address:
            world = World(running, address)
            await world.make_callers()
            yield world
