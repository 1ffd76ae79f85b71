"""A tool call through the whole chain of a real run, and the same function without one."""

import asyncio
from pathlib import Path
from typing import Any

import proctor
from benchmarks._caller import ANSWERS_AFTER, Caller, measure
from benchmarks._tool_chain._rules import AGENT, TEAM, arguments_of, team_of, tool_name, tool_rule
from proctor.core import Effect, ToolCall
from proctor.testing import FakeScope, ScriptedModel
from proctor.tools import function_tool


async def look_up(order: str, note: str) -> str:
    """Looks an order up."""
    await asyncio.sleep(ANSWERS_AFTER)
    return f"Order {order} left the warehouse at 08:14. {note}"


async def bare(calls: int, bursts: int) -> list[float]:
    """Microseconds of the function as a tool, without a chain, of each burst."""
    tool = function_tool(look_up, effect="read_only")
    scope = FakeScope()

    async def call(number: int) -> None:
        await tool.call(ToolCall(scope=scope, tool=tool.spec, arguments=arguments_of(number)))

    return await measure(call, calls, bursts)


async def chained(folder: Path, rules: int, effect: Effect, calls: int, bursts: int) -> list[float]:
    """Microseconds of the same through the chain, under so many rules, tools and entries of each list."""
    application = proctor.App()
    names = [tool_name(number) for number in range(rules)]
    for name in names:
        application.tool(effect=effect, name=name)(look_up)
    made: list[Caller] = []

    @application.team(TEAM, tools=names)
    def team(ctx: proctor.TeamContext) -> Caller:
        bench = ctx.tools(names[-1])

        async def call(number: int) -> None:
            result = await bench.call_tool(names[-1], arguments_of(number))
            if result.is_error:
                raise SystemExit(f"a call was refused: {result.to_text()}")

        made.append(Caller(AGENT, call, calls, bursts))
        return made[-1]

    rule = {**tool_rule(), "integrity": "trusted", "effect": effect}
    limits = {"max_calls": 10_000_000, "deadline": "PT20M", "agent_timeout": "PT20M"}
    settings: dict[str, Any] = {
        "database": {"url": f"sqlite:///{folder / f'chain-{rules}-{effect}.db'}"},
        "models": {"small": {"model": "small", "price": "free"}},
        "functions": dict.fromkeys(names, rule),
        "teams": {TEAM: {**team_of(rules), **limits}},
    }
    async with proctor.open(
        application,
        settings=proctor.Settings.model_validate(settings),
        providers={"openai": ScriptedModel([])},
        environ={},
    ) as running:
        run = await running.run(TEAM, "go")
        if run.state != "completed":
            raise SystemExit(f"the run is {run.state}: {run.error}")
    return made[-1].bursts
