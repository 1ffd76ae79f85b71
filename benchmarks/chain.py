"""What the chain costs a model call: processor time from the agent's request to its answer.

One agent of one run calls a scripted model again and again, each time with another question: through all
links of the chain (journal, route, budgets, prices, breaker, retries, …), on SQLite with a full sync at each
commit. The processor time of the same answers without a chain is taken off. Promised is at most 1 ms a call
at the median, and no more than the chain of the first version that ran whole tasks cost: this very
benchmark measured that one too. Processor time depends on the machine, so both are held against a fixed
piece of work done before and behind.

    uv run python -m benchmarks.chain --json                 # half a minute
    uv run python -m benchmarks.chain --calls 200 --bursts 3
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from autogen_core.models import SystemMessage, UserMessage
from cyclopts import App

import proctor
from benchmarks._caller import ANSWERS_AFTER, Caller, measure
from proctor.core import DeploymentSettings, ModelCall, Section, TeamSettings
from proctor.models import Deployment
from proctor.testing import FakeScope, ScriptedModel

app = App(name="benchmarks.chain", help="What the chain costs a model call.")

MOST_MS = 1.0
"""Of processor time a call, at the median."""

LANDED = 3.94
"""What the first version that ran whole tasks took for a call, in pieces of the fixed work."""

SLACK = 1.1
"""What one measurement of the same state differs from another."""

INSTRUCTIONS = "You answer questions of customers about their orders, shortly and in their language. " * 10


def question(number: int) -> str:
    """A question that was not asked before."""
    return (
        f"Where is my order W{number:07d}? I have waited for it since Monday, and nobody tells me anything."
    )


async def answer(_: ModelCall) -> str:
    """What the model says, after a while: other work of the process goes on meanwhile, as it does in life."""
    await asyncio.sleep(ANSWERS_AFTER)
    return "It is on its way."


async def bare(calls: int, bursts: int) -> list[float]:
    """Microseconds of the scripted model without a chain, of each burst."""
    model = ScriptedModel(answer)
    deployment = Deployment(name="small", settings=_settings(Path())["models"]["small"])

    async def ask(number: int) -> object:
        messages = (
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": question(number)},
        )
        call = ModelCall(scope=FakeScope(), model="small", messages=messages)
        answer = await model.complete(call, deployment)
        model.calls.clear()
        return answer

    return await measure(ask, calls, bursts)


async def chained(folder: Path, calls: int, bursts: int, model_name: str) -> list[float]:
    """The same through the chain, from the client that the agent holds."""
    application = proctor.App()
    model = ScriptedModel(answer)
    made: list[Caller] = []

    @application.team("calls")
    def team(ctx: proctor.TeamContext) -> Caller:
        client = ctx.model(model_name)

        async def ask(number: int) -> object:
            system, user = (
                SystemMessage(content=INSTRUCTIONS),
                UserMessage(content=question(number), source="user"),
            )
            answer = await client.create([system, user])
            model.calls.clear()
            return answer

        made.append(Caller("caller", ask, calls, bursts))
        return made[-1]

    settings = proctor.Settings.model_validate(_settings(folder, routed=model_name == "auto"))
    async with proctor.open(application, settings=settings, providers={"openai": model}) as running:
        run = await running.run("calls", "go")
        if run.state != "completed":
            raise SystemExit(f"the run is {run.state}: {run.error}")
    return made[-1].bursts


def _settings(folder: Path, *, routed: bool = False) -> dict[str, Any]:
    price = {"input": "0.25", "output": "2"}
    names = {"small": "small", "large": "large"}
    models: dict[str, Any] = {}
    limits = {"max_calls": 1_000_000, "deadline": "PT10M", "agent_timeout": "PT10M"}
    for name, tier in names.items():
        fields = {"model": name, "price": price} | ({"tier": tier} if routed else {})
        models[name] = DeploymentSettings.model_validate(_known(fields, DeploymentSettings))
    return {
        "database": {"url": f"sqlite:///{folder / 'proctor.db'}"},
        "models": models,
        "teams": {"calls": _known(limits, TeamSettings)},
    }


def _known(fields: dict[str, Any], section: type[Section]) -> dict[str, Any]:
    """Without the keys that an earlier version doesn't have: this measures those too."""
    return {key: value for key, value in fields.items() if key in section.model_fields}


def piece_of_work() -> float:
    """Milliseconds of processor time that a fixed piece of work takes here and now."""
    value = {"messages": [{"role": "user", "content": question(number)} for number in range(50)]}
    times = []
    for _ in range(200):
        began = time.process_time_ns()
        json.loads(json.dumps(value, sort_keys=True))
        times.append((time.process_time_ns() - began) / 1e6)
    return median(times)


@app.default
def chain(*, json_: bool = False, calls: int = 400, bursts: int = 15, model: str = "small") -> int:
    """0 where all that is promised holds, else 1.

    Args:
        json_: Print one JSON object.
        calls: Calls in a burst.
        bursts: Bursts; the median of theirs counts.
        model: The deployment that is asked for; `auto` adds the router.
    """
    work = [piece_of_work()]
    without = asyncio.run(bare(calls, bursts))
    with TemporaryDirectory() as folder:
        through = asyncio.run(chained(Path(folder), calls, bursts, model))
    work.append(piece_of_work())
    cost = (median(through) - median(without)) / 1e3
    pieces = cost / median(work)
    figures = {
        "calls": calls * bursts,
        "chain_ms": round(cost, 4),
        "chain_ms_worst_burst": round((max(through) - median(without)) / 1e3, 4),
        "provider_ms": round(median(without) / 1e3, 4),
        "piece_of_work_ms": round(median(work), 4),
        "pieces": round(pieces, 3),
        "landed_pieces": LANDED,
        "ok": cost <= MOST_MS and pieces <= LANDED * SLACK,
    }
    print(json.dumps(figures) if json_ else "\n".join(f"{key}: {value}" for key, value in figures.items()))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(app(result_action="return_value"))
