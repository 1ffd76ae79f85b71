"""What the soak runs: five kinds of runs as an application has them, and what is expected of each."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from autogen_agentchat.agents import AssistantAgent

import proctor
from benchmarks._overhead._environments import ROOT
from benchmarks._overhead._workload import ANSWER, INSTRUCTIONS, task
from benchmarks._scale._endpoint import FLAKY
from proctor.approvals import Filter
from proctor.core import JsonObject, JsonValue

Kind: TypeAlias = Literal["one_call", "mcp_tool", "approval", "rescheduled", "thread"]
KINDS: tuple[Kind, ...] = ("one_call", "mcp_tool", "approval", "rescheduled", "thread")

BOUND = 60
"""Seconds within which each has ended."""

app = proctor.App()


@app.tool(effect="consequential")
def refund(order: str) -> str:
    """Pays an order back."""
    return f"Order {order} was paid back."


def _agent(ctx: proctor.TeamContext, model: str, *tools: str) -> AssistantAgent:
    return AssistantAgent(
        "clerk",
        model_client=ctx.model(model),
        system_message=INSTRUCTIONS,
        workbench=ctx.tools(*tools) if tools else None,
        max_tool_iterations=10,
    )


@app.team("one_call")
def one_call(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent that answers."""
    return _agent(ctx, "steady")


@app.team("mcp_tool", tools=["shop"])
def mcp_tool(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent that looks something up at an MCP server before it answers."""
    return _agent(ctx, "steady", "shop")


@app.team("approval", tools=["refund"])
def approval(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent whose tool call waits for a person."""
    return _agent(ctx, "steady", "refund")


@app.team("rescheduled")
def rescheduled(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent whose provider fails at its first attempt."""
    return _agent(ctx, "flaky")


@app.team("thread")
def thread(ctx: proctor.TeamContext) -> AssistantAgent:
    """An agent that goes on with a conversation."""
    return _agent(ctx, "steady")


def configuration(url: str) -> JsonObject:
    """The settings beside database and engine. A call isn't made again by itself: then its run is."""
    deployment: dict[str, JsonValue] = {
        "base_url": url,
        "api_key": "none",
        "retries": 0,
        "price": {"input": "0.25", "output": "2"},
    }
    server = [sys.executable, "-m", "benchmarks._scale._tool_server"]
    return {
        "models": {"steady": {**deployment, "model": "steady"}, "flaky": {**deployment, "model": FLAKY}},
        "tools": {"shop": {"command": server, "cwd": str(ROOT)}},
    }


async def attend(running: proctor.Proctor, kind: Kind, number: int) -> tuple[str, ...]:
    """What went otherwise than expected with one of a kind."""
    async with asyncio.timeout(BOUND):
        return await _ATTENDED[kind](running, task(number))


async def _simple(running: proctor.Proctor, team: str, text: str, attempts: int) -> tuple[str, ...]:
    run = await running.run(team, text)
    return _faults(run, attempts)


async def _decided(running: proctor.Proctor, text: str) -> tuple[str, ...]:
    run = await running.run("approval", text)
    if run.state != "waiting":
        return (f"{run.id} doesn't wait: it is {run.state}, {run.error}",)
    for asked in await running.approvals(Filter(run_id=run.id)):
        await running.decide(asked.id, proctor.Decision(kind="approve", by="person@example.org"))
    return _faults(await running.wait(run.id), 2)


async def _talked(running: proctor.Proctor, text: str) -> tuple[str, ...]:
    talk = await running.open_thread("thread")
    runs = [await running.start("thread", words, thread=talk.id) for words in (text, f"Really? {text}")]
    ended = [await running.wait(run.id) for run in runs]
    return tuple(fault for run in ended for fault in _faults(run, 1))


def _faults(run: proctor.Run, attempts: int) -> tuple[str, ...]:
    if run.state == "completed" and run.result == ANSWER and run.attempt == attempts:
        return ()
    return (f"{run.id} of {run.team} is {run.state} after {run.attempt} attempts: {run.error or run.result}",)


_ATTENDED: dict[Kind, Callable[[proctor.Proctor, str], Awaitable[tuple[str, ...]]]] = {
    "one_call": lambda running, text: _simple(running, "one_call", text, 1),
    "mcp_tool": lambda running, text: _simple(running, "mcp_tool", text, 1),
    "approval": _decided,
    "rescheduled": lambda running, text: _simple(running, "rescheduled", text, 2),
    "thread": _talked,
}
