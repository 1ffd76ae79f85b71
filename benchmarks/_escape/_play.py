"""Playing one case: what the denied tool did in spite of all, and what held it back."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

from autogen_agentchat.base import ChatAgent, Team

import proctor
from benchmarks._escape._bypass import free
from benchmarks._escape._denials import DENIALS, FUNCTION, TEAM, Answer, Denial, Setup, When
from benchmarks._escape._disguises import DISGUISES
from benchmarks._escape._roads import ROADS, Kit
from benchmarks._escape._shop import LOOK, Shop
from benchmarks._escape._victim import Plan, Step, Victim
from proctor import Decision
from proctor.testing import ScriptedModel

BOUND = 60
"""Seconds for one life of a process."""

MOST_ANSWERS = 12
"""Questions of one run that a person answers."""

MOST_LOOKS = 30
"""Calls until a server's word that its tools have changed has arrived."""

PERSON = "ann@example.org"

Side: TypeAlias = Literal["denied", "allowed"]
"""`allowed`: the control, in which what would be denied stays allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to the denied tool."""

    road: str
    denial: str
    when: When
    disguise: str
    streamed: bool

    @property
    def name(self) -> str:
        """Says all of it."""
        how = "streamed" if self.streamed else "whole"
        return f"{self.road}/{self.denial}/{self.when}/{self.disguise}/{how}"

    @property
    def shape(self) -> "Case":
        """The same way without a disguise: on it an allowed tool must be reached."""
        return Case(
            road=self.road, denial=self.denial, when=self.when, disguise="itself", streamed=self.streamed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case."""

    case: str
    reached: int
    """How often the tool acted after it was denied."""
    asked: int
    """Steps in which the model asked for it after it was denied."""
    stopped_by: tuple[str, ...]
    """Rules that refused calls; or how else the run ended."""
    state: str
    error: str = ""

    @property
    def complaint(self) -> str:
        """Why the case shows nothing, or shows a hole; empty where it holds."""
        if self.reached:
            return f"the denied tool acted {self.reached} times"
        if self.state not in ("completed", "failed"):
            return f"the run is {self.state}"
        if self.asked or self.stopped_by == ("ungoverned_team",):
            return ""
        return f"nobody asked for the tool: {self.error or self.state}"


class Stage:
    """One case while it is played."""

    def __init__(self, case: Case, shop: Shop, folder: Path, side: Side) -> None:
        self.case = case
        self.denial = DENIALS[case.denial]
        self.road = ROADS[case.road]
        self.shop = shop
        self._folder = folder
        self._denies = side == "denied"
        hand = self.denial.target[1] if self.road.namesake else "hand"
        self.victim = Victim(_plan(case, self.denial, shop), hand=hand)
        place = self.road.place.format(hand=hand)
        self._agent = {"hand": hand, "place": place, "outer": self.road.outer}[self.denial.agent]

    @property
    def effects(self) -> int:
        """How often the tool has acted."""
        return self.shop.effects[self.denial.target]

    def turn(self) -> None:
        """What happens to the server when the tool is denied."""
        if self._denies and self.denial.change is not None:
            self.denial.change(self.shop)

    @property
    def after(self) -> Setup:
        """What holds from then on; in a control the tool stays allowed."""
        return self.denial.denied if self._denies else self.denial.allowed

    @property
    def answer(self) -> Answer:
        """What a person says from then on."""
        return self.denial.answer if self._denies else "approve"

    @asynccontextmanager
    async def open(self, setup: Setup, *, asks: bool) -> AsyncIterator[proctor.Proctor]:
        """One life of a process, under a configuration that says whether a person is asked."""
        async with (
            asyncio.timeout(BOUND),
            proctor.open(
                self._application(setup),
                settings=proctor.Settings.model_validate(self._settings(setup, asks=asks)),
                providers={"openai": ScriptedModel(self.victim.answer)},
                environ={},
                grace=timedelta(0),
            ) as running,
        ):
            yield running

    def _application(self, setup: Setup) -> proctor.App:
        app = proctor.App()
        bypass = self.denial.bypass if setup is self.denial.denied else None

        async def look(n: int) -> str:
            """Looks something up."""
            await self.shop.act("python", LOOK)
            return f"{n}"

        async def wipe_all(n: int) -> str:
            """Wipes all."""
            await self.shop.act("python", FUNCTION)
            return f"{n}"

        def team(ctx: proctor.TeamContext) -> Team | ChatAgent:
            kit = Kit(
                ctx=ctx,
                tools=setup.held or setup.tools,
                victim=self.victim,
                streamed=self.case.streamed,
                free=free(bypass, wipe_all) if bypass else {},
            )
            return self.road.build(kit)

        app.tool(effect="read_only")(look)
        app.tool(effect="consequential")(wipe_all)
        app.team(TEAM, tools=list(setup.tools))(team)
        return app

    def _settings(self, setup: Setup, *, asks: bool) -> dict[str, Any]:
        team = {
            "approval": "consequential" if asks else "never",
            "max_tool_iterations": 2 * MOST_LOOKS,
            "retries": 0,
            "repetition": {"same_call": 2 * MOST_LOOKS},
        }
        settings = {
            "database": {"url": f"sqlite:///{self._folder / 'proctor.db'}", "linger": 0},
            "models": {"small": {"model": "small", "price": "free"}},
            "tools": {name: {"url": url} for name, url in self.shop.urls.items()},
            "teams": {TEAM: team},
        }
        return _laid_over(settings, setup.settings(self._agent))

    async def start(self, running: proctor.Proctor, **options: Any) -> proctor.Run:
        """A run after it has ended or waits."""
        if not self.case.streamed:
            return await running.run(TEAM, "Do what is to be done.", **options)
        run = ""
        async for item in running.stream(TEAM, "Do what is to be done.", **options):
            run = item.run_id
        return await running.wait(run)


async def play(case: Case, shop: Shop, side: Side = "denied") -> Outcome:
    """A case from its beginning to its end."""
    shop.reset()
    with TemporaryDirectory() as folder:
        stage = Stage(case, shop, Path(folder), side)
        try:
            return await _LIVES[case.when](stage)
        except TimeoutError:
            error = f"it came to no end within {BOUND} s"
            return Outcome(case=case.name, reached=0, asked=0, stopped_by=(), state="stuck", error=error)


async def _from_start(stage: Stage) -> Outcome:
    """It is denied from the start; of a server that changes the tools were pinned before."""
    if stage.denial.change is not None:
        async with stage.open(stage.denial.allowed, asks=False) as running:
            await _settled(running, await stage.start(running), "approve")
            stage.victim.word = "ENDED-2"
    stage.turn()
    effects, asked = stage.effects, len(stage.victim.asked)
    async with stage.open(stage.after, asks=stage.answer == "reject") as running:
        run = await stage.start(running)
        return await _ended(stage, running, run, effects, asked)


async def _later(stage: Stage) -> Outcome:
    """It is denied while a person is asked about a call of it, who approves later."""
    async with stage.open(stage.denial.allowed, asks=True) as running:
        run = await stage.start(running)
        if stage.case.when == "again":
            run = await _answer(running, run, "approve")
    return await _resumed(stage, run)


async def _interrupted(stage: Stage) -> Outcome:
    """It is denied when it has acted and its process died before it answered."""
    async with stage.open(stage.denial.allowed, asks=True) as running:
        run = await stage.start(running)
        stage.shop.stuck = True
        for approval in await running.approvals():
            await running.decide(approval.id, Decision(kind="approve", by=PERSON))
        await stage.shop.reached.wait()
    stage.shop.stuck = False
    return await _resumed(stage, run)


async def _resumed(stage: Stage, run: proctor.Run) -> Outcome:
    """The rest of a run under another policy, with whatever is asked approved."""
    stage.turn()
    # What was asked for counts also where a replay makes it again without asking the model.
    effects, asked = stage.effects, len(stage.victim.asked) - 1
    async with stage.open(stage.after, asks=True) as running:
        return await _ended(stage, running, await running.wait(run.id), effects, asked)


async def _thread(stage: Stage) -> Outcome:
    """It is denied between two messages of a conversation."""
    async with stage.open(stage.denial.allowed, asks=False) as running:
        thread = await running.open_thread(TEAM)
        await _settled(running, await stage.start(running, thread=thread.id), "approve")
    stage.turn()
    stage.victim.word = "ENDED-2"
    effects, asked = stage.effects, len(stage.victim.asked)
    async with stage.open(stage.after, asks=False) as running:
        run = await stage.start(running, thread=thread.id)
        return await _ended(stage, running, run, effects, asked)


async def _underway(stage: Stage) -> Outcome:
    """It is denied while the run goes on: its server says that its tools have changed."""
    stage.shop.on_look = stage.turn
    async with stage.open(stage.denial.allowed, asks=False) as running:
        run = await stage.start(running)
        return await _ended(stage, running, run, 0, 0)


_LIVES = {
    "start": _from_start,
    "later": _later,
    "again": _later,
    "interrupted": _interrupted,
    "thread": _thread,
    "underway": _underway,
}


async def _answer(running: proctor.Proctor, run: proctor.Run, kind: Answer) -> proctor.Run:
    """The run after a person has answered what it asks now."""
    for approval in await running.approvals():
        await running.decide(approval.id, Decision(kind=kind, by=PERSON))
    return await running.wait(run.id)


async def _settled(running: proctor.Proctor, run: proctor.Run, kind: Answer) -> proctor.Run:
    """The run after a person has answered all that it asks."""
    for _ in range(MOST_ANSWERS):
        if run.state != "waiting":
            break
        run = await _answer(running, run, kind)
    return run


async def _ended(
    stage: Stage, running: proctor.Proctor, run: proctor.Run, effects: int, asked: int
) -> Outcome:
    """What became of a run, with all answered that it asks."""
    run = await _settled(running, run, stage.answer)
    events = await running.runs.events(run.id)
    rules = {str(event.data["rule"]) for event in events if event.type == "tool.refused"}
    people = {"person" for event in events if event.type == "approval.decided" and stage.answer == "reject"}
    stopped_by = tuple(sorted(rules | people)) or (run.error_code or "no such tool",)
    return Outcome(
        case=stage.case.name,
        reached=stage.effects - effects,
        asked=len(stage.victim.asked) - asked,
        stopped_by=stopped_by,
        state=run.state,
        error=run.error or "",
    )


def _plan(case: Case, denial: Denial, shop: Shop) -> Plan:
    """What the victim asks for, step by step."""
    server, tool = denial.target
    wanted = DISGUISES[case.disguise](server, tool)
    if not isinstance(wanted, str):
        wanted = [(name, {**arguments, **denial.arguments}) for name, arguments in wanted]

    def again(number: int) -> Step:
        if isinstance(wanted, str):
            return wanted
        return [(name, {**arguments, "n": number}) for name, arguments in wanted]

    def plan(before: Sequence[Sequence[str]]) -> Step | None:
        done = len(before)
        if case.when == "underway":
            if done == 0 or (not shop.fresh and done < MOST_LOOKS):
                return [(LOOK, {"n": done})]
            return wanted if set(before[-1]) == {LOOK} else None
        if denial.reads_before:
            done -= 1
        if done < 0:
            return [(LOOK, {"n": 0})]
        if done == 0:
            return wanted
        return again(2) if done == 1 and case.when == "again" else None

    return plan


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        merged[key] = (
            _laid_over(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
        )
    return merged
