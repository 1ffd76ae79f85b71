"""Tools that ask people and models while they run, in runs of real teams."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.approvals import Approval, Filter
from proctor.core import InvalidInput, ModelCall
from proctor.testing import Reply, ScriptedModel, tool_call

PROGRAM = Path(__file__).parent.parent / "servers" / "asking_tool_server.py"
FEW = timedelta(0)


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk", tools=["hall"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("hall"), max_tool_iterations=5
        )

    return app


def calls(tool: str, **arguments: object) -> Callable[[ModelCall], Reply]:
    """Calls a tool once, and tells what came of it."""

    def clerk(call: ModelCall) -> Reply:
        if not call.tools:
            return f"a thought of {call.messages[-1]['content']}"
        answers = [message for message in call.messages if message["role"] == "tool"]
        return str(answers[-1]["content"]) if answers else [tool_call(tool, **arguments)]

    return clerk


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    def settings(kind: str = "old", *, team: dict[str, object] | None = None, **server: object) -> Settings:
        hall = {"command": [sys.executable, str(PROGRAM), kind], "integrity": "trusted", **server}
        desk = {"approval": "never", **(team or {})}
        return make_settings(
            database_url,
            tools={"hall": hall},
            teams={"desk": desk},
            roles={"host": {"members": ["ann@example.org"]}},
        )

    return settings


@asynccontextmanager
async def opened(settings: Settings, script: object) -> AsyncIterator[proctor.Proctor]:
    providers = {"openai": ScriptedModel(script)}  # type: ignore[arg-type]
    async with proctor.open(application(), settings=settings, providers=providers, grace=FEW) as running:
        async with asyncio.timeout(50):
            yield running


async def asked(running: proctor.Proctor, **wanted: object) -> Approval:
    (approval,) = await running.approvals(Filter(**wanted))  # type: ignore[arg-type]
    return approval


@pytest.mark.parametrize("kind", ["old", "new"])
async def test_a_run_waits_for_what_its_tool_wants_to_know_and_acts_once(
    make: Callable[..., Settings], tmp_path: Path, kind: str
) -> None:
    journal = tmp_path / "journal"
    settings, script = make(kind), calls("book", journal=str(journal))
    async with opened(settings, script) as running:
        run = await running.run("desk", "Book seats")
        assert run.state == "waiting"
        seats = await asked(running)
        assert (seats.question.kind, seats.action["asks"]["message"]) == ("elicit", "How many seats?")
        with pytest.raises(InvalidInput):
            await running.decide(seats.id, Decision(kind="edit", arguments={"seats": "many"}))
        with pytest.raises(InvalidInput):
            await running.decide(seats.id, Decision(kind="respond", comment="many"))
    # Another process goes on.
    async with opened(settings, script) as running:
        await running.decide(seats.id, Decision(kind="edit", arguments={"seats": 3}))
        assert (await running.wait(run.id)).state == "waiting"
        name = await asked(running)
        with pytest.raises(InvalidInput):
            await running.decide(name.id, Decision(kind="approve"))
        await running.decide(name.id, Decision(kind="respond", comment="Ann"))
        run = await running.wait(run.id)
        everything = await running.approvals(Filter(state=None))
    assert (run.state, run.result) == ("completed", "booked 3 for Ann")
    assert journal.read_text() == "3 for Ann\n"
    assert [one.question.kind for one in everything] == ["elicit", "elicit"]


async def test_a_rejection_is_told_to_the_tool(make: Callable[..., Settings]) -> None:
    async with opened(make(), calls("book")) as running:
        run = await running.run("desk", "Book seats")
        await running.decide((await asked(running)).id, Decision(kind="reject", comment="No."))
        run = await running.wait(run.id)
    assert run.result == "not booked: decline"


async def test_whoever_would_approve_the_call_is_asked(make: Callable[..., Settings]) -> None:
    rules = [{"tools": ["hall.*"], "needs": "person", "roles": ["host"], "risk": "money"}]
    async with opened(make(team={"approvals": rules}), calls("book")) as running:
        await running.run("desk", "Book seats")
        action = await asked(running)
        await running.decide(action.id, Decision(kind="approve", by="ann@example.org"))
        await running.wait(action.run_id)
        seats = await asked(running)
    assert (action.question.kind, seats.question.kind) == ("action", "elicit")
    assert (seats.roles, seats.question.terms.risk) == (("host",), "money")


async def test_a_call_that_breaks_off_after_it_was_answered_is_in_doubt_as_any(
    make: Callable[..., Settings], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    settings, script = make(), calls("book", journal=str(journal), dies=1)
    async with opened(settings, script) as running:
        run = await running.run("desk", "Book seats")
        await running.decide((await asked(running)).id, Decision(kind="approve"))
        await running.wait(run.id)
        await running.decide((await asked(running)).id, Decision(kind="respond", comment="Ann"))
        run = await running.wait(run.id)
        doubt = await asked(running)
        assert (run.state, doubt.question.kind) == ("waiting", "uncertain")
        await running.decide(doubt.id, Decision(kind="respond", comment="It is booked."))
        run = await running.wait(run.id)
    assert (run.state, run.result) == ("completed", "It is booked.")
    assert journal.read_text() == "2 for Ann\n"


async def test_a_server_asks_a_model_as_a_call_of_the_run(make: Callable[..., Settings]) -> None:
    async with opened(make(sampling={"model": "small"}), calls("think", about="cats")) as running:
        run = await running.run("desk", "Think")
        events = await running.runs.events(run.id)
        models = [event for event in events if event.type == "model.called"]
    assert run.result == "a thought of cats by gpt-5.4-mini"
    assert len(models) == 3
    assert run.cost == sum(int(str(event.data["cost"])) for event in models) > 0


async def test_progress_and_logs_stand_in_the_log_of_the_run(make: Callable[..., Settings]) -> None:
    async with opened(make(), calls("report", times=2)) as running:
        run = await running.run("desk", "Report")
        events = [event for event in await running.runs.events(run.id) if event.type.startswith("tool.")]
    kinds = [event.type for event in events]
    assert kinds.count("tool.progress") == kinds.count("tool.logged") == 2
    assert {event.agent for event in events} == {"clerk"}
