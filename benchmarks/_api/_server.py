"""The server as a process of its own: Proctor's own site on a real port, with teams whose model is a script.

Its argument is a folder for the database. It tells where it listens and a key for it, and measures the
library beside itself where it is told to.
"""

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from benchmarks._api._load import TASK, timed
from benchmarks._scale._serving import obey
from proctor.api import make_server
from proctor.cli._execution import freeze_loaded
from proctor.cli._web import web
from proctor.core import ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call

app = proctor.App()


@app.tool(effect="consequential")
def refund(order: str) -> str:
    """Pays money back."""
    return f"refunded order {order}"


@app.team("desk", tools=["refund"])
def desk(ctx: proctor.TeamContext) -> ChatAgent:
    """Answers at once, or asks a person."""
    return AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"))


@app.team("talk")
def talk(ctx: proctor.TeamContext) -> Team:
    """Talks for as many turns as its task says, and takes its time."""
    agents: list[ChatAgent | Team] = [
        AssistantAgent(name, model_client=ctx.model("small"), model_client_stream=True)
        for name in ("ada", "bob")
    ]
    return RoundRobinGroupChat(agents, termination_condition=TextMentionTermination("DONE"))


async def answer(call: ModelCall) -> Reply:
    """`talk TURNS SECONDS` says how long a talk is, and how long each turn takes."""
    task = str(call.messages[1].get("content"))
    if task.startswith("talk "):
        _, turns, seconds = task.split()[:3]
        await asyncio.sleep(float(seconds))
        said = len(call.messages) - 2
        return f"Thought {said} of it. {'DONE' if said + 1 >= int(turns) else 'Go on.'}"
    if "refund" in task and not any(message["role"] == "tool" for message in call.messages):
        return [tool_call("refund", order="7")]
    return "All done. DONE"


def _settings(folder: Path) -> proctor.Settings:
    return proctor.Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder}/proctor.db"},
            "models": {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}},
            "knowledge": {"embeddings": "none"},
            "access": {
                "authentication": "required",
                "requests_per_minute": 10_000_000,
                "failures_per_minute": 10_000_000,
                "waits_at_once": 10_000,
            },
        }
    )


async def _main(folder: Path) -> None:
    freeze_loaded()
    async with proctor.open(
        app, settings=_settings(folder), providers={"openai": ScriptedModel(answer)}, environ={}
    ) as running:
        key = await running.keys.create("benchmark", roles=["admin"], by="benchmark")

        async def library(runs: int, beside: int) -> dict[str, Any]:
            """The seconds that runs and looks take without HTTP."""

            async def run() -> None:
                ended = await running.run("desk", TASK)
                assert ended.state == "completed", ended.error

            seconds = await timed(run, runs, beside=beside)
            one = (await running.runs.page(limit=1))[0].id

            async def look() -> None:
                await running.runs.get(one)

            return {"run": seconds, "look": await timed(look, runs, beside=beside)}

        async def vitals() -> dict[str, Any]:
            """What the process has taken so far."""
            used = resource.getrusage(resource.RUSAGE_SELF)
            return {
                "cpu_seconds": time.process_time(),
                "peak_mb": round(used.ru_maxrss / 1024, 1),
                "readers": len(running.runs.feed.followers),
            }

        async with web(make_server(running, host="127.0.0.1"), host="127.0.0.1", port=0) as address:
            await obey(
                {"library": library, "vitals": vitals}, address=address, key=key.token, pid=os.getpid()
            )
            running.runs.feed.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
