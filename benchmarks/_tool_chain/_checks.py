"""The checks of a tool call by themselves, without a run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from benchmarks._tool_chain._rules import (
    AGENT,
    SCHEMA,
    SHOP,
    TEAM,
    arguments_of,
    server_of,
    team_settings,
    tool_name,
)
from proctor.approvals import ApprovalGate, Opinion
from proctor.core import (
    DataSettings,
    Effect,
    Label,
    Second,
    SystemClock,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    ToolSpec,
    TrustSettings,
)
from proctor.store import Database
from proctor.testing import FakeScope
from proctor.tools import (
    Pins,
    ToolRates,
    ToolRules,
    allow_list,
    check_arguments,
    check_output,
    guard_access,
    guard_flow,
    guard_places,
    limit_calls,
)

Part: TypeAlias = Literal["lists", "checks"]
"""`lists`: only whether the tool is in the lists, and which rule of approval names it."""

PARTS: tuple[Part, ...] = get_args(Part)

READ = Label(integrity="untrusted", confidentiality="user", sources=("shop.mail",))
"""Of what the agent has read before."""


class Checks:
    """The links of the tool chain that decide, in its order, before a tool that only answers."""

    def __init__(self, chain: ToolHandler, spec: ToolSpec) -> None:
        self._chain = chain
        self._spec = spec
        self._scope = FakeScope(team=TEAM, agent=AGENT, label=READ)

    async def call(self, number: int) -> ToolResult:
        """One call. What it reports is forgotten, as the run's log takes it."""
        call = ToolCall(scope=self._scope, tool=self._spec, arguments=arguments_of(number))
        result = await self._chain(call)
        self._scope.events.clear()
        return result


@asynccontextmanager
async def open_checks(folder: Path, rules: int, effect: Effect, part: Part) -> AsyncIterator[Checks]:
    """The checks under so many rules of each kind, with as many pins and tools that the team declares."""
    specs = tuple(
        ToolSpec(
            server=SHOP,
            name=tool_name(number),
            description="Looks an order up.",
            parameters=SCHEMA,
            effect=effect,
        )
        for number in range(rules)
    )
    clock, team = SystemClock(), team_settings(rules)
    known = ToolRules({SHOP: server_of(rules)}, {}, DataSettings())
    async with await Database.open(f"sqlite:///{folder / f'pins-{rules}-{effect}.db'}") as database:
        pins = Pins(database, clock=clock, settings=TrustSettings())
        await pins.meet(SHOP, specs)
        allow = allow_list({(SHOP, spec.name) for spec in specs}, agents=team.agents, rules=known)
        approval = ApprovalGate(team, judge=_nobody)
        links: tuple[ToolMiddleware, ...] = (
            allow,
            pins.middleware,
            limit_calls(team, ToolRates(known, clock)),
            check_arguments(),
            guard_places(known),
            guard_access(known, team, DataSettings()),
            guard_flow(known, team),
            approval,
            check_output(1_000_000),
        )
        yield Checks(_compose(links if part == "checks" else (allow, approval)), specs[-1])


async def answer(call: ToolCall) -> ToolResult:
    """What the tool says."""
    return ToolResult(text=f"Order {call.arguments['order']} left the warehouse at 08:14.")


async def _nobody(call: ToolCall, second: Second) -> Opinion:
    raise AssertionError(f"no rule asks a judge about {call.tool.name}: {second}")


def _compose(links: Sequence[ToolMiddleware]) -> ToolHandler:
    handler: ToolHandler = answer
    for link in reversed(links):
        handler = partial(_call, link, handler)
    return handler


async def _call(link: ToolMiddleware, proceed: ToolHandler, call: ToolCall) -> ToolResult:
    return await link(call, proceed)
