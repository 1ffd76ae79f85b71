"""What a requester reads of an answer before somebody has looked at it."""

import asyncio
import json
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from conftest import make_settings
from proctor import Token
from proctor.core import ModelCall
from proctor.testing import ScriptedModel

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
