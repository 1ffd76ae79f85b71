"""The roads on which a call comes to its tool: a team of each kind that AutoGen offers, and some odd ones."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from autogen_agentchat.agents import (
    AssistantAgent,
    BaseChatAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    PerSourceFilter,
    SocietyOfMindAgent,
)
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.tools import Workbench

import proctor
from benchmarks._escape._victim import BROKEN, HELPER, WHICH, Victim
from proctor.core import JsonObject

MOST_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a team is built from."""

    ctx: proctor.TeamContext
    tools: tuple[str, ...]
    victim: Victim
    streamed: bool
    free: Mapping[str, Any] = field(default_factory=dict)
    """What the agent with the tools has in place of a governed workbench: arguments of an assistant."""

    def agent(self, name: str, **more: Any) -> AssistantAgent:
        """An agent without tools, unless it is given some."""
        return AssistantAgent(
            name,
            model_client=self.ctx.model("small"),
            description=name,
            model_client_stream=self.streamed,
            max_tool_iterations=MOST_STEPS,
            **more,
        )

    def hand(self, **more: Any) -> AssistantAgent:
        """The agent that has the tools and asks for the denied one."""
        tools = self.free or {"workbench": self.ctx.tools(*self.tools)}
        return self.agent(self.victim.hand, **{**tools, **more})

    def until_done(self) -> Any:
        """When a team is done."""
        return TextMentionTermination(self.victim.word) | MaxMessageTermination(30)

    def inner(self) -> RoundRobinGroupChat:
        """A team that holds the hand."""
        return RoundRobinGroupChat([self.hand()], name="inner", termination_condition=self.until_done())


class Custom(BaseChatAgent):
    """An agent of the user's own."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit.victim.hand, "acts")
        self._kit = kit

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """A text."""
        return (TextMessage,)

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing is kept."""


class Own(Custom):
    """It calls its workbench itself, by whatever name it is told."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._bench: Workbench = kit.free.get("workbench") or kit.ctx.tools(*kit.tools)
        self._tools = {tool.name: tool for tool in kit.free.get("tools", ())}

    async def on_messages(
        self,
        messages: Sequence[BaseChatMessage],  # noqa: ARG002 - as AutoGen calls it
        cancellation_token: CancellationToken,  # noqa: ARG002 - as AutoGen calls it
    ) -> Response:
        """Makes the calls."""
        before: list[list[str]] = []
        while not isinstance(step := self._kit.victim.next(before), str):
            names = await self.names([name for name, _ in step])
            for name, (_, arguments) in zip(names, step, strict=True):
                await self.call(name, arguments)
            before.append([name for name, _ in step])
        return Response(chat_message=TextMessage(content=step, source=self.name))

    async def names(self, names: list[str]) -> list[str]:
        """The names under which tools are called."""
        return names

    async def call(self, name: str, arguments: JsonObject) -> None:
        """Makes one call."""
        if name in self._tools:
            await self._tools[name].run_json(arguments, CancellationToken())
        else:
            await self._bench.call_tool(name, arguments)


class Asking(Own):
    """It has many small questions answered, and calls what the answers name."""

    async def names(self, names: list[str]) -> list[str]:
        """What the answers say."""
        return await self._kit.ctx.batch(WHICH, names, model="small")


class Adrift(Own):
    """It makes its calls in a task that knows nothing of whose turn it is."""

    async def call(self, name: str, arguments: JsonObject) -> None:
        """Makes one call."""
        await asyncio.create_task(super().call(name, arguments), context=Context())


class Holder(Custom):
    """It keeps an assistant to itself, whom the team doesn't know."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._kept = kit.hand()

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        """What the assistant answers."""
        return await self._kept.on_messages(messages, cancellation_token)


class TeamHolder(Custom):
    """It keeps a whole team to itself."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._kept = kit.inner()

    async def on_messages(
        self,
        messages: Sequence[BaseChatMessage],
        cancellation_token: CancellationToken,  # noqa: ARG002 - as AutoGen calls it
    ) -> Response:
        """What the team's last member says."""
        result = await self._kept.run(task=list(messages))
        text = result.messages[-1].to_text()
        return Response(chat_message=TextMessage(content=text, source=self.name))


def single(kit: Kit) -> ChatAgent:
    return kit.hand()


def round_robin(kit: Kit) -> Team:
    members: list[ChatAgent | Team] = [kit.agent("other"), kit.hand()]
    return RoundRobinGroupChat(members, termination_condition=kit.until_done())


def selector(kit: Kit) -> Team:
    return SelectorGroupChat(
        [kit.agent("other"), kit.hand()],
        model_client=kit.ctx.model("small"),
        termination_condition=kit.until_done(),
    )


def swarm(kit: Kit) -> Team:
    members: list[ChatAgent] = [kit.agent("clerk", handoffs=[kit.victim.hand]), kit.hand(handoffs=["clerk"])]
    return Swarm(members, termination_condition=kit.until_done())


def magentic(kit: Kit) -> Team:
    return MagenticOneGroupChat(
        [kit.agent("other"), kit.hand()], model_client=kit.ctx.model("small"), max_turns=4
    )


def graph(kit: Kit) -> Team:
    """A fan-out with a join, in which one branch has the tools."""
    names = ("start", "left", "join")
    hand = kit.victim.hand
    agents = {name: kit.agent(name) for name in names} | {hand: kit.hand()}
    builder = DiGraphBuilder()
    for agent in agents.values():
        builder.add_node(agent)
    for start, end in (("start", "left"), ("start", hand), ("left", "join"), (hand, "join")):
        builder.add_edge(agents[start], agents[end])
    return GraphFlow(
        builder.get_participants(), graph=builder.build(), termination_condition=MaxMessageTermination(30)
    )


def nested(kit: Kit) -> Team:
    return RoundRobinGroupChat([kit.agent("other"), kit.inner()], termination_condition=kit.until_done())


def nested_twice(kit: Kit) -> Team:
    middle = RoundRobinGroupChat([kit.inner()], name="middle", termination_condition=kit.until_done())
    return RoundRobinGroupChat([middle], termination_condition=kit.until_done())


def agent_tool(kit: Kit) -> ChatAgent:
    return kit.agent("boss", tools=[AgentTool(kit.hand())])


def team_tool(kit: Kit) -> ChatAgent:
    return kit.agent("boss", tools=[TeamTool(kit.inner(), name=HELPER, description="helps")])


def society(kit: Kit) -> Team:
    mind = SocietyOfMindAgent("mind", team=kit.inner(), model_client=kit.ctx.model("small"))
    return RoundRobinGroupChat([mind], termination_condition=kit.until_done())


def filtered(kit: Kit) -> Team:
    sources = MessageFilterConfig(per_source=[PerSourceFilter(source="user")])
    outer = MessageFilterAgent("filter", wrapped_agent=kit.hand(), filter=sources)
    return RoundRobinGroupChat([outer], termination_condition=kit.until_done())


def own(kit: Kit) -> Team:
    return RoundRobinGroupChat([Own(kit)], termination_condition=kit.until_done())


def batch(kit: Kit) -> ChatAgent:
    return Asking(kit)


def adrift(kit: Kit) -> Team:
    return RoundRobinGroupChat([Adrift(kit)], termination_condition=kit.until_done())


def team_holder(kit: Kit) -> Team:
    return RoundRobinGroupChat([TeamHolder(kit)], termination_condition=kit.until_done())


def holder(kit: Kit) -> Team:
    return RoundRobinGroupChat([Holder(kit)], termination_condition=kit.until_done())


def stand_in(kit: Kit) -> Team:
    first = kit.agent(BROKEN, workbench=kit.ctx.tools(*kit.tools))
    kit.ctx.stand_in(first, kit.hand())
    return RoundRobinGroupChat([first], termination_condition=kit.until_done())


def reflecting(kit: Kit) -> ChatAgent:
    return kit.hand(reflect_on_tool_use=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """One kind of team."""

    build: Callable[[Kit], Team | ChatAgent]
    place: str = "{hand}"
    """Of the agent that calls, with its name left out."""
    outer: str = ""
    """An agent of which it is a part, where there is one."""
    namesake: bool = False
    """Whether the agent that calls has the name of the denied tool."""


ROADS: dict[str, Road] = {
    "single": Road(build=single),
    "round_robin": Road(build=round_robin),
    "selector": Road(build=selector),
    "swarm": Road(build=swarm),
    "magentic": Road(build=magentic),
    "graph": Road(build=graph),
    "nested": Road(build=nested),
    "nested_twice": Road(build=nested_twice),
    "agent_tool": Road(build=agent_tool, place="boss/{hand}", outer="boss"),
    "namesake": Road(build=agent_tool, place="boss/{hand}", outer="boss", namesake=True),
    "team_tool": Road(build=team_tool, place="boss/inner/{hand}", outer="boss"),
    "society": Road(build=society, place="mind/inner/{hand}", outer="mind"),
    "filter": Road(build=filtered, place="filter/{hand}", outer="filter"),
    "own": Road(build=own),
    "batch": Road(build=batch),
    "adrift": Road(build=adrift),
    "holder": Road(build=holder),
    "team_holder": Road(build=team_holder),
    "stand_in": Road(build=stand_in),
    "reflecting": Road(build=reflecting),
}
