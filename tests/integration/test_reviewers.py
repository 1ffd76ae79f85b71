"""How people have decided on the answers of real runs, with what notices and judges said of them."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from proctor import Decision, Settings
from proctor.app import reviewers
from proctor.approvals import Agreement
from proctor.core import ModelCall
from proctor.testing import FakeClock, ScriptedModel
from servers.receivers import webhook_receiver

HOUR = timedelta(hours=1)


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    return lambda **more: make_settings(database_url, **more)


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    return app


def clerk(call: ModelCall) -> str:
    if call.response_format is not None:
        return json.dumps({"reason": "It says too much.", "agree": False})
    return "All is well."


async def test_decisions_on_answers_are_held_against_the_judge_and_the_first_notice(
    make: Callable[..., Settings],
) -> None:
    review = {"mode": "second", "judge": "small", "rubric": "Nothing internal.", "roles": ["leads"]}
    clock = FakeClock()
    with webhook_receiver() as hook:
        settings = make(
            roles={"leads": {"members": ["ann"], "notify": [hook.url()]}}, teams={"desk": {"review": review}}
        )
        async with (
            asyncio.timeout(60),
            proctor.open(
                application(),
                settings=settings,
                clock=clock,
                grace=timedelta(0),
                providers={"openai": ScriptedModel(clerk)},
            ) as running,
        ):
            begun = clock.now()
            for kind in ("approve", "reject", "reject"):
                run = await running.run("desk", "How is it?")
                [approval] = await running.approvals()
                clock.advance(100)
                await running.notices.work()
                clock.advance(20)
                await running.decide(approval.id, Decision(kind=kind, by="ann"))  # type: ignore[arg-type]
                assert (await running.wait(run.id)).state in ("completed", "refused")
            [ann] = await reviewers(running.database, since=begun, until=clock.now() + HOUR, role="leads")
            nobody = await reviewers(running.database, since=clock.now() + HOUR, until=clock.now() + 2 * HOUR)
    assert (ann.name, ann.decisions, nobody) == ("ann", 3, ())
    assert ann.waited.median >= 120
    assert ann.told is not None
    assert 20 <= ann.told.median <= ann.waited.median
    assert ann.judge == Agreement(compared=3, agreed=2)
