"""One of the processes that are scraped: executes runs on a database of its own, under a load.

It answers lines of JSON: `steady` loads it for some seconds, `alarm` makes slow calls, errors and a burst
until `calm`.
"""

import asyncio
import json
import logging
import math
import sys
from collections.abc import Callable
from random import Random
from typing import Any

from autogen_agentchat.agents import AssistantAgent

import proctor
from proctor.api import make_worker_server
from proctor.cli._web import web
from proctor.core import ModelCall, ModelNonsense, ModelOverloaded, ModelRefused
from proctor.testing import Reply, ScriptedModel, tool_call

MEDIAN, SPREAD, LONGEST = 0.25, 0.9, 4.0
"""Seconds of a model call under the steady load: lognormal, cut."""
SLOW = 5.6
"""Seconds of a slow call: beyond the line of 5, within the bucket that follows it."""
REFUSED, OVERLOADED, BROKEN = 0.01, 0.02, 0.02
"""Shares of calls that fail for good, that are sent again, and whose answer breaks off and is paid for."""
DENIED = 20
"""One run in so many asks for what the policy denies."""
ALARMS = (("slow", 12, 0.0), ("faulty", 2, 0.25), ("busy", 2, 0.0))
"""While alarms are made: teams, how many runs of each go on side by side, the seconds between two."""
BURST = 50
"""Tool calls that one answer asks for."""
CARD = "4111 1111 1111 1111"

app = proctor.App()


@app.tool(effect="read_only")
def look_up(order: int) -> str:
    """Tells the state of an order."""
    return f"order {order} is paid"


def _factory(name: str, *, streams: bool) -> Callable[[proctor.TeamContext], AssistantAgent]:
    def build(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model(name),
            model_client_stream=streams,
            workbench=ctx.tools("look_up"),
            max_tool_iterations=5,
        )

    return build


TEAMS = {"steady": True, "slow": False, "faulty": False, "busy": False}
for _name, _streams in TEAMS.items():
    app.team(_name, tools=["look_up"])(_factory(_name, streams=_streams))


def configuration(database: str) -> dict[str, Any]:
    """The settings of a process: a deployment for each team, so that no breaker of one stops another."""
    price = {"price": {"input": 3, "output": 15}, "model": "scripted"}
    return {
        "database": {"url": database},
        "release": "bench",
        "models": {name: {**price, "retries": 2} for name in TEAMS},
        "teams": {name: {"retries": 0, "max_parallel_calls": BURST} for name in TEAMS},
        "budget": {"daily_usd": 10_000},
        "policies": {"input": {"payment_card": "deny"}},
        "degradation": {"enabled": False},
    }


class Script:
    """What the model of a process answers, and when."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    async def __call__(self, call: ModelCall) -> Reply:
        """The answer to one request."""
        looked = any(message["role"] == "tool" for message in call.messages)
        match call.model:
            case "slow":
                await asyncio.sleep(SLOW)
                return "Here it is, at last."
            case "faulty":
                return ModelRefused("this model answers nothing")
            case "busy":
                asked = [tool_call("look_up", order=number) for number in range(BURST)]
                return "All are paid." if looked else asked
            case _:
                return await self._steady(looked=looked)

    async def _steady(self, *, looked: bool) -> Reply:
        await asyncio.sleep(min(LONGEST, MEDIAN * math.exp(self._rng.gauss(0, SPREAD))))
        drawn = self._rng.random()
        fault: Reply | None = None
        if drawn < REFUSED:
            fault = ModelRefused("this request isn't taken")
        elif drawn < REFUSED + OVERLOADED:
            fault = ModelOverloaded("busy for a moment", retry_after=0.05)
        elif drawn < REFUSED + OVERLOADED + BROKEN:
            fault = ModelNonsense("the answer broke off")
        if fault is not None:
            return fault
        words = " ".join("word" for _ in range(self._rng.randint(1, 200)))
        return words if looked else [tool_call("look_up", order=self._rng.randint(1, 99))]


class Load:
    """What is asked of a process."""

    def __init__(self, running: proctor.Proctor, rng: Random) -> None:
        self._running = running
        self._rng = rng
        self._calm = asyncio.Event()
        self._alarming: list[asyncio.Task[None]] = []

    async def steady(self, seconds: float, rate: float) -> None:
        """Starts runs at random moments for some seconds, and returns when the last has ended."""
        loop, number = asyncio.get_running_loop(), 0
        end = loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            while loop.time() < end:
                number += 1
                about = f"by card {CARD}" if number % DENIED == 0 else "by its number"
                group.create_task(self._running.run("steady", f"Look up an order {about}, please. {number}"))
                await asyncio.sleep(self._rng.expovariate(rate))

    def alarm(self) -> None:
        """Makes slow calls, errors and a burst, all at once, until it is told to calm down."""
        self._calm.clear()
        self._alarming = [
            asyncio.create_task(self._again(team, pause))
            for team, side_by_side, pause in ALARMS
            for _ in range(side_by_side)
        ]

    async def calm(self) -> None:
        """Returns when what was begun has ended, and nothing more begins."""
        self._calm.set()
        await asyncio.gather(*self._alarming)

    async def _again(self, team: str, pause: float) -> None:
        while not self._calm.is_set():
            await self._running.run(team, "Once more.")
            await asyncio.sleep(pause)


async def main(database: str, seed: int) -> None:
    """Does what is asked until nothing more is."""
    logging.disable(logging.WARNING)  # what fails here fails on purpose
    rng = Random(seed)
    settings = proctor.Settings.model_validate(configuration(database))
    providers = {"openai": ScriptedModel(Script(rng))}
    async with (
        proctor.open(app, settings=settings, providers=providers, environ={}) as running,
        web(make_worker_server(running, host="127.0.0.1"), host="127.0.0.1", port=0) as address,
    ):
        load = Load(running, rng)
        _say({"target": address.removeprefix("http://")})
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            match order["do"]:
                case "steady":
                    await load.steady(order["seconds"], order["rate"])
                case "alarm":
                    load.alarm()
                case "calm":
                    await load.calm()
            _say({"done": order["do"]})


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
