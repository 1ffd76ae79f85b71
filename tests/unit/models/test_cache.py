import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from proctor.core import (
    ConfigurationError,
    DeploymentSettings,
    ModelCall,
    ModelOverloaded,
    ModelResult,
    Usage,
)
from proctor.models import Cache
from proctor.store import Database
from proctor.testing import FakeClock, FakeScope

QUESTION = {"role": "user", "content": "When do you open?"}
LOOK_UP = {"type": "function", "function": {"name": "look_up", "arguments": "{}"}}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with asyncio.timeout(30), await Database.open(f"sqlite:///{tmp_path}/proctor.db") as opened:
        yield opened


def answer(text="At nine.", *, deployment="small", finish_reason="stop", tool_ids=()) -> ModelResult:
    message = {"role": "assistant", "content": text}
    if tool_ids:
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": id, **LOOK_UP} for id in tool_ids],
        }
    return ModelResult(
        message=message,
        finish_reason="tool_calls" if tool_ids else finish_reason,
        usage=Usage(input=12, output=3, cached_input=8),
        deployment=deployment,
        model="small-1",
        cost=250,
        attempts=2,
    )


def call(*messages, scope=None, **more) -> ModelCall:
    return ModelCall(
        scope=scope or FakeScope(), model=more.pop("model", "small"), messages=messages or (QUESTION,), **more
    )


class Setup:
    """A cache in front of a model that answers in turn, waiting for a gate where there is one."""

    def __init__(self, database, *answers, similarity=None, vectors=None, **more):
        cache = {"ttl": 3600, "similarity": similarity}
        self.settings = {
            "small": DeploymentSettings.model_validate({"model": "small-1", "cache": cache, "price": "free"}),
            "bare": DeploymentSettings(model="small-1"),
        }
        self.clock = more.pop("clock", FakeClock())
        self.hits: list[ModelResult] = []
        self.asked = 0
        self.answers = list(answers)
        self.gate: asyncio.Event | None = None
        self.vectors = vectors or {}
        self.cache = Cache(
            self.settings,
            database=database,
            clock=self.clock,
            allowed=more.pop("allowed", lambda team, agent: True),
            on_hit=lambda call, result: self.hits.append(result),
            embed=self.embed if similarity else None,
            **more,
        )

    async def embed(self, texts):
        return np.array([self.vectors[text] for text in texts], dtype=np.float32)

    async def provider(self, call):
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def ask(self, *messages, **more) -> ModelResult:
        return await self.cache.model(call(*messages, **more), self.provider)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def stored(setup) -> None:
    """Returns when what was kept is committed."""
    await until(lambda: not setup.cache._writing)


async def test_the_same_request_is_answered_again_for_nothing(database):
    setup = Setup(database, answer())
    first, again = await setup.ask(), await setup.ask()
    assert first == answer()
    assert again == replace(answer(), cost=0, saved=250, cached=True, attempts=0)
    assert (setup.asked, setup.hits) == (1, [again])


async def test_another_process_finds_the_answer_in_the_database(database):
    here, there = Setup(database, answer()), Setup(database, answer("never asked"))
    await here.ask()
    await stored(here)
    found = await there.ask()
    assert (found.message["content"], found.cached, there.asked) == ("At nine.", True, 0)


async def test_a_deployment_without_a_cache_is_always_asked(database):
    setup = Setup(database, answer(deployment="bare"))
    for _ in range(2):
        assert not (await setup.ask(model="bare")).cached
    assert setup.asked == 2


async def test_an_agent_that_opted_out_neither_takes_nor_gives(database):
    setup = Setup(database, answer(), allowed=lambda team, agent: (team, agent) != ("support", "desk/judge"))
    await setup.ask(scope=FakeScope(agent="desk/judge"))
    await setup.ask()
    await setup.ask(scope=FakeScope(agent="desk/judge"))
    assert (setup.asked, setup.hits) == (3, [])
    assert (await setup.ask(scope=FakeScope(agent="clerk"))).cached


async def test_teams_of_a_tenant_share_answers_and_tenants_do_not(database):
    setup = Setup(database, answer())
    await setup.ask()
    assert (await setup.ask(scope=FakeScope(team="sales", run_id="run_2"))).cached
    assert not (await setup.ask(scope=FakeScope(tenant="other"))).cached


async def test_an_answer_is_forgotten_when_its_time_is_over(database):
    setup = Setup(database, answer(), answer("At ten."))
    await setup.ask()
    setup.clock.advance(3599)
    assert (await setup.ask()).cached
    setup.clock.advance(1)
    assert (await setup.ask()).message["content"] == "At ten."
    await stored(setup)
    elsewhere = Setup(database, answer("never asked"), clock=setup.clock)
    assert (await elsewhere.ask()).message["content"] == "At ten."


async def test_a_shorter_time_to_live_holds_for_what_is_kept_already(database):
    here, there = Setup(database, answer()), Setup(database, answer("At ten."))
    await here.ask()
    await stored(here)
    there.clock.advance(60)
    there.cache._cached["small"] = replace(
        there.cache._cached["small"],
        settings=there.settings["small"].cache.model_copy(update={"ttl": timedelta(seconds=60)}),
    )
    assert (await there.ask()).message["content"] == "At ten."


async def test_pruning_deletes_what_is_over_and_nothing_else(database):
    setup = Setup(database, answer())
    for number in range(3):
        await setup.ask({"role": "user", "content": f"Old {number}"})
    setup.clock.advance(1800)
    await setup.ask()
    await stored(setup)
    setup.clock.advance(1800)
    await setup.cache.prune()
    left = await database.read(
        lambda connection: connection.exec_driver_sql("select count(*) from cached_answers").scalar()
    )
    assert left == 1


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_was_cut_off_is_not_given_again(database, reason):
    setup = Setup(database, answer(finish_reason=reason))
    for _ in range(2):
        assert not (await setup.ask()).cached


async def test_the_answer_of_a_stand_in_is_not_given_again(database):
    setup = Setup(database, answer(deployment="other"))
    for _ in range(2):
        assert not (await setup.ask()).cached


async def test_a_failure_is_not_kept(database):
    setup = Setup(database, ModelOverloaded("busy"), answer())
    with pytest.raises(ModelOverloaded):
        await setup.ask()
    assert (await setup.ask()).message["content"] == "At nine."


async def test_who_wants_a_stream_hears_the_answer_whole(database):
    setup, heard = Setup(database, answer()), []
    await setup.ask()
    await setup.ask(on_text=heard.append)
    assert heard == ["At nine."]


async def test_ids_of_tool_calls_are_the_calls_own_and_the_same_at_each_replay(database):
    setup = Setup(database, answer(tool_ids=("call_AbCdEfGhIjKlMnOpQrStUvWx", "D681PevKs")))
    scopes = [FakeScope(key=key) for key in ("key_1", "key_2", "key_2")]
    await setup.ask()
    one, other, replayed = [
        [wanted["id"] for wanted in (await setup.ask(scope=scope)).message["tool_calls"]] for scope in scopes
    ]
    assert len({*one, *other}) == 4
    assert other == replayed
    assert [(id.startswith("call_"), len(id)) for id in one] == [(True, 29), (False, 9)]


async def test_a_conversation_that_called_a_tool_is_met_again_whatever_its_ids_are(database):
    setup = Setup(database, answer(tool_ids=("call_1",)), answer("It is on its way."))
    for scope in (FakeScope(key="key_1"), FakeScope(key="key_2")):
        asked = (await setup.ask(scope=scope)).message
        result = {"role": "tool", "tool_call_id": asked["tool_calls"][0]["id"], "content": "sent"}
        last = await setup.ask(QUESTION, asked, result, scope=scope)
    assert (last.message["content"], last.cached, setup.asked) == ("It is on its way.", True, 2)


async def test_a_changed_answer_changes_nobody_elses(database):
    setup = Setup(database, answer())
    await setup.ask()
    (await setup.ask()).message["content"] = "spoilt"
    assert (await setup.ask()).message["content"] == "At nine."


async def test_identical_calls_at_the_same_time_send_one_request(database):
    setup, heard = Setup(database, answer()), []
    setup.gate = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        calls = [group.create_task(setup.ask(on_text=heard.append)) for _ in range(20)]
        await until(lambda: setup.asked)
        setup.gate.set()
    results = [task.result() for task in calls]
    assert setup.asked == 1
    assert sum(result.cost for result in results) == 250
    assert [result.cached for result in results] == [False] + [True] * 19
    assert heard == ["At nine."] * 19  # the first one's text comes from the provider itself


async def test_followers_share_an_answer_that_is_not_kept(database):
    setup = Setup(database, answer(finish_reason="length"))
    setup.gate = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        calls = [group.create_task(setup.ask()) for _ in range(3)]
        await until(lambda: setup.asked)
        setup.gate.set()
    assert [task.result().cached for task in calls] == [False, True, True]


async def test_where_the_first_fails_the_next_leads_and_the_others_wait_for_it(database):
    setup = Setup(database, ModelOverloaded("busy"), answer())
    setup.gate = asyncio.Event()
    async with asyncio.timeout(10):
        calls = [asyncio.create_task(setup.ask()) for _ in range(10)]
        await until(lambda: setup.asked)
        setup.gate.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], ModelOverloaded)
    assert [result.cached for result in results[1:]] == [False] + [True] * 8
    assert setup.asked == 2


async def test_where_the_first_is_cancelled_no_other_is_harmed(database):
    setup = Setup(database, answer())
    setup.gate = asyncio.Event()
    async with asyncio.timeout(10):
        calls = [asyncio.create_task(setup.ask()) for _ in range(10)]
        await until(lambda: setup.asked)
        calls[0].cancel()
        calls[5].cancel()
        await until(lambda: setup.asked == 2)
        setup.gate.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    harmed = [place for place, result in enumerate(results) if isinstance(result, BaseException)]
    assert (harmed, setup.asked) == ([0, 5], 2)
    assert setup.cache._flights == {}


async def test_who_is_waited_for_does_not_wait_for_the_patient(database):
    setup = Setup(database, answer())
    setup.gate = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(setup.ask(scope=FakeScope(pace="patient")))
        group.create_task(setup.ask())
        await until(lambda: setup.asked == 2)
        setup.gate.set()


async def test_what_was_used_longest_ago_leaves_memory_first(database):
    setup = Setup(database, answer("x" * 1000), front_bytes=2800)
    texts = [{"role": "user", "content": f"{number}"} for number in range(3)]
    for place in (0, 1, 0, 2):
        await setup.ask(texts[place])
    await stored(setup)
    await database.commit(lambda connection: connection.exec_driver_sql("delete from cached_answers").close())
    assert [(await setup.ask(texts[place])).cached for place in (0, 2, 1)] == [True, True, False]


EN = ("How do I cancel my order?", "How can I cancel my order, please?", "How do I not cancel my order?")
NEAR = {EN[0]: (1.0, 0.0), EN[1]: (0.98, 0.199), EN[2]: (0.999, 0.045)}


async def test_nearly_the_same_question_is_answered_and_the_run_tells_so(database):
    setup = Setup(database, answer("Like so."), similarity=0.95, vectors=NEAR)
    system, scope = {"role": "system", "content": "You help."}, FakeScope()
    await setup.ask(system, {"role": "user", "content": EN[0]})
    await stored(setup)
    found = await setup.ask(system, {"role": "user", "content": EN[1]}, scope=scope)
    assert (found.message["content"], found.cached, found.saved) == ("Like so.", True, 250)
    assert scope.events == [
        ("model.recalled", {"deployment": "small", "question": EN[0], "similarity": 0.98})
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"messages": ({"role": "system", "content": "Other."}, {"role": "user", "content": EN[1]})},
        {"scope": FakeScope(tenant="other")},
        {"options": {"temperature": 1}},
        {"tools": (LOOK_UP,)},
        {"messages": ({"role": "user", "content": EN[2]},)},
        {"messages": ({"role": "user", "name": "planner", "content": EN[1]},)},
    ],
    ids=["system", "tenant", "options", "tools", "negated", "name"],
)
async def test_nearly_the_same_question_is_another_where_anything_else_differs(database, other):
    setup = Setup(database, answer(), similarity=0.95, vectors=NEAR)
    await setup.ask({"role": "user", "content": EN[0]})
    await stored(setup)
    messages = other.pop("messages", ({"role": "user", "content": EN[1]},))
    assert not (await setup.ask(*messages, **other)).cached


async def test_tool_calls_are_never_given_to_another_question(database):
    setup = Setup(database, answer(tool_ids=("call_1",)), similarity=0.95, vectors=NEAR)
    await setup.ask({"role": "user", "content": EN[0]})
    await stored(setup)
    assert not (await setup.ask({"role": "user", "content": EN[1]})).cached


async def test_similar_questions_without_embeddings_are_a_mistake_of_the_configuration(database):
    settings = DeploymentSettings.model_validate({"model": "m", "cache": {"similarity": 0.95}})
    with pytest.raises(ConfigurationError) as raised:
        Cache(
            {"small": settings},
            database=database,
            clock=FakeClock(),
            allowed=lambda team, agent: True,
            on_hit=lambda call, result: None,
        )
    assert "embeddings" in raised.value.hint
