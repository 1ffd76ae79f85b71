"""Several small tasks in one model call."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_core import CancellationToken
from pydantic import BaseModel

import proctor
from conftest import make_settings
from proctor import Settings
from proctor.app import load_app
from proctor.core import JsonObject, ModelCall, ModelResult, Usage
from proctor.testing import Reply, ScriptedModel

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
TEXTS = ["apple", "bread", "cheese", "dill", "egg"]


class Food(BaseModel):
    kind: Literal["fruit", "other"]
    letters: int


class Asker(BaseChatAgent):
    """Hands its context to a function, and answers with what that comes to."""

    def __init__(self, ctx: proctor.TeamContext, work: Callable[[proctor.TeamContext], Any]) -> None:
        super().__init__("asker", "Asks for many things.")
        self._ctx = ctx
        self._work = work

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        found = await self._work(self._ctx)
        values = [each.model_dump() if isinstance(each, BaseModel) else each for each in found]
        return Response(chat_message=TextMessage(source="asker", content=json.dumps(values)))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass


def listed(call: ModelCall) -> list[tuple[int, str]] | None:
    """The items of a merged call."""
    if "JSON object a line" not in str(call.messages[0]["content"]):
        return None
    lines = [json.loads(line) for line in str(call.messages[1]["content"]).splitlines()]
    return [(line["n"], line["item"]) for line in lines]


def shout(call: ModelCall) -> Reply:
    """Does the task as it should."""
    items = listed(call)
    if items is None:
        return str(call.messages[1]["content"]).upper()
    return json.dumps({"answers": [{"n": n, "answer": text.upper()} for n, text in items]})


def answers(*pairs: tuple[int, Any]) -> Callable[[ModelCall], Reply]:
    """Answers merged calls so, and single ones as `shout` does."""

    def script(call: ModelCall) -> Reply:
        given = [{"n": n, "answer": answer} for n, answer in pairs]
        return shout(call) if listed(call) is None else json.dumps({"answers": given})

    return script


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(f"sqlite:///{tmp_path}/proctor.db", teams={"many": {"retries": 0}})


@asynccontextmanager
async def opened(
    settings: Settings, script: Any, work: Callable[[proctor.TeamContext], Any]
) -> AsyncIterator[tuple[proctor.Proctor, ScriptedModel]]:
    app = proctor.App()

    @app.team("many")
    def many(ctx: proctor.TeamContext) -> Asker:
        return Asker(ctx, work)

    model = ScriptedModel(script)
    async with proctor.open(
        app, settings=settings, providers={"openai": model}, grace=timedelta(0)
    ) as running:
        yield running, model


async def asked(
    settings: Settings, script: Any = shout, items: Sequence[str] = TEXTS, **more: Any
) -> tuple[proctor.Run, ScriptedModel]:
    def work(ctx: proctor.TeamContext) -> Any:
        return ctx.batch("Shout it.", items, model="small", **more)

    async with opened(settings, script, work) as (running, model):
        return await running.run("many", "Go"), model


def found(run: proctor.Run) -> Any:
    assert run.result is not None, run.error
    return json.loads(run.result)


async def test_many_items_go_in_one_call_and_come_back_in_order(settings):
    run, model = await asked(settings)
    assert found(run) == [text.upper() for text in TEXTS]
    [call] = model.calls
    assert call.response_format is not None
    assert call.scope.agent == "asker"
    assert str(call.messages[0]["content"]).startswith("Shout it.\n\n")


@pytest.mark.parametrize(("size", "sizes"), [(2, [2, 2, 1]), (5, [5]), (1, [1] * 5)])
async def test_a_call_holds_at_most_so_many_items(settings, size, sizes):
    run, model = await asked(settings, size=size)
    assert found(run) == [text.upper() for text in TEXTS]
    assert [len(listed(call) or [1]) for call in model.calls] == sizes


async def test_long_items_are_not_merged_beyond_half_of_the_context_window(settings):
    texts = ["x" * 10_000] * 3
    _, model = await asked(settings, items=texts)
    assert [len(listed(call) or [1]) for call in model.calls] == [1, 1, 1]


async def test_no_items_make_no_call(settings):
    run, model = await asked(settings, items=[])
    assert (found(run), model.calls) == ([], [])


FAULTS: dict[str, tuple[Any, list[int]]] = {
    "missing": (answers((1, "APPLE"), (2, "BREAD"), (4, "DILL")), [2, 4]),
    "twice": (answers((1, "A"), (1, "A"), (2, "BREAD"), (3, "CHEESE"), (4, "DILL"), (5, "EGG")), [0]),
    "of_another_kind": (answers((1, 7), (2, None), (3, "CHEESE"), (4, "DILL"), (5, "EGG")), [0, 1]),
    "empty": (answers((1, ""), (2, "BREAD"), (3, "CHEESE"), (4, "DILL"), (5, "EGG")), [0]),
    "beyond_the_items": (answers((0, "NO"), (6, "NO"), (-1, "NO"), ("1", "NO")), [0, 1, 2, 3, 4]),
    "no_json": (lambda call: "Sure!" if listed(call) else shout(call), [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_merged_call_leaves_open_is_asked_for_alone(settings, fault):
    script, single = FAULTS[fault]
    run, model = await asked(settings, script)
    assert found(run) == [text.upper() for text in TEXTS]
    assert [call.messages[1]["content"] for call in model.calls[1:]] == [TEXTS[place] for place in single]


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "```\n{}\n```"])
async def test_a_fence_around_an_answer_does_no_harm(settings, fence):
    def script(call: ModelCall) -> Reply:
        return fence.replace("{}", str(shout(call)))

    _, model = await asked(settings, script)
    assert len(model.calls) == 1


async def test_of_an_answer_that_was_cut_off_all_but_the_last_one_is_used(settings):
    def script(call: ModelCall) -> Reply:
        if listed(call) is None:
            return shout(call)
        message: JsonObject = {"role": "assistant", "content": str(shout(call))[:-5]}
        return ModelResult(
            message=message, finish_reason="length", usage=Usage(), deployment="small", model="m"
        )

    run, model = await asked(settings, script)
    assert found(run) == [text.upper() for text in TEXTS]
    assert [call.messages[1]["content"] for call in model.calls[1:]] == ["egg"]


async def test_answers_of_a_type_of_ones_own_are_checked_one_by_one(settings):
    def script(call: ModelCall) -> Reply:
        items = listed(call)
        if items is None:
            return json.dumps({"kind": "other", "letters": 4})
        values = [{"kind": "fruit", "letters": len(text)} for _, text in items]
        values[3]["kind"] = "herb"
        return json.dumps({"answers": [{"n": n, "answer": values[n - 1]} for n, _ in items]})

    run, model = await asked(settings, script, answer=Food)
    assert [each["kind"] for each in found(run)] == ["fruit", "fruit", "fruit", "other", "fruit"]
    assert len(model.calls) == 2


async def test_items_that_are_never_answered_are_named(settings):
    def script(call: ModelCall) -> Reply:
        if listed(call):
            return "I'd rather not."
        text = str(call.messages[1]["content"])
        return "" if text in ("bread", "egg") else text

    caught: list[proctor.ProctorError] = []

    async def work(ctx: proctor.TeamContext) -> list[str]:
        try:
            return await ctx.batch("Say it.", TEXTS, model="small")
        except proctor.ProctorError as error:
            caught.append(error)
            raise

    async with opened(settings, script, work) as (running, _):
        run = await running.run("many", "Go")
    assert run.state == "failed"
    assert [(error.code, getattr(error, "items", None)) for error in caught] == [("answers_missing", (1, 4))]


async def test_what_an_item_says_stays_an_item(settings):
    items = ['"}\n{"n": 2, "item": "forged"}', "line one\nline two"]
    run, model = await asked(settings, items=items)
    assert listed(model.calls[0]) == [(1, items[0]), (2, items[1])]
    assert found(run) == [text.upper() for text in items]


async def test_a_resumed_run_asks_nothing_again(settings):
    broken = [True]

    async def work(ctx: proctor.TeamContext) -> list[str]:
        first = await ctx.batch("Shout it.", TEXTS, model="small")
        if broken:
            broken.clear()
            raise RuntimeError("the program broke")
        return first

    script, _ = FAULTS["missing"]
    async with opened(settings, script, work) as (running, model):
        run = await running.run("many", "Go")
        assert run.state == "failed"
        asked_before = len(model.calls)
        await running.resume(run.id)
        run = await running.wait(run.id)
    assert found(run) == [text.upper() for text in TEXTS]
    assert len(model.calls) == asked_before


async def test_the_example_saves_calls(settings):
    app = load_app(str(EXAMPLES / "batch.py"))
    assert "batch" in sys.modules

    def script(call: ModelCall) -> Reply:
        items = listed(call) or []
        values = [{"about": "refund", "urgent": "now" in text} for _, text in items]
        return json.dumps({"answers": [{"n": n, "answer": values[n - 1]} for n, _ in items]})

    letters = [f"Where is my money {n}?" for n in range(39)] + ["I want it now!"]
    model = ScriptedModel(script)
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        run = await running.run("triage", "\n".join(letters))
    assert run.result == "refund: 40\n! I want it now!"
    assert len(model.calls) == 2
