"""Agents that fail in every way that real ones do, among others that don't."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import MaxMessageTermination, SourceMatchTermination
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, TextMessage
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_core import CancellationToken

import proctor
from proctor.core import ModelCall
from proctor.testing import Reply, tool_call

DEEDS = ("raises", "hangs", "raises no Exception", "cancels itself")
TEAMS = ("round_robin", "selector", "swarm", "magentic", "graph")


class Unusual(BaseException):
    """No Exception."""


class Rogue(BaseChatAgent):
    """An agent that does to its team what a real one might, and counts how often it is asked."""

    def __init__(self, name: str, deed: str, asked: list[str]) -> None:
        super().__init__(name, name)
        self.deed = deed
        self._asked = asked

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage, HandoffMessage)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        self._asked.append(self.name)
        match self.deed:
            case "raises":
                raise ValueError("a mistake")
            case "hangs":
                await asyncio.get_running_loop().create_future()
            case "raises no Exception":
                raise Unusual("unusual")
            case "cancels itself":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            case "ends without an answer" | "says what nobody knows":
                pass
        return Response(chat_message=TextMessage(content=f"said by {self.name}", source=self.name))

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[Response, None]:
        answer = await self.on_messages(messages, cancellation_token)
        if self.deed == "says what nobody knows":
            yield {"no": "message"}  # type: ignore[misc]
        if self.deed != "ends without an answer":
            yield answer

    async def on_reset(self, cancellation_token: CancellationToken) -> None: ...


def script(call: ModelCall) -> Reply:
    """Lets `a`, `b` and `c` speak one after the other, by what the request holds and nothing else."""
    text = json.dumps(call.messages)
    spoken = {name for name in "abc" if f"said by {name}" in text or f"{name} could not answer" in text}
    following = next((name for name in "abc" if name not in spoken), "c")
    if "is_request_satisfied" in text:
        answers = {
            "is_request_satisfied": len(spoken) == 3,
            "is_in_loop": False,
            "is_progress_being_made": True,
            "next_speaker": following,
            "instruction_or_question": f"go on, {following}",
        }
        return json.dumps({key: {"reason": "so", "answer": value} for key, value in answers.items()})
    if "Only return the role" in text:
        return following
    names = [str(tool["function"]["name"]) for tool in call.tools]
    if "transfer_to_b" in names and call.messages[-1]["role"] != "tool":
        return [tool_call("transfer_to_c" if "b could not answer" in text else "transfer_to_b")]
    return f"said by {call.scope.agent}"


def add_broken_teams(app: proctor.App, rogue: Rogue) -> None:
    """One team of each kind, whose member `b` is the rogue."""

    def agent(ctx: proctor.TeamContext, name: str, **more: object) -> AssistantAgent:
        return AssistantAgent(name, model_client=ctx.model("small"), description=name, **more)

    @app.team("round_robin")
    def round_robin(ctx: proctor.TeamContext) -> Team:
        members: list[ChatAgent | Team] = [agent(ctx, "a"), rogue, agent(ctx, "c")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(7))

    @app.team("selector")
    def selector(ctx: proctor.TeamContext) -> Team:
        return SelectorGroupChat(
            [agent(ctx, "a"), rogue, agent(ctx, "c")],
            model_client=ctx.model("small"),
            termination_condition=MaxMessageTermination(4),
        )

    @app.team("swarm")
    def swarm(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx, "a", handoffs=["b", "c"]), rogue, agent(ctx, "c")]
        return Swarm(members, termination_condition=SourceMatchTermination(["c"]))

    @app.team("magentic")
    def magentic(ctx: proctor.TeamContext) -> Team:
        return MagenticOneGroupChat(
            [agent(ctx, "a"), rogue, agent(ctx, "c")], model_client=ctx.model("small")
        )

    @app.team("graph")
    def graph(ctx: proctor.TeamContext) -> Team:
        agents = {name: agent(ctx, name) for name in "acde"} | {"b": rogue}
        builder = DiGraphBuilder()
        for name in "abcde":
            builder.add_node(agents[name])
        for start, end in ("ab", "ac", "ad", "be", "ce", "de"):
            builder.add_edge(agents[start], agents[end])
        return GraphFlow(builder.get_participants(), graph=builder.build())
