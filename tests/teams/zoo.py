"""One team of each kind that AutoGen offers, on a model whose answers depend on nothing but the request."""

import json
from collections.abc import Callable
from hashlib import sha256

from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination, SourceMatchTermination
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_agentchat.tools import AgentTool, TeamTool

import proctor
from proctor.core import ModelCall
from proctor.testing import Reply, tool_call


def mark(call: ModelCall) -> str:
    return sha256(json.dumps(call.messages, sort_keys=True).encode()).hexdigest()[:6]


def script(call: ModelCall) -> Reply:
    """Calls `act` three times at once where it can, hands off where it can, speaks otherwise."""
    text = json.dumps(call.messages)
    number = int(mark(call), 16)
    names = [str(tool["function"]["name"]) for tool in call.tools]
    answered = call.messages[-1]["role"] == "tool"
    handoffs = [name for name in names if name.startswith("transfer_to_")]
    if "is_request_satisfied" in text:
        said = text.count("said ")
        answers = {
            "is_request_satisfied": said > 4,
            "is_in_loop": False,
            "is_progress_being_made": True,
            "next_speaker": "abc"[said % 3],
            "instruction_or_question": f"go on with {said}",
        }
        return json.dumps({key: {"reason": "so", "answer": value} for key, value in answers.items()})
    if "Only return the role" in text:
        return "abc"[number % 3]
    if "act" in names and not answered:
        return [tool_call("act", x=f"{mark(call)}-{place}") for place in range(3)]
    if "helper" in names and not answered:
        return [tool_call("helper", task=f"help with {mark(call)}")]
    if handoffs and not answered:
        return [tool_call(handoffs[number % len(handoffs)])]
    return f"said {mark(call)}"


def add_teams(app: proctor.App) -> dict[str, Callable[[proctor.TeamContext], Team | ChatAgent]]:
    """The zoo, registered: every team has the tool `act`, which has effects."""

    def agent(ctx: proctor.TeamContext, name: str, *, acts: bool = False, **more: object) -> AssistantAgent:
        if acts:
            more |= {"workbench": ctx.tools("act"), "reflect_on_tool_use": True}
        return AssistantAgent(
            name, model_client=ctx.model("small"), description=name, model_client_stream=True, **more
        )

    @app.team("single", tools=["act"])
    def single(ctx: proctor.TeamContext) -> ChatAgent:
        return agent(ctx, "a", acts=True)

    @app.team("round_robin", tools=["act"])
    def round_robin(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx, "a", acts=True), agent(ctx, "b"), agent(ctx, "c")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(8))

    @app.team("selector", tools=["act"])
    def selector(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx, "a", acts=True), agent(ctx, "b"), agent(ctx, "c")]
        return SelectorGroupChat(
            members, model_client=ctx.model("small"), termination_condition=MaxMessageTermination(7)
        )

    @app.team("swarm", tools=["act"])
    def swarm(ctx: proctor.TeamContext) -> Team:
        members = [
            agent(ctx, "a", handoffs=["b", "c"]),
            agent(ctx, "b", handoffs=["a", "c"]),
            agent(ctx, "c", handoffs=["a", "b"]),
        ]
        return Swarm(members, termination_condition=MaxMessageTermination(7))

    @app.team("magentic", tools=["act"])
    def magentic(ctx: proctor.TeamContext) -> Team:
        members = [agent(ctx, "a", acts=True), agent(ctx, "b"), agent(ctx, "c")]
        return MagenticOneGroupChat(members, model_client=ctx.model("small"), max_turns=6)

    @app.team("graph", tools=["act"])
    def graph(ctx: proctor.TeamContext) -> Team:
        agents = {name: agent(ctx, name, acts=name in "bcd") for name in "abcdefg"}
        builder = DiGraphBuilder()
        for member in agents.values():
            builder.add_node(member)
        for start, end in ("ab", "ac", "ad", "be", "ce", "de", "ef", "eg"):
            builder.add_edge(agents[start], agents[end])
        return GraphFlow(
            builder.get_participants(), graph=builder.build(), termination_condition=MaxMessageTermination(40)
        )

    @app.team("agent_tool", tools=["act"])
    def agent_tool(ctx: proctor.TeamContext) -> ChatAgent:
        helper = agent(ctx, "helper", acts=True)
        return AssistantAgent(
            "boss", model_client=ctx.model("small"), tools=[AgentTool(helper)], reflect_on_tool_use=True
        )

    @app.team("team_tool", tools=["act"])
    def team_tool(ctx: proctor.TeamContext) -> Team:
        inner = RoundRobinGroupChat(
            [agent(ctx, "x", acts=True), agent(ctx, "y")], termination_condition=MaxMessageTermination(3)
        )
        tool = TeamTool(inner, name="helper", description="helps")
        boss = AssistantAgent("boss", model_client=ctx.model("small"), tools=[tool], reflect_on_tool_use=True)
        return RoundRobinGroupChat([boss], termination_condition=MaxMessageTermination(2))

    @app.team("nested", tools=["act"])
    def nested(ctx: proctor.TeamContext) -> Team:
        inner = RoundRobinGroupChat(
            [agent(ctx, "x", acts=True), agent(ctx, "y")], termination_condition=MaxMessageTermination(3)
        )
        mind = SocietyOfMindAgent("mind", team=inner, model_client=ctx.model("small"))
        return RoundRobinGroupChat(
            [agent(ctx, "a"), mind, agent(ctx, "z")], termination_condition=SourceMatchTermination(["z"])
        )

    return {name: team.factory for name, team in app.teams.items()}
