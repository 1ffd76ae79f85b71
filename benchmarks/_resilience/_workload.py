"""The work of both contenders: a clerk looks an order up, a checker answers. Three model calls."""

from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat

MODES = ("whole", "streamed")
"""How answers come."""
PRIMARY, STANDBY = "primary", "standby"
CLERK, CHECKER = "You are the clerk.", "You are the checker."
REQUEST_SECONDS = 2.0
"""For one request, for both contenders: a provider that hangs is given up then."""


def number_of(mode: str, place: int) -> int:
    """The order that a run is about: another one in each mode, so that each meets its own faults."""
    return 10_000 * (1 + MODES.index(mode)) + place


def task_of(number: int) -> str:
    """What one run is asked."""
    return f"Where is my order {number}?"


def answer_of(number: int) -> str:
    """What a run comes to where all goes well."""
    return f"Order {number} left the warehouse this morning and arrives tomorrow: I have checked it."


def order_status(order: str) -> str:
    """Where an order is."""
    return f"Order {order} left the warehouse at 08:14 and is due tomorrow."


def build(mode: str, client: Any, tools: dict[str, Any]) -> RoundRobinGroupChat:
    """A fresh team. `tools` are the clerk's, as its framework gives them to an agent."""
    streams = mode == "streamed"
    clerk = AssistantAgent(
        "clerk",
        model_client=client,
        system_message=CLERK,
        model_client_stream=streams,
        max_tool_iterations=10,
        **tools,
    )
    checker = AssistantAgent(
        "checker", model_client=client, system_message=CHECKER, model_client_stream=streams
    )
    return RoundRobinGroupChat([clerk, checker], termination_condition=MaxMessageTermination(3))
