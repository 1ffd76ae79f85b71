"""A site in this process whose teams talk for as long as a test wants; on a real port where one is needed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from conftest import make_settings
from proctor.api import make_site
from proctor.cli._web import web
from proctor.core import Clock, ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call
from servers.rest_desk import BOUND, FixedDoor


@dataclass
class World:
    """What a test decides while runs go on."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """Tasks that wait, by their words: `hold` waits for `gates["hold"]`."""
    turns: int = 6
    """Messages of a talk."""
    words: str = "That is what I think of it."

    def gate(self, word: str) -> asyncio.Event:
        return self.gates.setdefault(word, asyncio.Event())

    async def answer(self, call: ModelCall) -> Reply:
        texts = [str(message.get("content")) for message in call.messages]
        for word, gate in self.gates.items():
            if word in texts[1]:
                await gate.wait()
        if "break" in texts[1]:
            return ValueError("out of order")
        if "refund" in texts[1] and not any(message["role"] == "tool" for message in call.messages):
            return [tool_call("refund", order="7")]
        said = sum(message["role"] == "assistant" for message in call.messages)
        words = f"Thought {len(call.messages)}. {self.words}"
        return f"{words} DONE" if said >= self.turns // 2 else words


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund(order: str) -> str:
        """Pays money back."""
        return f"refunded order {order}"

    @app.team("desk", tools=["refund"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"))

    @app.team("talk")
    def talk(ctx: proctor.TeamContext) -> Team:
        agents: list[ChatAgent] = [
            AssistantAgent(name, model_client=ctx.model("small"), model_client_stream=True)
            for name in ("ada", "bob")
        ]
        return RoundRobinGroupChat(agents, termination_condition=TextMentionTermination("DONE"))

    return app


@asynccontextmanager
async def running(
    url: str, world: World, *, executes: bool = True, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[proctor.Proctor]:
    """Proctor on a database."""
    async with (
        asyncio.timeout(BOUND),
        proctor.open(
            application(),
            settings=make_settings(url, **settings),
            providers={"openai": ScriptedModel(world.answer)},
            environ={},
            executes=executes,
            clock=clock,
        ) as opened,
    ):
        yield opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How to ask a site in this process."""

    client: httpx2.AsyncClient

    async def ask(
        self, caller: str, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """What the site answers a caller."""
        who = {"Authorization": f"Bearer {caller}"} if caller else {}
        return await self.client.request(method, f"/api/v1{path}", headers=who | (headers or {}), **more)

    async def get(self, caller: str, path: str, **params: Any) -> Any:
        """The body of what was found."""
        answer = await self.ask(caller, "GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def start(
        self, caller: str = "olga", *, key: str = "", wait: int = 0, **body: Any
    ) -> httpx2.Response:
        """The answer to a run that is asked for."""
        headers = {"Idempotency-Key": key} if key else {}
        asked = {"team": "talk", "task": "What do you think?", **body}
        return await self.ask(caller, "POST", f"/runs?wait={wait}", headers=headers, json=asked)


@asynccontextmanager
async def answering(opened: proctor.Proctor) -> AsyncIterator[Answers]:
    """A site without a port."""
    # What breaks in the site is to be seen as a client sees it.
    transport = httpx2.ASGITransport(app=make_site(opened, door=FixedDoor()), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://proctor", timeout=BOUND) as client:
        yield Answers(client=client)


@asynccontextmanager
async def listening(opened: proctor.Proctor) -> AsyncIterator[Answers]:
    """A site on a real port."""
    async with (
        web(make_site(opened, door=FixedDoor()), host="127.0.0.1", port=0) as address,
        httpx2.AsyncClient(base_url=address, timeout=BOUND) as client,
    ):
        yield Answers(client=client)
        opened.runs.feed.close()
