"""An application that pays, and processes that resume one run of it at the same moment."""

import asyncio
import os
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from proctor import Settings
from proctor.core import ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call

PATIENCE = 25
"""Seconds for the others to come."""


def payer(effects: Path) -> proctor.App:
    """An application whose one tool leaves a line in a file each time it acts."""
    app = proctor.App()

    @app.tool(effect="consequential")
    def pay(order: str) -> str:
        """Pays an order."""
        with effects.open("a", encoding="utf-8") as file:
            file.write(f"{order} by {os.getpid()}\n")
        return f"order {order} is paid"

    @app.team("desk", tools=["pay"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("pay"), max_tool_iterations=3
        )

    return app


def clerk(call: ModelCall) -> Reply:
    """Pays, then says what came of it."""
    done = [str(message["content"]) for message in call.messages if message["role"] == "tool"]
    return done[-1] if done else [tool_call("pay", order="7")]


def resume(url: str, effects: Path, run_id: str, barrier: Barrier, out: "Queue[Any]") -> None:
    """Executes a queued run at the same moment as others do; tells what it came to here."""
    out.put(asyncio.run(_resume(url, effects, run_id, barrier)))


async def _resume(url: str, effects: Path, run_id: str, barrier: Barrier) -> str:
    settings = payer_settings(url)
    async with proctor.open(
        payer(effects), settings=settings, executes=False, providers={"openai": ScriptedModel(clerk)}
    ) as running:
        await asyncio.to_thread(barrier.wait, PATIENCE)
        run = await running.runs.execution.execute(run_id)
        return "nothing" if run is None else run.state


def payer_settings(url: str) -> Settings:
    """The configuration of all of them."""
    models = {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}}
    return Settings.model_validate({"database": {"url": url, "linger": 0}, "models": models})
