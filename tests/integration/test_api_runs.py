"""Runs and threads over HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from proctor.audit import audit_entries
from proctor.core import KeyReused
from proctor.runs import Once, runs
from proctor.testing import FakeClock
from servers.runs_site import Answers, World, answering, running


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def site(database_url: str, world: World) -> AsyncIterator[Answers]:
    async with running(database_url, world) as opened, answering(opened) as answers:
        yield answers


async def test_a_run_is_accepted_at_once_and_found_where_the_answer_says(site: Answers) -> None:
    answer = await site.start(task="Tell me.")
    assert answer.status_code == 202
    started = answer.json()
    assert answer.headers["location"] == f"/api/v1/runs/{started['id']}"
    run = await site.get("olga", f"/runs/{started['id']}")
    assert (run["task"], run["requester"], run["tenant"]) == ("Tell me.", "olga", "default")


async def test_who_waits_gets_the_run_with_its_result(site: Answers) -> None:
    answer = await site.start(wait=30)
    assert answer.status_code == 200
    run = answer.json()
    assert run["state"] == "completed", run["error"]
    assert run["result"].endswith("DONE")
    assert run["cost_micros"] > 0


async def test_who_waits_too_short_is_told_that_the_run_goes_on(site: Answers, world: World) -> None:
    gate = world.gate("hold")
    answer = await site.start(task="hold on", wait=1)
    assert (answer.status_code, "state" in answer.json()) == (202, False)
    gate.set()


async def test_a_server_that_stops_tells_who_waits_that_the_run_goes_on(tmp_path: Path) -> None:
    world = World()
    gate = world.gate("hold")
    async with running(f"sqlite:///{tmp_path}/p.db", world) as opened, answering(opened) as site:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(site.start(task="hold on", wait=50))
            while not (await site.get("vic", "/runs", state="running"))["items"]:
                await asyncio.sleep(0)
            begun = asyncio.get_running_loop().time()
            opened.runs.feed.close()
        answer = asking.result()
        took = asyncio.get_running_loop().time() - begun
        gate.set()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/runs/{answer.json()['id']}"
    assert took < 20


async def test_a_request_that_is_sent_again_starts_nothing_and_gets_the_same_answer(site: Answers) -> None:
    first = await site.start(key="k1")
    again = await site.start(key="k1")
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert len((await site.get("olga", "/runs"))["items"]) == 1


async def test_a_key_is_refused_for_another_body_and_free_for_another_caller(site: Answers) -> None:
    first = await site.start(key="k1", task="one")
    other = await site.start(key="k1", task="two")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    of_another = await site.start("root", key="k1", task="one")
    assert of_another.json()["id"] != first.json()["id"]


async def test_requests_that_come_at_once_by_two_processes_start_one_run(
    database_url: str, world: World
) -> None:
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(running(database_url, world))
        beside = await stack.enter_async_context(running(database_url, world, executes=False))
        sites = [await stack.enter_async_context(answering(each)) for each in (opened, beside)]
        for number in range(5):
            answers = await asyncio.gather(
                *(sites[place % 2].start(key=f"k{number}", task=f"race {number}") for place in range(12))
            )
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.text for answer in answers}) == 1
        counted = await opened.database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(runs))
        )
        assert counted == 5


async def test_a_key_outlives_the_process(database_url: str, world: World) -> None:
    async with running(database_url, world) as opened, answering(opened) as site:
        first = (await site.start(key="k1", wait=30)).json()
    async with running(database_url, world) as opened, answering(opened) as site:
        assert (await site.start(key="k1", wait=30)).json() == first


async def test_a_key_is_forgotten_after_a_day(database_url: str, world: World) -> None:
    clock = FakeClock()
    once = Once(caller="olga", route="POST /runs", key="k1", digest="of this body")
    async with running(database_url, world, executes=False, clock=clock) as opened:
        first = await opened.start("talk", "one", once=once)
        clock.advance(timedelta(hours=23).total_seconds())
        assert (await opened.start("talk", "one", once=once)).id == first.id
        with pytest.raises(KeyReused):
            await opened.start(
                "talk", "two", once=Once(caller="olga", route="POST /runs", key="k1", digest="of another")
            )
        clock.advance(timedelta(hours=2).total_seconds())
        assert (await opened.start("talk", "one", once=once)).id != first.id


async def test_a_run_that_could_not_be_stored_leaves_its_key_free(site: Answers) -> None:
    thread = "thr_" + "0" * 26
    assert (await site.start(key="k1", thread=thread)).status_code == 404
    assert (await site.start(key="k1")).status_code == 202


async def test_another_tenants_run_is_answered_as_one_that_is_not_there(site: Answers) -> None:
    run = (await site.start("acme", task="ours", wait=30)).json()
    missing = "run_" + "0" * 26
    routes = (
        ("GET", ""),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("GET", "/events"),
        ("GET", "/events/stream"),
        ("GET", "/calls"),
    )
    for method, rest in routes:
        theirs = await site.ask("other", method, f"/runs/{run['id']}{rest}")
        none = await site.ask("other", method, f"/runs/{missing}{rest}")
        assert theirs.status_code == none.status_code == 404
        assert theirs.text.replace(run["id"], missing) == none.text
        assert none.json()["hint"] == ""  # who calls from elsewhere has no command line
    assert (await site.ask("other", "GET", f"/events/stream?run={run['id']}")).status_code == 404
    assert (await site.ask("other", "GET", "/runs?tenant=acme")).status_code == 403
    assert (await site.get("other", "/runs"))["items"] == []
    assert [each["id"] for each in (await site.get("acme", "/runs"))["items"]] == [run["id"]]
    assert [each["id"] for each in (await site.get("root", "/runs", tenant="acme"))["items"]] == [run["id"]]


async def test_a_tenants_caller_speaks_for_itself_alone(site: Answers) -> None:
    assert (await site.start("acme", tenant="other")).status_code == 403
    assert (await site.start("acme", requester="somebody")).status_code == 403
    run = (await site.start("acme", wait=30)).json()
    assert (run["tenant"], run["requester"]) == ("acme", "ann")
    for_another = (await site.start(requester="kim", tenant="acme", wait=30)).json()
    assert (for_another["tenant"], for_another["requester"]) == ("acme", "kim")


async def test_who_decides_asks_in_their_own_name_and_who_starts_for_another_is_recorded(
    tmp_path: Path, world: World
) -> None:
    async with running(f"sqlite:///{tmp_path}/p.db", world) as opened, answering(opened) as site:
        refused = await site.start("root", requester="kim")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await site.start("root", requester="root")).status_code == 202
        assert (await site.start(requester="olga")).status_code == 202
        run = (await site.start(requester="kim", key="k1")).json()
        assert (await site.start(requester="kim", key="k1")).json() == run
        columns = audit_entries.c.actor, audit_entries.c.thing, audit_entries.c.tenant, audit_entries.c.data
        query = select(*columns).where(audit_entries.c.action == "run.started_for")
        entries = await opened.database.read(lambda connection: connection.execute(query).all())
    assert [tuple(entry) for entry in entries] == [("olga", run["id"], "default", "{}")]


async def test_a_tenants_runs_go_before_nobody_elses(tmp_path: Path, world: World) -> None:
    async with running(f"sqlite:///{tmp_path}/p.db", world) as opened, answering(opened) as site:
        assert (await site.start("acme", priority=1)).status_code == 403
        assert (await site.start("acme", priority=-1)).status_code == 202
        assert (await site.start(priority=1000, tenant="acme")).status_code == 202
        thread = (await site.ask("acme", "POST", "/threads", json={"team": "talk"})).json()["id"]
        message = {"task": "Hi", "priority": 1}
        sent = await site.ask("acme", "POST", f"/threads/{thread}/messages", json=message)
        assert sent.status_code == 403


async def test_a_viewer_reads_and_starts_nothing(site: Answers) -> None:
    assert (await site.start("vic")).status_code == 403
    run = (await site.start(wait=30)).json()
    assert (await site.get("vic", f"/runs/{run['id']}"))["state"] == "completed"
    assert (await site.ask("vic", "GET", f"/runs/{run['id']}/calls")).status_code == 403
    assert (await site.ask("", "GET", "/runs")).status_code == 401


async def test_pages_hold_every_run_once_newest_first(site: Answers) -> None:
    started = [(await site.start(task=f"number {number}", wait=30)).json()["id"] for number in range(5)]
    found, after = [], ""
    while True:
        page = await site.get("vic", "/runs", limit=2, after=after)
        found += [each["id"] for each in page["items"]]
        if (after := page["next"]) is None:
            break
    assert found == started[::-1]
    run = await site.get("vic", f"/runs/{started[2]}")
    since = await site.get("vic", "/runs", since=run["created_at"])
    assert [each["id"] for each in since["items"]] == started[:1:-1]
    assert (await site.get("vic", "/runs", state="failed"))["items"] == []


async def test_a_run_is_cancelled_and_a_failed_one_resumed(site: Answers, world: World) -> None:
    gate = world.gate("hold")
    held = (await site.start(task="hold on")).json()["id"]
    assert (await site.ask("olga", "POST", f"/runs/{held}/cancel")).status_code == 202
    gate.set()
    ended = await site.ask("olga", "POST", f"/runs/{held}/resume")
    assert ended.status_code in (202, 409)
    waiting = (await site.start(team="desk", task="refund it", wait=30)).json()
    assert waiting["state"] == "waiting"
    cancelled = (await site.ask("olga", "POST", f"/runs/{waiting['id']}/cancel")).json()
    assert cancelled["state"] == "cancelled"
    again = await site.ask("olga", "POST", f"/runs/{waiting['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_calls_are_told_without_contents_and_reading_those_is_on_record(
    database_url: str, world: World
) -> None:
    async with running(database_url, world) as opened, answering(opened) as site:
        run = (await site.start(task="a private matter", wait=30)).json()
        path = f"/runs/{run['id']}/calls"
        plain = await site.ask("olga", "GET", path)
        assert "private" not in plain.text
        assert {(call["kind"], call["name"], call["outcome"]) for call in plain.json()} == {
            ("model", "small", "answered")
        }
        assert sum(call["cost_micros"] for call in plain.json()) == run["cost_micros"]
        assert (await site.ask("olga", "GET", f"{path}?contents=true")).status_code == 403
        whole = await site.ask("root", "GET", f"{path}?contents=true")
        assert "private" in whole.text
        entries = await opened.database.read(
            lambda connection: connection.execute(
                select(audit_entries.c.actor, audit_entries.c.thing).where(
                    audit_entries.c.action == "run.read"
                )
            ).all()
        )
        assert [tuple(entry) for entry in entries] == [("root", run["id"])]


async def test_a_runs_log_is_read_in_pages(site: Answers) -> None:
    run = (await site.start(wait=30)).json()
    found, after = [], 0
    while after is not None:
        page = await site.get("vic", f"/runs/{run['id']}/events", after=after, limit=4)
        found += page["items"]
        after = page["next"]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert (found[0]["type"], found[-1]["type"]) == ("run.started", "run.completed")


async def test_a_run_belongs_to_its_callers_trace(site: Answers) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = {"traceparent": trace}
    answer = await site.ask(
        "olga", "POST", "/runs?wait=30", headers=headers, json={"team": "talk", "task": "Hi"}
    )
    assert "a" * 32 in answer.json()["trace"]


async def test_a_threads_messages_are_runs_in_their_order(site: Answers) -> None:
    opened = await site.ask("acme", "POST", "/threads", json={"team": "talk"})
    assert opened.status_code == 201
    thread = opened.json()["id"]
    path = f"/threads/{thread}/messages"
    for number in range(3):
        sent = await site.ask("acme", "POST", f"{path}?wait=30", json={"task": f"message {number}"})
        assert (sent.status_code, sent.json()["thread"]) == (200, thread)
    page = await site.get("acme", path, limit=2)
    rest = await site.get("acme", path, limit=2, after=page["next"])
    tasks = [run["task"] for run in [*page["items"], *rest["items"]]]
    assert tasks == ["message 0", "message 1", "message 2"]
    assert (await site.get("acme", f"/threads/{thread}"))["messages"] == 3
    assert (await site.ask("other", "GET", f"/threads/{thread}")).status_code == 404
    assert (await site.ask("other", "GET", path)).status_code == 404
    assert (await site.ask("other", "POST", path, json={"task": "Hi"})).status_code == 404
    assert (await site.get("other", "/threads"))["items"] == []


async def test_a_thread_and_its_messages_are_opened_and_sent_once(site: Answers) -> None:
    headers = {"Idempotency-Key": "k1"}
    opened = [
        (await site.ask("olga", "POST", "/threads", headers=headers, json={"team": "talk"})).json()
        for _ in range(2)
    ]
    assert opened[0] == opened[1]
    path = f"/threads/{opened[0]['id']}/messages"
    sent = [
        (await site.ask("olga", "POST", path, headers=headers, json={"task": "Hi"})).json() for _ in range(2)
    ]
    assert sent[0] == sent[1]
    assert (await site.get("olga", f"/threads/{opened[0]['id']}"))["messages"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"team": "talk", "task": "a\\u0000b"}',
        b'{"team": "talk", "task": "a\\ud800b"}',
        b'{"team": "talk", "task": " "}',
        b'{"team": "talk", "task": "x", "\\ud800": 1}',
        b'{"team": "talk", "task": "x", "priority": 1e400}',
        b'{"team": "talk", "task": "x", "at": "9999-12-31"}',
        b'{"team": "talk", "task": "x", "requester": "\\u0007"}',
        b"not JSON",
    ],
)
async def test_what_cannot_be_taken_is_told_as_a_problem(site: Answers, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await site.ask("olga", "POST", "/runs", headers=headers, content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.headers["content-type"] == "application/problem+json"
