"""A real server on a port of this machine, with teams that answer, refund, confer and ask."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from fastapi import FastAPI, Request

import proctor
from conftest import make_settings
from proctor.access import Principal, Role
from proctor.api import make_site
from proctor.core import JsonObject, ModelCall, ModelResult, Unauthenticated, Usage
from proctor.testing import Reply, ScriptedModel, tool_call

BOUND = 60


def known(name: str, *roles: Role, tenant: str | None = None) -> Principal:
    return Principal(name=name, kind="key", roles=frozenset(roles), tenant=tenant)


CALLERS: Mapping[str, Principal] = {
    "root": known("root", "admin"),
    "olga": known("olga", "operator"),
    "ann": known("ann", "operator", "approver"),
    "vic": known("vic", "viewer"),
    "aud": known("aud", "auditor"),
    "acme": known("acme-key", "operator", tenant="acme"),
    "other": known("other-key", "operator", "approver", tenant="other"),
}


class TokenDoor:
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


def said_to(call: ModelCall) -> str:
    """The last words that anybody but the tools said to the model."""
    return str(next(m["content"] for m in reversed(call.messages) if m["role"] == "user"))


@dataclass
class Desk:
    """What stands behind the server; `held` keeps models from answering until it is set."""

    refunds: list[str] = field(default_factory=list)
    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    proctor: Any = None
    site: Any = None
    model: Any = None

    def __post_init__(self) -> None:
        self.held.set()

    async def think(self, call: ModelCall) -> Reply:
        """As the task says: `refund` calls the tool, `break` fails, `slow` waits; else it is repeated."""
        task = said_to(call)
        self.asked.put_nowait(task)
        if "slow" in task:
            if call.on_text is not None:
                call.on_text("Half ")
            await self.held.wait()
            if call.on_text is not None:
                call.on_text("and whole.")
                return answered(call, "Half and whole.")
        if "break" in task:
            return ValueError("broken")
        if "refund" in task and call.tools and not any(m["role"] == "tool" for m in call.messages):
            return [tool_call("refund", order="7")]
        if call.messages[-1]["role"] == "tool":
            return f"Done: {call.messages[-1]['content']}"
        return f"You said: {task}"


def answered(call: ModelCall, text: str) -> Reply:
    """An answer whose tokens were given already."""
    message: JsonObject = {"role": "assistant", "content": text}
    return ModelResult(
        message=message,
        finish_reason="stop",
        usage=Usage(input=10, output=4),
        deployment=call.model,
        model="gpt-5.4-mini",
    )


def application(desk: Desk) -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund(order: str) -> str:
        """Pays an order back."""
        desk.refunds.append(order)
        return f"order {order} is paid back"

    @app.team("desk", tools=["refund"])
    def clerk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("refund"),
            model_client_stream=True,
            reflect_on_tool_use=True,
        )

    @app.team("pair")
    def pair(ctx: proctor.TeamContext) -> Team:
        members = [
            AssistantAgent(name, model_client=ctx.model("small"), model_client_stream=True)
            for name in ("writer", "editor")
        ]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    @app.team("confirmed team")
    def confirmed(ctx: proctor.TeamContext) -> Team:
        members = [AssistantAgent("writer", model_client=ctx.model("small")), ctx.human("manager")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    return app


class _Server(uvicorn.Server):
    """Leaves signals to the test's process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


@asynccontextmanager
async def serving(site: FastAPI) -> AsyncIterator[str]:
    """Where the site answers, on a real port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(site, log_config=None, timeout_graceful_shutdown=2))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                assert not task.done(), "the server didn't start"
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    """The server while it answers."""
    desk = Desk()
    model = desk.model = ScriptedModel(desk.think)
    configured = make_settings(f"sqlite:///{folder}/proctor.db", **settings)
    async with (
        asyncio.timeout(BOUND),
        proctor.open(
            application(desk), settings=configured, providers={"openai": model}, environ={}
        ) as running,
    ):
        desk.proctor = running
        desk.site = make_site(running, door=TokenDoor())
        async with serving(desk.site) as url:
            desk.url = url
            yield desk
