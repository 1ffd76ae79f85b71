"""A site in this process with one team, callers known by fixed tokens, and real things to show."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from fastapi import FastAPI, Request

import proctor
from conftest import make_settings
from proctor.access import Principal, Role
from proctor.api import make_site
from proctor.core import ModelCall, Unauthenticated
from proctor.testing import Reply, ScriptedModel, tool_call

BOUND = 60
ROLES = {"manager": {"members": ["ann", "bob"]}}
RULE = {"tools": ["refund"], "roles": ["manager"]}


def known(name: str, *roles: Role, tenant: str | None = None) -> Principal:
    return Principal(name=name, kind="person", roles=frozenset(roles), tenant=tenant)


CALLERS: Mapping[str, Principal] = {
    "root": known("root", "admin"),
    "ann": known("ann", "approver"),
    "bob": known("bob", "approver"),
    "olga": known("olga", "operator"),
    "vic": known("vic", "viewer"),
    "acme": known("ann", "admin", tenant="acme"),
    "other": known("ann", "admin", tenant="other"),
}
"""By token. Those of the tenants have a name that may decide."""


class FixedDoor:
    """Knows callers by fixed tokens."""

    async def enter(self, request: Request) -> Principal:
        """Who has the token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in CALLERS:
            raise Unauthenticated("nobody is known by this key")
        return CALLERS[token]

    async def recall(self, request: Request) -> None:
        """Whoever has the token keeps it."""
        await self.enter(request)


def clerk(call: ModelCall) -> Reply:
    """Pays back what a task asks to be paid back; else it answers at once."""
    asked, done = str(call.messages[1]["content"]), [each for each in call.messages if each["role"] == "tool"]
    if "refund" in asked and not done:
        return [tool_call("refund", order="7", amount=5)]
    return "All done."


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund(order: str, amount: float) -> str:
        """Pays money back."""
        return f"refunded {amount:g} of order {order}"

    @app.team("desk", tools=["refund"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"))

    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running Proctor, and how to ask its site."""

    proctor: proctor.Proctor
    site: FastAPI

    async def ask(
        self, caller: str, method: str, path: str, *, if_match: str = "", **more: Any
    ) -> httpx2.Response:
        """What the site answers a caller."""
        headers = {"Authorization": f"Bearer {caller}"} if caller else {}
        if if_match:
            headers["If-Match"] = if_match
        # What breaks in the site is to be seen as a client sees it.
        transport = httpx2.ASGITransport(app=self.site, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://proctor") as client:
            return await client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, caller: str, path: str, **params: Any) -> Any:
        """The body of what was found."""
        answer = await self.ask(caller, "GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def waiting(self, tenant: str = "default") -> str:
        """The id of a question that waits."""
        run = await self.proctor.run("desk", "refund order 7", tenant=tenant)
        assert run.state == "waiting", run.error
        approvals = await self.proctor.approvals()
        return next(each.id for each in approvals if each.run_id == run.id)


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Site]:
    """The site on a database."""
    more = {"roles": ROLES, "teams": {"desk": {"approvals": [RULE]}}, "knowledge": {"embeddings": "none"}}
    configured = make_settings(url, **more | settings)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(
            application(), settings=configured, providers={"openai": ScriptedModel(clerk)}, environ={}
        ) as running,
    ):
        yield Site(proctor=running, site=make_site(running, door=FixedDoor()))
