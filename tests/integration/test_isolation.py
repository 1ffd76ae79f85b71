"""What an agent does to itself stays its own: the team goes on without it, also after a restart."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat, Swarm

import proctor
from proctor import Decision, Settings
from proctor.core import (
    AgentSettings,
    ApprovalRule,
    Forbidden,
    ModelCall,
    ModelUnreachable,
    RoleSettings,
    TeamSettings,
)
from proctor.testing import Reply, ScriptedModel, tool_call
from teams.broken import DEEDS, TEAMS, Rogue, add_broken_teams, script

LIMITS = TeamSettings(
    agent_timeout=timedelta(seconds=20), on_failure="state", approval="never", untrusted="allow", max_turns=50
)
FAILING = LIMITS.model_copy(update={"on_failure": "fail", "retries": 0})


def fit(limits: TeamSettings, deed: str) -> TeamSettings:
    """Little time where an agent hangs; on a busy machine others need more to fail by themselves."""
    return limits.model_copy(update={"agent_timeout": timedelta(seconds=1)}) if deed == "hangs" else limits


TOLD = {"message": "text", "agent.failed": "code", "agent.replaced": "by"}
CODES = dict.fromkeys(DEEDS, "agent_failed") | {"hangs": "agent_timed_out"}


@asynccontextmanager
async def opened(
    app: proctor.App,
    settings: Settings,
    model: Callable[[ModelCall], object] = script,
    *,
    limits: TeamSettings = LIMITS,
    **more: object,
) -> AsyncIterator[proctor.Proctor]:
    deployments = {
        name: deployment.model_copy(update={"retries": 0}) for name, deployment in settings.models.items()
    }
    settings = settings.model_copy(update={"teams": dict.fromkeys(app.teams, limits), "models": deployments})
    async with (
        asyncio.timeout(25),
        proctor.open(app, settings=settings, providers={"openai": ScriptedModel(model)}, **more) as running,
    ):
        yield running


async def log(running: proctor.Proctor, run: proctor.Run) -> list[tuple[str, str, str]]:
    return [
        (event.type, event.agent, str(event.data[TOLD[event.type]]))
        for event in await running.runs.events(run.id)
        if event.type in TOLD
    ]


def said(running_log: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(agent, text) for type, agent, text in running_log if type == "message"]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("team", TEAMS)
async def test_a_team_goes_on_without_an_agent_that_failed(settings: Settings, team: str, deed: str) -> None:
    asked: list[str] = []
    app = proctor.App()
    add_broken_teams(app, Rogue("b", deed, asked))
    async with opened(app, settings, limits=fit(LIMITS, deed)) as running:
        run = await running.run(team, "hello")
        happened = await log(running, run)
    assert run.state == "completed", run.error
    assert ("agent.failed", "b", CODES[deed]) in happened
    refusal = f"b could not answer ({CODES[deed]}). Go on without it."
    assert ("b", refusal) in said(happened)
    assert ("c", "said by c") in said(happened), "a sibling's answer is missing"
    assert asked == ["b"], "an agent that failed was asked again"


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("team", TEAMS)
async def test_a_run_fails_by_the_agent_that_nobody_stands_in_for(
    settings: Settings, team: str, deed: str
) -> None:
    app = proctor.App()
    add_broken_teams(app, Rogue("b", deed, []))
    async with opened(app, settings, limits=fit(FAILING, deed)) as running:
        run = await running.run(team, "hello")
        happened = await log(running, run)
    assert (run.state, run.error_code) == ("failed", CODES[deed])
    assert [entry for entry in happened if entry[0] != "message"] == [("agent.failed", "b", CODES[deed])]


@pytest.mark.parametrize("deed", ["ends without an answer", "says what nobody knows"])
async def test_an_answer_that_is_none_is_a_failure(settings: Settings, deed: str) -> None:
    app = proctor.App()
    add_broken_teams(app, Rogue("b", deed, []))
    async with opened(app, settings) as running:
        run = await running.run("graph", "hello")
        happened = await log(running, run)
    assert (run.state, run.result) == ("completed", "said by e")
    assert ("agent.failed", "b", "agent_failed") in happened


@pytest.mark.parametrize("team", TEAMS)
async def test_a_run_killed_behind_a_failure_goes_on_just_the_same(
    settings: Settings, team: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At each model call behind the failure, with an agent that wouldn't fail a second time."""

    def fresh() -> Settings:
        url = f"sqlite:///{tmp_path_factory.mktemp('run')}/p.db"
        return settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})

    patient = fit(LIMITS, "raises")
    made: Counter[str] = Counter()
    reached = asyncio.Event()
    stops: list[int] = []

    async def model(call: ModelCall) -> Reply:
        if made.total() in stops:
            reached.set()
            await asyncio.get_running_loop().create_future()
        made[call.scope.key] += 1
        return script(call)

    rogue = Rogue("b", "raises", asked := [])
    app = proctor.App()
    add_broken_teams(app, rogue)
    async with opened(app, fresh(), model, limits=patient) as running:
        run = await running.run(team, "hello")
        whole, result, calls = said(await log(running, run)), run.result, made.total()
    points = 0
    for stop in range(calls):
        stops[:] = [stop]
        made.clear()
        asked.clear()
        reached.clear()
        rogue.deed = "raises"
        at = fresh()
        async with opened(app, at, model, limits=patient, grace=timedelta(0)) as running:
            run = await running.start(team, "hello")
            await reached.wait()
            async with asyncio.timeout(30):
                while made.total() != sum(
                    call.outcome is not None and call.key.kind == "model"
                    for call in await running.runs.calls(run.id)
                ):
                    await asyncio.sleep(0.001)
            for _ in range(20):  # siblings of the silent call come to their ends
                await asyncio.sleep(0.001)
            while asked and ("agent.failed", "b", "agent_failed") not in await log(running, run):
                await asyncio.sleep(0.001)
        if not asked:
            continue
        points += 1
        rogue.deed = "answers"
        stops.clear()
        async with opened(app, at, model, limits=patient) as running:
            run = await running.wait(run.id)
            assert (run.state, run.result) == ("completed", result), run.error
            assert sorted(said(await log(running, run))) == sorted(whole)
        assert asked == ["b"]
        assert set(made.values()) == {1}, "a recorded call was made again"
    assert points


async def test_siblings_of_a_failed_branch_are_not_asked_again_when_the_run_is_resumed(
    settings: Settings,
) -> None:
    made: Counter[str] = Counter()

    async def model(call: ModelCall) -> Reply:
        await asyncio.sleep(0.01)
        made[call.scope.key] += 1
        return script(call)

    rogue = Rogue("b", "raises", [])
    app = proctor.App()
    add_broken_teams(app, rogue)
    async with opened(app, settings, model, limits=FAILING) as running:
        run = await running.run("graph", "hello")
        assert run.error_code == "agent_failed"
        rogue.deed = "answers"
        await running.resume(run.id)
        run = await running.wait(run.id)
    assert (run.state, run.result) == ("completed", "said by e")
    assert set(made.values()) == {1}
    assert len(made) == 4


def payer(paid: list[int]) -> proctor.App:
    """A team whose `clerk` pays, and whose `deputy` would do so too."""
    app = proctor.App()

    @app.tool(effect="consequential")
    async def pay(euros: int) -> str:
        """Pays."""
        paid.append(euros)
        if len(paid) == 1 and stuck(paid):
            await asyncio.get_running_loop().create_future()
        return f"paid {euros}"

    @app.team("desk", tools=["pay"])
    def desk(ctx: proctor.TeamContext) -> Team:
        clerk, deputy = (
            AssistantAgent(
                name, model_client=ctx.model("small"), workbench=ctx.tools("pay"), reflect_on_tool_use=True
            )
            for name in ("clerk", "deputy")
        )
        ctx.stand_in(clerk, deputy)
        writer = AssistantAgent("writer", model_client=ctx.model("small"))
        return RoundRobinGroupChat([writer, clerk], termination_condition=MaxMessageTermination(5))

    return app


class Paid(list[int]):
    """What was paid; `stuck` where the tool never says so."""

    stuck = False


def stuck(paid: list[int]) -> bool:
    return isinstance(paid, Paid) and paid.stuck


def clerk_fails(call: ModelCall) -> Reply:
    """The clerk pays and is then cut off; the deputy pays unless it reads that this is done."""
    text = json.dumps(call.messages)
    match call.scope.agent:
        case "clerk" if call.messages[-1]["role"] == "tool":
            return ModelUnreachable("the line is dead")
        case "clerk":
            return [tool_call("pay", euros=5)]
        case "deputy" if "paid 5" not in text:
            return [tool_call("pay", euros=5)]
        case "deputy":
            return f"Done: {text.count('said by writer')}"
        case _:
            return f"said by {call.scope.agent}"


async def test_a_stand_in_knows_the_conversation_and_what_was_done_already(settings: Settings) -> None:
    paid: list[int] = []
    async with opened(payer(paid), settings, clerk_fails) as running:
        run = await running.run("desk", "Pay five.")
        happened = await log(running, run)
        calls = await running.runs.calls(run.id)
        failures = running.metrics.registry.get_sample_value(
            "proctor_agent_failures_total", {"team": "desk", "agent": "clerk", "code": "model_unreachable"}
        )
    assert (run.state, paid) == ("completed", [5])
    assert [entry for entry in happened if entry[0] != "message"] == [
        ("agent.failed", "clerk", "model_unreachable"),
        ("agent.replaced", "clerk", "deputy"),
    ]
    assert said(happened) == [
        ("writer", "said by writer"),
        ("clerk", "Done: 1"),
        ("writer", "said by writer"),
        ("clerk", "Done: 2"),
    ]
    assert failures == 1
    [lost] = [call for call in calls if call.key.kind == "agent"]
    assert lost.outcome is not None
    assert lost.outcome["done"] == ['pay({"euros":5}): paid 5']


async def test_a_turn_that_acted_and_failed_is_not_taken_again_by_a_resumed_run(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Stopped at each model call, with a line that is dead only before the stop."""
    made: Counter[str] = Counter()
    reached = asyncio.Event()
    stops: list[int] = []
    dead = True

    async def model(call: ModelCall) -> Reply:
        if made.total() in stops:
            reached.set()
            await asyncio.get_running_loop().create_future()
        made[call.scope.key] += 1
        failed = clerk_fails(call)
        return "The line is back." if isinstance(failed, ModelUnreachable) and not dead else failed

    for stop in range(3, 6):
        folder, paid, dead = tmp_path_factory.mktemp("run"), list[int](), True
        at = settings.model_copy(
            update={"database": settings.database.model_copy(update={"url": f"sqlite:///{folder}/p.db"})}
        )
        stops[:] = [stop]
        reached.clear()
        made.clear()
        async with opened(payer(paid), at, model, grace=timedelta(0)) as running:
            run = await running.start("desk", "Pay five.")
            await reached.wait()
            await running.database.commit(lambda _: None)
        stops.clear()
        dead = False
        async with opened(payer(paid), at, model) as running:
            run = await running.wait(run.id)
            happened = await log(running, run)
        assert (run.state, run.result, paid) == ("completed", "Done: 2", [5])
        assert set(made.values()) == {1}, "a recorded call was made again"
        assert sum(type == "agent.failed" for type, _, _ in happened) == 1


@pytest.mark.parametrize("decision", ["respond", "approve", "reject"])
async def test_an_action_in_progress_is_settled_by_a_person_before_anybody_stands_in(
    settings: Settings, decision: str
) -> None:
    paid = Paid()
    paid.stuck = True
    app = payer(paid)
    async with opened(app, settings, clerk_fails, limits=fit(LIMITS, "hangs")) as running:
        run = await running.run("desk", "Pay five.")
        assert run.state == "waiting"
        [asked] = await running.approvals()
        assert (asked.question.kind, asked.question.action["tool"]) == ("uncertain", "pay")
        assert "deputy" not in {call.key.agent for call in await running.runs.calls(run.id)}
    async with opened(app, settings, clerk_fails) as running:
        comment = "paid 5, as the bank says" if decision == "respond" else ""
        await running.decide(asked.id, Decision(kind=decision, comment=comment, by="ann"))
        run = await running.wait(run.id)
        happened = await log(running, run)
    if decision == "reject":
        assert (run.state, paid) == ("failed", [5])
        return
    assert run.state == "completed"
    assert paid == ([5] if decision == "respond" else [5, 5]), "the person knows whether it took effect"
    assert ("agent.replaced", "clerk", "deputy") in happened


async def test_those_who_decided_on_an_action_settle_its_unknown_end(settings: Settings) -> None:
    paid = Paid()
    paid.stuck = True
    settings = settings.model_copy(update={"roles": {"board": RoleSettings(members=("ann", "dora"))}})
    rule = ApprovalRule(tools=("pay",), roles=("board",), quorum=2)
    limits = fit(LIMITS, "hangs").model_copy(update={"approval": "consequential", "approvals": (rule,)})
    async with opened(payer(paid), settings, clerk_fails, limits=limits) as running:
        run = await running.run("desk", "Pay five.")
        [asked] = await running.approvals()
        for by in ("ann", "dora"):
            await running.decide(asked.id, Decision(kind="approve", by=by))
        run = await running.wait(run.id)
        [doubt] = await running.approvals()
        assert (doubt.question.kind, doubt.roles, doubt.quorum) == ("uncertain", ("board",), 2)
        answer = "nothing was paid, pay again"
        with pytest.raises(Forbidden):
            await running.decide(doubt.id, Decision(kind="respond", by="eve", comment=answer))
        for by in ("ann", "dora"):
            await running.decide(doubt.id, Decision(kind="approve", by=by))
        run = await running.wait(run.id)
        assert run.state == "waiting", "the stand-in's own payment is asked about"
    assert paid == [5]


async def test_a_single_agent_is_replaced_by_its_stand_in_and_fails_without(settings: Settings) -> None:
    app = proctor.App()

    @app.team("covered")
    def covered(ctx: proctor.TeamContext) -> ChatAgent:
        rogue = Rogue("b", "raises", [])
        ctx.stand_in(rogue, Rogue("second", "raises", []))
        return rogue

    @app.team("saved")
    def saved(ctx: proctor.TeamContext) -> ChatAgent:
        rogue, second = Rogue("b", "raises", []), Rogue("second", "hangs", [])
        ctx.stand_in(rogue, second)
        ctx.stand_in(second, AssistantAgent("third", model_client=ctx.model("small")))
        return rogue

    async with opened(app, settings, limits=fit(LIMITS, "hangs")) as running:
        run = await running.run("saved", "hello")
        assert (run.state, run.result) == ("completed", "said by third")
        run = await running.run("covered", "hello")
        assert (run.state, run.error_code) == ("failed", "agent_failed")


async def test_a_team_in_which_nobody_is_left_fails(settings: Settings) -> None:
    app = proctor.App()

    @app.team("lost")
    def lost(ctx: proctor.TeamContext) -> Team:
        return RoundRobinGroupChat(
            [Rogue("a", "raises", []), Rogue("b", "raises", [])],
            termination_condition=MaxMessageTermination(9),
        )

    async with opened(app, settings) as running:
        run = await running.run("lost", "hello")
    assert (run.state, run.error_code) == ("failed", "agent_failed")


async def test_an_agent_whose_name_is_none_ends_the_run_before_it_begins(settings: Settings) -> None:
    asked: list[str] = []
    app = proctor.App()

    class Odd(Rogue):
        """Named as AutoGen's own agents can't be: its place would read as one within another."""

        def __init__(self) -> None:
            self._name, self._description, self.deed, self._asked = "a/b", "", "raises", asked

    @app.team("odd")
    def odd(_: proctor.TeamContext) -> ChatAgent:
        return Odd()

    async with opened(app, settings) as running:
        run = await running.run("odd", "hello")
    assert (run.state, run.error_code, asked) == ("failed", "team", [])
    assert "'a/b'" in str(run.error)


async def test_a_swarm_goes_back_to_whoever_handed_over(settings: Settings) -> None:
    app = proctor.App()

    @app.team("swarm")
    def swarm(ctx: proctor.TeamContext) -> Team:
        clerk, expert = (
            AssistantAgent(name, model_client=ctx.model("small"), handoffs=[to])
            for name, to in (("clerk", "expert"), ("expert", "rogue"))
        )
        return Swarm(
            [clerk, expert, Rogue("rogue", "raises", [])],
            termination_condition=TextMentionTermination("It stays with me."),
        )

    def model(call: ModelCall) -> Reply:
        if "could not answer" in json.dumps(call.messages):
            return "It stays with me."
        return [tool_call("transfer_to_expert" if call.scope.agent == "clerk" else "transfer_to_rogue")]

    async with opened(app, settings, model) as running:
        run = await running.run("swarm", "hello")
        happened = await log(running, run)
    assert run.state == "completed"
    assert [agent for agent, _ in said(happened)] == ["clerk", "expert", "rogue", "expert"]


async def test_an_agent_within_an_agent_fails_with_the_outer_one(settings: Settings) -> None:
    app = proctor.App()

    @app.team("nested")
    def nested(ctx: proctor.TeamContext) -> Team:
        inner = RoundRobinGroupChat(
            [AssistantAgent("x", model_client=ctx.model("small")), Rogue("y", "hangs", [])],
            name="inner",
            termination_condition=MaxMessageTermination(3),
        )
        mind = SocietyOfMindAgent("mind", team=inner, model_client=ctx.model("small"))
        last = AssistantAgent("last", model_client=ctx.model("small"))
        return RoundRobinGroupChat([mind, last], termination_condition=MaxMessageTermination(3))

    own = LIMITS.model_copy(
        update={
            "agent_timeout": timedelta(minutes=5),
            "agents": {"mind/inner/y": AgentSettings(timeout=timedelta(seconds=0.2), on_failure="fail")},
        }
    )
    async with opened(app, settings, limits=own) as running:
        run = await running.run("nested", "hello")
        happened = await log(running, run)
    assert (run.state, run.result) == ("completed", "said by last")
    assert [entry for entry in happened if entry[0] == "agent.failed"] == [
        ("agent.failed", "mind/inner/y", "agent_timed_out"),
        ("agent.failed", "mind", "agent_timed_out"),
    ]


class Stubborn(Rogue):
    """An agent that swallows its cancellation until it is let go."""

    def __init__(self, let_go: asyncio.Event) -> None:
        super().__init__("b", "hangs", [])
        self._let_go = let_go

    async def on_messages(self, messages, cancellation_token):
        while not self._let_go.is_set():
            try:
                await self._let_go.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("let go")


async def test_an_agent_that_swallows_its_cancellation_is_left_behind(settings: Settings) -> None:
    let_go = asyncio.Event()
    app = proctor.App()
    add_broken_teams(app, Stubborn(let_go))
    loop = asyncio.get_running_loop()
    try:
        async with opened(app, settings, limits=fit(LIMITS, "hangs")) as running:
            began = loop.time()
            run = await running.run("graph", "hello")
            took = loop.time() - began
    finally:
        let_go.set()
    assert (run.state, run.result) == ("completed", "said by e")
    assert took < 20


async def test_a_tool_that_swallows_its_cancellation_holds_up_no_cancelled_run(settings: Settings) -> None:
    let_go, reached = asyncio.Event(), asyncio.Event()
    app = proctor.App()

    @app.tool(effect="read_only")
    async def look() -> str:
        """Looks."""
        reached.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return "seen"

    @app.team("team", tools=["look"])
    def team(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("a", model_client=ctx.model("small"), workbench=ctx.tools("look"))

    try:
        async with opened(app, settings, lambda _: [tool_call("look")]) as running:
            run = await running.start("team", "hello")
            await reached.wait()
            await running.runs.cancel(run.id)
            async with asyncio.timeout(20):
                run = await running.wait(run.id)
    finally:
        let_go.set()
    assert run.state == "cancelled"


@pytest.mark.parametrize("pairs", ["bA", "ab ba", "aa", "Ab"])
async def test_stand_ins_that_can_not_be_are_refused(settings: Settings, pairs: str) -> None:
    """One called like a member, two for each other, one for itself, one for who is no member."""
    app = proctor.App()

    @app.team("team")
    def team(ctx: proctor.TeamContext) -> Team:
        agents = {name: AssistantAgent(name.lower(), model_client=ctx.model("small")) for name in "abA"}
        for agent, backup in pairs.split():
            ctx.stand_in(agents[agent], agents[backup])
        return RoundRobinGroupChat([agents["a"], agents["b"]])

    async with opened(app, settings) as running:
        run = await running.run("team", "hello")
    assert (run.state, run.error_code) == ("failed", "team")


# Loops.


async def test_a_call_made_again_and_again_is_refused_and_then_ends_its_agent(settings: Settings) -> None:
    looked: list[int] = []
    read: list[str] = []
    app = proctor.App()

    @app.tool(effect="read_only")
    async def look(place: str) -> str:
        """Looks."""
        looked.append(1)
        return "nothing there"

    @app.team("team", tools=["look"])
    def team(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "a", model_client=ctx.model("small"), workbench=ctx.tools("look"), max_tool_iterations=50
        )

    def insists(call: ModelCall) -> Reply:
        read.append(str(call.messages[-1]["content"]))
        return [tool_call("look", place="here")]

    def learns(call: ModelCall) -> Reply:
        if "already" in str(call.messages[-1]["content"]):
            return "There is nothing."
        return [tool_call("look", place="here")]

    limits = LIMITS.model_copy(update={"max_tool_iterations": 50, "agent_timeout": timedelta(minutes=1)})
    async with opened(app, settings, learns, limits=limits) as running:
        run = await running.run("team", "hello")
        assert (run.state, run.result, len(looked)) == ("completed", "There is nothing.", 5)
    looked.clear()
    async with opened(app, settings, insists, limits=limits) as running:
        run = await running.run("team", "hello")
        events = await running.runs.events(run.id)
        assert (run.state, run.error_code, len(looked)) == ("failed", "loop_detected", 5)
        assert len(read) == 11
        assert [event.data["times"] for event in events if event.type == "loop.detected"] == [6, 11]
        await running.resume(run.id)
        run = await running.wait(run.id)
        assert (run.error_code, len(read)) == ("loop_detected", 11), "a resumed run counts on"


def polling(answers: Callable[[int], str]) -> proctor.App:
    app = proctor.App()
    asked: list[int] = []

    @app.tool(effect="read_only")
    async def look(place: str) -> str:
        """Looks."""
        asked.append(1)
        return answers(len(asked))

    @app.tool(effect="idempotent")
    async def write(text: str) -> str:
        """Writes."""
        return "written"

    @app.team("team", tools=["look", "write"])
    def team(ctx: proctor.TeamContext) -> ChatAgent:
        tools = ctx.tools("look", "write")
        return AssistantAgent("a", model_client=ctx.model("small"), workbench=tools, max_tool_iterations=50)

    return app


async def test_a_call_whose_answer_changes_is_no_loop(settings: Settings) -> None:
    def waits(call: ModelCall) -> Reply:
        if "done" in str(call.messages[-1]["content"]):
            return "It is done."
        return [tool_call("look", place="here")]

    app = polling(lambda times: "done" if times == 12 else f"{times} of 12")
    limits = LIMITS.model_copy(update={"max_tool_iterations": 50, "agent_timeout": timedelta(minutes=1)})
    async with opened(app, settings, waits, limits=limits) as running:
        run = await running.run("team", "hello")
    assert (run.state, run.result) == ("completed", "It is done.")


async def test_the_same_look_behind_every_change_is_no_loop(settings: Settings) -> None:
    def edits(call: ModelCall) -> Reply:
        made = sum(message["role"] == "tool" for message in call.messages)
        if made == 24:
            return "It is done."
        return [tool_call("look", place="here") if made % 2 else tool_call("write", text=f"version {made}")]

    limits = LIMITS.model_copy(update={"max_tool_iterations": 50, "agent_timeout": timedelta(minutes=1)})
    async with opened(polling(lambda _: "1 test fails"), settings, edits, limits=limits) as running:
        run = await running.run("team", "hello")
        events = await running.runs.events(run.id)
    assert (run.state, run.result) == ("completed", "It is done.")
    assert not any(event.type == "loop.detected" for event in events)


async def test_an_agent_that_insists_is_replaced_by_its_stand_in(settings: Settings) -> None:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def look(place: str) -> str:
        """Looks."""
        return "nothing there"

    @app.team("team", tools=["look"])
    def team(ctx: proctor.TeamContext) -> ChatAgent:
        agent = AssistantAgent(
            "a", model_client=ctx.model("small"), workbench=ctx.tools("look"), max_tool_iterations=50
        )
        ctx.stand_in(agent, AssistantAgent("second", model_client=ctx.model("small")))
        return agent

    def insists(call: ModelCall) -> Reply:
        return [tool_call("look", place="here")] if call.scope.agent == "a" else "There is nothing."

    limits = TeamSettings(max_tool_iterations=50)
    async with opened(app, settings, insists, limits=limits) as running:
        run = await running.run("team", "hello")
        happened = await log(running, run)
    assert (run.state, run.result) == ("completed", "There is nothing.")
    assert happened[:2] == [("agent.failed", "a", "loop_detected"), ("agent.replaced", "a", "second")]


def talk(*names: str, most: int = 40) -> proctor.App:
    app = proctor.App()

    @app.team("talk")
    def team(ctx: proctor.TeamContext) -> Team:
        members: list[ChatAgent | Team] = [
            AssistantAgent(name, model_client=ctx.model("small")) for name in names
        ]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(most))

    return app


async def test_agents_that_repeat_themselves_are_stopped(settings: Settings) -> None:
    app = talk("a", "b")
    async with opened(app, settings, lambda call: f"I, {call.scope.agent}, agree.") as running:
        run = await running.run("talk", "hello")
        events = await running.runs.events(run.id)
    assert (run.state, run.error_code) == ("failed", "loop_detected")
    assert [event.data for event in events if event.type == "loop.detected"] == [
        {"kind": "messages", "length": 2, "rounds": 3}
    ]
    assert sum(event.type == "message" for event in events) == 6


async def test_a_run_takes_no_more_turns_than_it_may(settings: Settings) -> None:
    turns = iter(range(1000))
    limits = LIMITS.model_copy(update={"max_turns": 10})
    async with opened(talk("a", "b"), settings, lambda _: f"Turn {next(turns)}.", limits=limits) as running:
        run = await running.run("talk", "hello")
        events = await running.runs.events(run.id)
    assert (run.state, run.error_code) == ("failed", "run")
    assert "max_turns" in (run.error or "")
    assert sum(event.type == "message" for event in events) == 11
