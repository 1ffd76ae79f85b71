"""Cached answers that workers share, on each database, with real embeddings, and while a database is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from proctor.core import DeploymentSettings, ModelCall, SystemClock
from proctor.knowledge import Embedder
from proctor.models import Cache, Models
from proctor.store import Database
from proctor.testing import FakeScope, ScriptedModel, tool_call
from servers.postgres import running_postgres

SYSTEM = {"role": "system", "content": "You help customers of a shop."}


class Worker:
    """A process's own cache and models, on a database that others use, too."""

    def __init__(self, database, *, embed=None, ttl=600.0):
        cache = {"ttl": ttl, **({"similarity": 0.95} if embed else {})}
        deployment = {"model": "small-1", "price": "free", "cache": cache}
        settings = {"small": DeploymentSettings.model_validate(deployment)}
        self.model = ScriptedModel(lambda call: f"Answer to: {call.messages[-1]['content']}")
        self.models = Models(settings, environ={}, providers={"openai": self.model})
        self.cache = Cache(
            settings,
            database=database,
            clock=SystemClock(),
            allowed=lambda team, agent: True,
            on_hit=lambda call, result: None,
            embed=embed,
        )

    @property
    def asked(self) -> int:
        return len(self.model.calls)

    async def ask(self, text, **more):
        messages = (SYSTEM, {"role": "user", "content": text})
        call = ModelCall(scope=FakeScope(), model="small", messages=messages, **more)
        return await self.cache.model(call, self.models.complete)

    async def stored(self):
        while self.cache._writing:
            await asyncio.sleep(0.01)


@pytest.fixture
async def databases(database_url) -> AsyncIterator[tuple[Database, Database]]:
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        here = await stack.enter_async_context(await Database.open(database_url))
        there = await stack.enter_async_context(await Database.open(database_url))
        yield here, there


async def test_workers_share_answers(databases):
    here, there = (Worker(database) for database in databases)
    first = await here.ask("When do you open? \N{GRINNING FACE} \0 \ud83d")
    await here.stored()
    again = await there.ask("When do you open? \N{GRINNING FACE} \0 \ud83d")
    assert (again.message, again.cached, there.asked) == (first.message, True, 0)


async def test_workers_that_keep_the_same_answers_do_not_stand_in_each_others_way(databases):
    here, there = (Worker(database) for database in databases)
    texts = [f"Question {number}" for number in range(60)]
    await asyncio.gather(*map(here.ask, texts), *map(there.ask, reversed(texts)))
    await here.stored()
    await there.stored()
    third = Worker(databases[0])
    assert all([(await third.ask(text)).cached for text in texts])


async def test_answers_of_either_kind_of_message_come_back_as_they_were(databases):
    here, there = (Worker(database) for database in databases)
    here.model._answer = lambda call: [tool_call("look_up", order=7), tool_call("look_up", order=8)]
    first = await here.ask("Where is it?")
    await here.stored()
    again = await there.ask("Where is it?")
    functions = [[wanted["function"] for wanted in result.message["tool_calls"]] for result in (first, again)]
    assert functions[0] == functions[1]
    assert again.finish_reason == "tool_calls"


async def test_a_question_is_answered_as_one_that_means_the_same(databases):
    embed = Embedder().embed
    here, there = (Worker(database, embed=embed) for database in databases)
    await here.ask("how do i find out my credit limit")
    await here.stored()
    near = await there.ask("how can i find out my credit limit")
    assert (near.message["content"], near.cached) == ("Answer to: how do i find out my credit limit", True)
    for other in ("how do i raise my credit limit", "how do i find out my debit limit", "怎么查询信用额度"):
        assert not (await there.ask(other)).cached


async def test_what_is_over_is_pruned_for_all(databases):
    here, there = Worker(databases[0], ttl=0.000001), Worker(databases[1])
    await asyncio.gather(*(here.ask(f"Old {number}") for number in range(5)))
    await there.ask("New")
    await here.stored()
    await there.stored()
    await there.cache.prune()
    left = await databases[0].read(
        lambda connection: connection.exec_driver_sql("select count(*) from cached_answers").scalar()
    )
    assert left == 1


async def test_while_the_database_is_away_the_model_is_asked():
    with running_postgres() as server:
        async with asyncio.timeout(90), await Database.open(server.create_database()) as database:
            worker = Worker(database)
            await worker.ask("Before")
            await worker.stored()
            server.stop()
            during = await worker.ask("During")
            known = await worker.ask("Before")
            server.start()
            await worker.stored()
            other = Worker(database)
            after = await other.ask("During")
    assert (during.cached, known.cached, after.cached) == (False, True, True)
