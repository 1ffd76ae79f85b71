"""The team: a fan-out of three branches with a join, whose middle one is at fault.

It is built alike with and without Proctor.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow
from autogen_core import CancellationToken

from benchmarks._faults._cases import LADDER, Case, key_of
from benchmarks._faults._traces import EFFECTS, Traces

MOST_STEPS = 30


class Unusual(BaseException):
    """No Exception."""


class Expert(AssistantAgent):
    """An assistant that does to its team what its case says, so often, before it does its work."""

    def __init__(self, case: Case, traces: Traces, **parts: Any) -> None:
        super().__init__("expert", system_message="You are expert.", **parts)
        self._case = case
        self._traces = traces

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """What the assistant does, unless it is at fault."""
        deed = self._case.fault.removeprefix("agent_")
        if self._case.family == "agent" and deed != "loops":
            key = key_of(message.to_text() for message in messages)
            if self._traces.strikes(key, most=self._case.strikes):
                await _commit(deed)
        async for item in super().on_messages_stream(messages, cancellation_token):
            yield item


async def _commit(deed: str) -> None:
    match deed:
        case "raises":
            raise ValueError("a mistake")
        case "raises_oserror":
            raise OSError("the line dropped")
        case "hangs":
            await asyncio.get_running_loop().create_future()
        case "base_exception":
            raise Unusual("unusual")
        case "cancels_itself":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        case _:
            raise AssertionError(deed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A team and its parts that may be at fault, and stand in."""

    team: GraphFlow
    expert: AssistantAgent
    deputy: AssistantAgent


def build(case: Case, traces: Traces, client: Callable[[str], Any], tools: Callable[[str], Any]) -> Built:
    """The team of a case, with clients for the models that are named, and workbenches for the tools."""
    steady = "backed" if case.fault == LADDER else "steady"

    def agent(name: str, model: str = steady, **parts: Any) -> AssistantAgent:
        return AssistantAgent(name, model_client=client(model), system_message=f"You are {name}.", **parts)

    own = expert_tool(case)
    expert = Expert(
        case,
        traces,
        model_client=client(expert_model(case)),
        model_client_stream=True,
        workbench=tools(own) if own else None,
        max_tool_iterations=MOST_STEPS,
    )
    clerk = agent("clerk", workbench=tools("book"), max_tool_iterations=MOST_STEPS)
    intake, writer, closer = agent("intake"), agent("writer"), agent("closer")
    builder = DiGraphBuilder()
    for node in (intake, clerk, expert, writer, closer):
        builder.add_node(node)
    for branch in (clerk, expert, writer):
        builder.add_edge(intake, branch)
        builder.add_edge(branch, closer)
    team = GraphFlow(builder.get_participants(), graph=builder.build())
    return Built(team=team, expert=expert, deputy=agent("deputy", "spare"))


def expert_model(case: Case) -> str:
    """The deployment that the expert asks."""
    if case.family in ("worker", "database"):
        return "patient"
    name = {"retry": "retried", "fallback": "backed"}.get(case.mechanism, "plain")
    return f"{name}-hasty" if case.fault == "provider_hang" else name


def expert_tool(case: Case) -> str:
    """The function or tool server that the expert has."""
    if case.fault == "agent_loops":
        return "look"
    if case.family == "tool server":
        return f"desk-{case.name}"
    return "book" if case.family == "worker" else ""


WIRE = {
    "plain": "primary",
    "retried": "primary",
    "backed": "primary",
    "plain-hasty": "primary",
    "retried-hasty": "primary",
    "backed-hasty": "primary",
    "patient": "primary",
    "steady": "steady",
    "spare": "spare",
}
"""Each deployment's model, as the endpoint is asked for it."""


def make_book(traces: Traces) -> Callable[[str, str], str]:
    """A tool with an effect."""

    def book(key: str, by: str) -> str:
        """Books what a case needs."""
        traces.write(EFFECTS, key=key, by=by)
        return "booked"

    return book


def look(place: str) -> str:
    """Looks into a place."""
    return f"nothing in {place}"
