"""What a requester reads of an answer before somebody has looked at it."""

import asyncio
import json
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from conftest import make_settings
from proctor import Decision, Token
from proctor.core import ModelCall
from proctor.testing import ScriptedModel, tool_call

SECOND = {"mode": "second", "judge": "small", "rubric": "Nothing internal."}
AUTOMATIC = {"mode": "automatic", "critical": False}


def application() -> proctor.App:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), model_client_stream=True)

    return app


@pytest.mark.parametrize(
    ("production", "review", "read"),
    [
        (False, {}, "All is well."),
        (True, AUTOMATIC, "All is well."),
        (False, {"mode": "manual"}, ""),
        (False, SECOND, ""),
        (True, {}, ""),
    ],
)
async def test_tokens_of_an_answer_that_is_looked_at_first_reach_nobody(
    tmp_path: object, *, production: bool, review: dict[str, object], read: str
) -> None:
    streamed: list[bool] = []

    def clerk(call: ModelCall) -> str:
        if call.response_format is not None:
            return json.dumps({"reason": "so", "agree": True})
        streamed.append(call.on_text is not None)
        return "All is well."

    settings = make_settings(
        f"sqlite:///{tmp_path}/proctor.db", production=production, teams={"desk": {"review": review}}
    )
    model = ScriptedModel(clerk)
    async with (
        asyncio.timeout(30),
        proctor.open(
            application(), settings=settings, grace=timedelta(0), providers={"openai": model}
        ) as running,
    ):
        items = [item async for item in running.stream("desk", "How is it?")]
    assert "".join(item.text for item in items if isinstance(item, Token)) == read
    assert streamed == [True], "the model is streamed all the same"


async def test_who_follows_a_run_that_goes_on_is_told_of_no_end_of_words_that_were_said_before(
    database_url: str,
) -> None:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund(order: str) -> str:
        """Pays an order back."""
        return f"{order} is paid back"

    @app.team("pair", tools=["refund"])
    def pair(ctx: proctor.TeamContext) -> Team:
        agents: list[ChatAgent] = [
            AssistantAgent(
                name,
                model_client=ctx.model("small"),
                workbench=ctx.tools("refund"),
                model_client_stream=True,
            )
            for name in ("ada", "clerk")
        ]
        return RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(3))

    rule = {"tools": ["refund"], "roles": ["manager"]}
    settings = make_settings(
        database_url,
        roles={"manager": {"members": ["ann"]}},
        teams={"pair": {"approvals": [rule]}},
    )
    model = ScriptedModel(["Pay it back.", [tool_call("refund", order="7")]])
    tokens: list[Token] = []
    async with (
        asyncio.timeout(30),
        proctor.open(app, settings=settings, grace=timedelta(0), providers={"openai": model}) as running,
    ):
        run = await running.start("pair", "Order 7 is broken.")
        async for item in running.runs.watch(run.id):
            if isinstance(item, Token):
                tokens.append(item)
            elif item.type == "run.waiting":
                (approval,) = await running.approvals()
                await running.decide(approval.id, Decision(kind="approve", by="ann"))
        events = [event.type for event in await running.runs.events(run.id)]
    assert "run.resumed" in events
    assert [(token.text, token.last) for token in tokens] == [
        ("Pay ", False),
        ("it ", False),
        ("back.", False),
        ("", True),
    ]
