"""The work that every contender does. Imports nothing: each contender runs in an environment of its own."""

SCENARIOS = ("one_call_team", "two_call_team", "one_call_agent", "two_call_agent")
"""One model call, or a tool call between two; by an agent in a team of its own, or by the agent alone."""

TEAMS = frozenset(name for name in SCENARIOS if name.endswith("team"))
WITH_TOOL = frozenset(name for name in SCENARIOS if name.startswith("two"))

MODEL = "fake-1"
INSTRUCTIONS = "You tell customers of a shop where their orders are. Look each order up before you answer."
ANSWER = "Your order left the warehouse this morning and arrives tomorrow."


def task(number: int) -> str:
    """What one run is asked."""
    return f"Where is my order {number}? I ordered it last week and have heard nothing since."


def order_status(order: str) -> str:
    """Where an order is."""
    return f"Order {order} left the warehouse at 08:14 and is due tomorrow."
