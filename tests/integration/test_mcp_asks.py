"""Servers that send and ask while they work on a call: progress, logs, questions to people and to models."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.core import (
    Decision,
    JsonObject,
    ModelRefused,
    ModelResult,
    Question,
    SystemClock,
    Terms,
    ToolCall,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
    Usage,
    canonical_json,
)
from proctor.testing import FakeScope, Suspended
from proctor.tools import Asks, ToolServer
from servers.over_http import over_http

PROGRAM = Path(__file__).parent.parent / "servers" / "asking_tool_server.py"


@dataclass
class Run(FakeScope):
    """A run that is torn down where a person is asked, and goes on at the next attempt."""

    given: dict[str, Decision] = field(default_factory=dict)
    """What the person has decided, by the message of the tool's question."""

    def is_decided(self, kind, action=None):
        return action is not None and action["asks"]["message"] in self.given

    async def decision(self, question: Question) -> Decision:
        message = str(question.action["asks"]["message"])
        if message not in self.given:
            self.asked.append(question)
            raise Suspended
        return self.given[message]


@dataclass
class Model:
    """Answers requests to a model, and keeps them."""

    asked: list[JsonObject] = field(default_factory=list)
    refuses: bool = False

    async def __call__(self, call: ToolCall, /, *, model, messages, options) -> ModelResult:
        self.asked.append({"model": model, "messages": list(messages), "options": dict(options)})
        if self.refuses:
            raise ModelRefused("no")
        return ModelResult(
            message={"role": "assistant", "content": f"thought of {messages[-1]['content']}"},
            finish_reason="stop",
            usage=Usage(),
            deployment=model,
            model="model-1",
        )


def asks(model: Model | None = None) -> Asks:
    return Asks(terms=lambda _: Terms(rule="desk", roles=("manager",)), sample=model or Model())


def call(tool: str, scope: Any = None, /, **arguments: Any) -> ToolCall:
    spec = ToolSpec(server="hall", name=tool, description="", parameters={})
    return ToolCall(scope=scope or Run(), tool=spec, arguments=arguments)


@asynccontextmanager
async def hall(kind: str = "old", **settings: Any) -> AsyncIterator[ToolServer]:
    before = asyncio.all_tasks()
    server = ToolServer(
        "hall",
        ToolServerSettings(command=(sys.executable, str(PROGRAM), kind), **settings),
        SystemClock(),
    )
    try:
        async with asyncio.timeout(50):
            yield server
    finally:
        async with asyncio.timeout(10):
            await server.close()
    assert asyncio.all_tasks() == before


@asynccontextmanager
async def hall_over_http(**settings: Any) -> AsyncIterator[ToolServer]:
    async with over_http(PROGRAM.name, "http") as (_, port):
        server = ToolServer(
            "hall", ToolServerSettings(url=f"http://127.0.0.1:{port}/", **settings), SystemClock()
        )
        try:
            async with asyncio.timeout(50):
                yield server
        finally:
            async with asyncio.timeout(10):
                await server.close()


async def until_answered(server: ToolServer, wanted: ToolCall, *decisions: Decision) -> ToolResult:
    """Makes a call as often as its run is torn down, each time with one decision more."""
    for decision in decisions:
        with pytest.raises(Suspended):
            await server.call(wanted, asks())
        wanted.scope.given[str(wanted.scope.asked[-1].action["asks"]["message"])] = decision
    return await server.call(wanted, asks())


# What the server sends by itself


async def test_progress_and_logs_become_events_of_the_run_and_a_flood_of_them_only_some():
    run = Run()
    async with hall() as server:
        await server.call(call("report", run, times=2))
        few = run.events.copy()
        await server.call(call("report", run, times=3000))
    steps = [
        {"server": "hall", "tool": "report", "progress": n, "total": 2, "message": f"step {n}"}
        for n in range(2)
    ]
    assert [data for kind, data in few if kind == "tool.progress"] == steps
    assert [data for kind, data in few if kind == "tool.logged"] == [
        {"server": "hall", "level": "info", "text": f"book: line {n}"} for n in range(2)
    ]
    assert len(run.events) == 4 + 20 + 20


async def test_a_number_that_json_does_not_have_stands_in_no_event():
    run = Run()
    async with hall() as server:
        await server.call(call("report", run, times=1, lost=True))
    [total] = [data["total"] for kind, data in run.events if kind == "tool.progress"]
    assert total is None


async def test_the_newer_protocol_tells_of_progress_too():
    run = Run()
    async with hall("new") as server:
        assert (await server.call(call("report", run, times=2))).text == "reported"
    assert [data["message"] for kind, data in run.events if kind == "tool.progress"] == ["step 0", "step 1"]


async def test_over_http_each_call_has_the_logs_that_are_its_own():
    one, other = Run(), Run()
    async with hall_over_http() as server:
        await server.start()
        await asyncio.gather(
            server.call(call("report", one, times=1)), server.call(call("report", other, times=3))
        )
    assert [len(run.events) for run in (one, other)] == [2, 6]


# What it asks people


@pytest.mark.parametrize("kind", ["old", "new"])
async def test_a_call_that_asks_is_made_again_with_what_people_answered(kind, tmp_path):
    run = Run()
    async with hall(kind) as server:
        result = await until_answered(
            server,
            call("book", run, journal=str(tmp_path / "journal")),
            *(
                Decision(kind="approve"),
                Decision(kind="edit", arguments={"name": "Ann"}),
            ),
        )
    assert result.text == "booked 2 for Ann"
    assert (tmp_path / "journal").read_text() == "2 for Ann\n"
    first, second = run.asked
    assert (first.kind, first.action["asks"]["message"]) == ("elicit", "How many seats?")
    assert (first.action["server"], first.action["tool"]) == ("hall", "book")
    assert first.action["arguments"] == {"seats": 2}
    assert first.action["for"] == {"journal": str(tmp_path / "journal")}
    assert (first.terms.rule, first.terms.roles) == ("desk", ("manager",))
    assert second.terms.editable["properties"].keys() == {"name"}
    assert second.terms.editable["additionalProperties"] is False


@pytest.mark.parametrize(
    ("decision", "says"),
    [(Decision(kind="reject"), "not booked: decline"), (Decision(kind="respond"), "not booked: cancel")],
)
async def test_a_refusal_reaches_the_tool_as_one(decision, says):
    async with hall() as server:
        assert (await until_answered(server, call("book"), decision)).text == says


async def test_whoever_answers_is_told_how_the_call_ended_meanwhile():
    run = Run()
    async with hall() as server:
        with pytest.raises(Suspended):
            await server.call(call("book", run), asks())
    assert run.asked[0].text.endswith("ended for now with: not booked: cancel")


async def test_the_same_question_twice_in_one_call_is_two_questions():
    run = Run()
    async with hall() as server:
        with pytest.raises(Suspended):
            await server.call(call("twice", run), asks())
        run.given["Sure?"] = Decision(kind="edit", arguments={"yes": True})
        result = await server.call(call("twice", run), asks())
    assert "occurrence" not in run.asked[0].action["asks"]
    assert result.text == "accept {'yes': True} accept {'yes': True}"


async def test_a_call_that_asks_without_end_is_declined():
    run = Run()
    run.given = {f"{n}?": Decision(kind="edit", arguments={"x": "y"}) for n in range(12)}
    async with hall() as server:
        result = await server.call(call("endless", run, times=12), asks())
    assert result.text == " ".join(["accept"] * 10 + ["decline"] * 2)


async def test_a_form_that_would_fetch_its_schema_is_declined():
    async with hall() as server:
        assert (await server.call(call("odd_form"), asks())).text == "decline"


async def test_no_pattern_of_a_servers_is_run_where_a_person_answers():
    run = Run()
    async with hall() as server:
        result = await until_answered(server, call("patterned", run), Decision(kind="approve"))
    assert result.text == "accept"
    assert run.asked[0].terms.editable["properties"]["x"].keys() == {"type", "default"}


async def test_an_address_is_shown_to_a_person_and_never_opened_by_us():
    run = Run()
    async with hall() as server:
        result = await until_answered(server, call("visit", run), Decision(kind="approve"))
    assert result.text == "accept"
    assert run.asked[0].action["asks"] == {"message": "Sign in, please.", "url": "https://example.com/in"}
    assert run.asked[0].terms.editable is None


async def test_an_error_that_names_an_address_is_a_question_too():
    run = Run()
    async with hall() as server:
        result = await until_answered(server, call("locked", run), Decision(kind="approve"))
    assert result.text == "open"
    assert run.asked[0].action["asks"] == {"message": "Unlock it.", "url": "https://example.com/key"}


async def test_what_a_given_up_call_may_still_ask_is_asked_of_no_other_run():
    run = Run()
    run.given["Who?"] = Decision(kind="edit", arguments={"name": "x"})
    async with hall(call_timeout=timedelta(seconds=3)) as server:
        with pytest.raises(ToolServerUnavailable):
            await server.call(call("pair"), asks())  # it waits for a second one
        result = await server.call(call("pair", run), asks())
    assert result.text.startswith("cancel\n")


async def test_where_nobody_can_be_asked_the_server_is_told_so():
    async with hall() as server:
        assert (await server.call(call("book"))).text == "not booked: decline"


async def test_a_server_whose_question_could_be_of_several_calls_gets_them_one_by_one_from_then_on():
    runs = [Run(), Run()]
    async with hall() as server:
        await server.start()
        both = await asyncio.gather(*(server.call(call("pair", run), asks()) for run in runs))
        assert all(result.text.startswith("cancel\n[The server asked for something") for result in both)
        questions = ["Who is one?", "Who is two?"]
        for run, question in zip(runs, questions, strict=True):
            run.given[question] = Decision(kind="edit", arguments={"name": question})
        answers = await asyncio.gather(
            *(
                server.call(call("who", run, question=run_asks), asks())
                for run, run_asks in zip(runs, questions, strict=True)
            )
        )
    assert [answer.text for answer in answers] == [f"accept {{'name': '{each}'}}" for each in questions]
    assert sorted(run.begun for run in runs) == [0, 1], "who has waited looks again whether it still may act"


async def test_over_http_calls_that_ask_need_no_turns():
    runs = [Run(), Run()]
    async with hall_over_http() as server:
        await server.start()
        for run in runs:
            run.given["Who?"] = Decision(kind="edit", arguments={"name": "x"})
        both = await asyncio.gather(*(server.call(call("pair", run), asks()) for run in runs))
    assert [result.text for result in both] == ["accept", "accept"]


# What it asks models


@pytest.mark.parametrize("kind", ["old", "new"])
async def test_a_server_may_ask_a_model_where_the_configuration_names_one(kind):
    model = Model()
    async with hall(kind, sampling={"model": "small", "max_tokens": 100}) as server:
        result = await server.call(call("think", about="cats"), asks(model))
    assert result.text == "thought of cats by model-1"
    (asked,) = model.asked
    assert (asked["model"], asked["options"]) == ("small", {"max_tokens": 100})
    assert asked["messages"][-1] == {"role": "user", "content": "cats"}


async def test_a_server_that_is_given_no_model_is_refused():
    model = Model()
    async with hall() as server:
        result = await server.call(call("think", about="cats"), asks(model))
    assert not model.asked
    assert "Sampling not supported" in result.text


async def test_a_model_that_refuses_is_no_end_of_the_call():
    async with hall(sampling={"model": "small"}) as server:
        result = await server.call(call("think", about="cats"), asks(Model(refuses=True)))
    assert "the model gave no answer" in result.text


async def test_a_call_that_is_cancelled_while_it_asks_a_model_takes_that_along():
    begun, ended = asyncio.Event(), asyncio.Event()

    class Slow(Model):
        async def __call__(self, *_: Any, **__: Any) -> ModelResult:
            begun.set()
            try:
                return await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

    async with hall(sampling={"model": "small"}) as server:
        task = asyncio.create_task(server.call(call("think", about="cats"), asks(Slow())))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()
        assert (await server.call(call("report", times=1))).text == "reported"


# Resources and prompts


async def test_resources_and_prompts_are_tools_that_read_where_the_configuration_says_so():
    async with hall() as server:
        plain = {tool.name for tool in await server.list_tools()}
    async with hall(resources=True, allow=("book",)) as server:
        tools = {tool.name: tool for tool in await server.list_tools()}
    names = {"hall_list_resources", "hall_read_resource", "hall_list_prompts", "hall_get_prompt"}
    assert not names & plain
    assert tools.keys() == {"book"} | names
    assert {tools[name].effect for name in names} == {"read_only"}


async def test_resources_are_listed_page_by_page_and_read_with_references_for_bytes():
    async with hall(resources=True) as server:
        first = (await server.call(call("hall_list_resources"))).text.splitlines()
        rest, template = json.loads(first.pop()), json.loads(first.pop())
        second = (await server.call(call("hall_list_resources", cursor=rest["cursor"]))).text.splitlines()
        read = (await server.call(call("hall_read_resource", uri="note://7"))).text
    assert template == {"template": "note://{number}", "name": "any note"}
    assert (len(first), len(second)) == (200, 100)
    assert read.splitlines()[0] == "the text of note://7"
    assert read.splitlines()[1].startswith("[resource note://7 binary, 3 bytes, sha256 ")


async def test_prompts_are_listed_and_given_with_their_arguments():
    async with hall(resources=True) as server:
        listed = (await server.call(call("hall_list_prompts"))).text
        given = (await server.call(call("hall_get_prompt", name="greet", arguments={"whom": "Ann"}))).text
    assert listed == canonical_json({"name": "greet", "arguments": [{"name": "whom", "required": True}]})
    assert given == "user: Greet Ann."


async def test_a_tool_comes_with_what_its_server_says_of_it():
    async with hall() as server:
        tools = {tool.name: tool for tool in await server.list_tools()}
    assert tools["visit"].hints == {"readOnlyHint": True, "title": "Visit"}
    async with hall("new") as server:
        tools = {tool.name: tool for tool in await server.list_tools()}
    assert tools["report"].returns["properties"]["result"]["type"] == "string"
