"""From a question of a real run to the person's decision, by mail, webhook and link."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from proctor import Settings
from proctor.api import make_server
from proctor.app import decision_page
from proctor.approvals import Filter
from proctor.cli._web import web
from proctor.core import MissingSetting, ModelCall
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call
from servers.receivers import Mailbox, Webhook, mail_server, webhook_receiver

ENVIRON = {"LINK_KEY": "k" * 40}
LINKED = {"link_base": "http://127.0.0.1:1", "link_key_env": "LINK_KEY"}


def clerk(call: ModelCall) -> Reply:
    """Refunds, and tells what came of it."""
    results = [str(message["content"]) for message in call.messages if message["role"] == "tool"]
    return f"The shop says: {results[-1]}" if results else [tool_call("refund", order="7")]


class Shop:
    def __init__(self) -> None:
        self.refunded: list[str] = []

    def application(self) -> proctor.App:
        app = proctor.App()

        @app.tool(effect="consequential")
        async def refund(order: str) -> str:
            """Gives the money back."""
            self.refunded.append(order)
            return f"order {order} is refunded"

        @app.team("desk", tools=["refund"])
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"), max_tool_iterations=5
            )

        return app


@pytest.fixture
def mails() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    return lambda **more: make_settings(database_url, **more)


@asynccontextmanager
async def opened(shop: Shop, settings: Settings, **more: Any) -> AsyncIterator[proctor.Proctor]:
    app, model = shop.application(), ScriptedModel(clerk)
    more = {"environ": ENVIRON, "grace": timedelta(0), "providers": {"openai": model}, **more}
    async with proctor.open(app, settings=settings, **more) as running, asyncio.timeout(30):
        yield running


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.02)


def path_of(text: str) -> str:
    found = re.search(r"(/decide/\S+)", text)
    assert found is not None
    return found[1]


def rules(**more: object) -> dict[str, object]:
    return {
        "desk": {"approvals": [{"tools": ["refund"], "roles": ["manager"], "risk": "money leaves", **more}]}
    }


async def test_a_person_decides_by_the_link_in_a_mail_and_the_run_goes_on(
    make: Callable[..., Settings], mails: Mailbox
) -> None:
    shop = Shop()
    manager = {"members": ["Ann@example.org"], "notify": [mails.url("ann@example.org")]}
    settings = make(roles={"manager": manager}, notices=LINKED, teams=rules())
    async with opened(shop, settings) as running:
        page = decision_page(running, environ=ENVIRON)
        async with (
            web(make_server(running, host="127.0.0.1", page=page), host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(base_url=address) as http,
        ):
            run = await running.run("desk", "Refund order 7.")
            await until(lambda: mails.mails)
            ((_, mail),) = mails.mails
            link = path_of(mail.get_content())
            look = await http.get(link)
            astray = await http.get(link + "/", headers={"Host": "example.com"})
            before = (await running.runs.get(run.id)).state
            first, second = await asyncio.gather(
                *(http.post(link, data={"decision": "approve", "comment": "fine"}) for _ in range(2))
            )
            ended = await running.wait(run.id)
            metrics = await http.get("/metrics")
        (approval,) = await running.approvals(Filter(state="consumed"))
    assert run.id in mail.get_content()
    assert "risk: money leaves" in mail.get_content()
    assert (look.status_code, astray.status_code, before) == (200, 404, "waiting")
    assert sorted([first.status_code, second.status_code]) == [200, 410]
    assert (ended.state, shop.refunded) == ("completed", ["7"])
    assert approval.decision is not None
    assert (approval.decision.kind, approval.decision.by) == ("approve", "Ann@example.org")
    assert 'proctor_approvals_total{decision="approve",team="desk"} 1.0' in metrics.text


async def test_a_room_is_told_without_a_link_where_it_matters_who_decides(
    make: Callable[..., Settings], hook: Webhook, mails: Mailbox
) -> None:
    members = ["ann@example.org", "bob@example.org"]
    manager = {"members": members, "notify": [hook.url("one"), mails.url("ann@example.org")]}
    settings = make(roles={"manager": manager}, notices=LINKED, teams=rules(quorum=2))
    async with opened(Shop(), settings) as running:
        await running.run("desk", "Refund order 7.")
        await until(lambda: hook.taken and mails.mails)
    assert "/decide/" not in hook.taken[0]["message"]
    assert "proctor approvals show" in hook.taken[0]["message"]
    assert "/decide/" in mails.mails[0][1].get_content()


async def test_a_link_to_a_room_votes_as_the_role_and_once(
    make: Callable[..., Settings], hook: Webhook
) -> None:
    shop = Shop()
    manager = {"members": ["ann@example.org"], "notify": [hook.url("one"), hook.url("two")]}
    settings = make(roles={"manager": manager}, notices=LINKED, teams=rules())
    async with opened(shop, settings) as running:
        page = decision_page(running, environ=ENVIRON)
        async with (
            web(make_server(running, host="127.0.0.1", page=page), host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(base_url=address) as http,
        ):
            run = await running.run("desk", "Refund order 7.")
            await until(lambda: len(hook.taken) == 2)
            links = [path_of(message["message"]) for message in hook.taken]
            answers = [await http.post(link, data={"decision": "approve"}) for link in links]
            ended = await running.wait(run.id)
        (approval,) = await running.approvals(Filter(state="consumed"))
    assert [answer.status_code for answer in answers] == [200, 410]
    assert (ended.state, shop.refunded) == ("completed", ["7"])
    assert [vote.by for vote in approval.votes] == ["link:manager"]


async def test_reminders_and_an_expiry_are_told_once_each(
    make: Callable[..., Settings], hook: Webhook
) -> None:
    shop, clock = Shop(), FakeClock()
    manager = {"notify": [hook.url()]}
    settings = make(roles={"manager": manager}, teams=rules(remind=3600, expires=9000))
    async with opened(shop, settings, clock=clock) as running:
        await running.run("desk", "Refund order 7.")
        await running.notices.work()
        clock.advance(3601)
        await running.notices.work()
        await running.notices.work()
        clock.advance(5400)
        await running.runs.desk.expire()
        await running.notices.work()
        await running.notices.work()
        kinds = [notice.kind for notice in await running.notices.page()]
    assert sorted(kinds) == ["expired", "reminder", "requested"]
    assert len(hook.taken) == 3
    assert "/decide/" not in hook.taken[0]["message"]


async def test_two_processes_tell_of_a_question_once(make: Callable[..., Settings], hook: Webhook) -> None:
    shop = Shop()
    settings = make(roles={"manager": {"notify": [hook.url()]}}, teams=rules())
    async with opened(shop, settings) as one, opened(shop, settings, executes=False) as two:
        for _ in range(5):
            await one.run("desk", "Refund order 7.")
        async with asyncio.TaskGroup() as group:
            for each in (one, two, one, two):
                group.create_task(each.notices.work())
        await until(lambda: len(hook.taken) == 5)
        states = [notice.state for notice in await one.notices.page()]
    assert (states, len(hook.paths)) == (["sent"] * 5, 5)


async def test_who_signs_links_needs_their_key(make: Callable[..., Settings]) -> None:
    settings = make(notices=LINKED)
    async with opened(Shop(), settings, environ={}, executes=False):
        pass
    with pytest.raises(MissingSetting):
        async with opened(Shop(), settings, environ={}):
            pass
