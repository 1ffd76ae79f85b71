"""Runs of which many ask the same, through a real Proctor: what is answered again, and whether rightly."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent

import proctor
from proctor.core import JsonObject, ModelCall, ModelResult, Usage, digest
from proctor.testing import Reply, ScriptedModel, tool_call

INSTRUCTIONS = "You answer questions of customers. Look each one up before you answer."
PRICE = {"input": 1, "output": 2}
"""Dollars for a million tokens: a token of the prompt costs one micro-dollar, one of the answer two."""
BESIDE = 8
"""Runs side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the runs."""

    runs: int
    questions: int
    """Different ones among them."""
    calls: int
    requests: int
    """That the provider saw."""
    different: int
    """Different requests that were made: what a perfect cache sends."""
    wrong: int
    """Runs that ended with anything but the one right answer."""
    cost: int
    saved: int
    """As the journal has them, in micro-dollars."""
    cost_without: int
    """What the provider would have billed for all calls."""

    @property
    def hit_rate(self) -> float:
        """Share of the calls that were answered again."""
        return 1 - self.requests / self.calls

    @property
    def saved_share(self) -> float:
        """Share of the cost without a cache."""
        return self.saved / self.cost_without


class Provider:
    """Asks for the tool, then answers with what it said; it counts what it bills."""

    def __init__(self) -> None:
        self.model = ScriptedModel(self._answer)
        self.billed: Counter[tuple[str, str]] = Counter()
        """Micro-dollars by question and turn, of one request."""

    @property
    def requests(self) -> int:
        """How many it saw."""
        return len(self.model.calls)

    async def _answer(self, call: ModelCall) -> Reply:
        await asyncio.sleep(0.005)  # so long that identical calls meet
        question, last = str(call.messages[1]["content"]), call.messages[-1]
        usage = Usage(input=len(str(call.messages)) // 4, output=20 + len(question) % 7)
        self.billed[question, str(last["role"])] = usage.input + 2 * usage.output
        if last["role"] == "tool":
            return _result({"role": "assistant", "content": f"So it is: {last['content']}"}, usage, call)
        # As real providers do it, the id is another one each time.
        wanted = {"id": f"call_{self.requests:024d}", **tool_call("look_up", question=question)}
        return _result({"role": "assistant", "content": None, "tool_calls": [wanted]}, usage, call)


def _result(message: JsonObject, usage: Usage, call: ModelCall) -> ModelResult:
    return ModelResult(
        message=message,
        finish_reason="tool_calls" if "tool_calls" in message else "stop",
        usage=usage,
        deployment=call.model,
        model="small-1",
    )


async def replay(texts: Sequence[str], *, runs: int, folder: Path) -> Replayed:
    """The figures of that many runs; which question is asked how often follows Zipf's law."""
    weights = list(accumulate(1 / rank for rank in range(1, len(texts) + 1)))
    asked = random.Random(7).choices(texts, cum_weights=weights, k=runs)
    provider = Provider()
    async with proctor.open(
        _app(), settings=_settings(folder), providers={"openai": provider.model}
    ) as running:
        places = asyncio.Semaphore(BESIDE)

        async def one(text: str) -> tuple[str, proctor.Run]:
            async with places:
                return text, await running.run("desk", text)

        done = await asyncio.gather(*map(one, asked))
        outcomes: list[Any] = [
            call.outcome
            for _, run in done
            for call in await running.runs.calls(run.id)
            if call.key.kind == "model" and call.outcome is not None
        ]
    return Replayed(
        runs=runs,
        questions=len(set(asked)),
        calls=len(outcomes),
        requests=provider.requests,
        different=len(provider.billed),
        wrong=sum(run.result != f"So it is: {looked_up(text)}" for text, run in done),
        cost=sum(outcome["cost"] for outcome in outcomes),
        saved=sum(outcome["saved"] for outcome in outcomes),
        cost_without=sum(provider.billed[text, role] for text in asked for role in ("user", "tool")),
    )


def looked_up(question: str) -> str:
    """The one right answer to a question."""
    return digest(question)


def _app() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    def look_up(question: str) -> str:
        """Looks a question up."""
        return looked_up(question)

    @app.team("desk", tools=["look_up"])
    def desk(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            system_message=INSTRUCTIONS,
            workbench=ctx.tools("look_up"),
            max_tool_iterations=3,
        )

    return app


def _settings(folder: Path) -> proctor.Settings:
    deployment = {"model": "small-1", "api_key": "none", "price": PRICE, "cache": {}}
    return proctor.Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / 'replay.db'}"},
            "models": {"small": deployment},
            "policies": {"marking": "off"},  # answers are held against what was recorded of the questions
        }
    )
