"""Streams of events: nothing missed, nothing twice, in order, whatever breaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, event

from proctor.api._caller import Trust
from proctor.api._streams import EventStream
from proctor.core import Decision, Event, NotFound, Token, Unavailable
from proctor.runs import RunEnd
from servers.runs_site import Answers, World, answering, listening, running

BOUND = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One server-sent event."""

    id: str
    kind: str
    data: Any


async def read(answer: httpx2.Response) -> AsyncIterator[Sent]:
    """What a stream sends."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and "event" in fields:
            yield Sent(id=fields.get("id", ""), kind=fields["event"], data=json.loads(fields["data"]))
            fields = {}


async def follow(
    site: Answers,
    path: str,
    *,
    caller: str = "vic",
    last: str = "",
    most: int = 10_000,
    params: Mapping[str, Any] = {},
) -> list[Sent]:
    """What a stream sends until it ends, or so many events with a place."""
    headers = {"Authorization": f"Bearer {caller}"} | ({"Last-Event-ID": last} if last else {})
    found: list[Sent] = []
    async with (
        asyncio.timeout(BOUND),
        site.client.stream("GET", f"/api/v1{path}", headers=headers, params=params) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(read(answer)) as sent:
            async for one in sent:
                found.append(one)
                if sum(bool(each.id) for each in found) >= most:
                    break
    return found


def numbers(sent: list[Sent], run: str = "") -> list[int]:
    """The numbers of the events among what was sent."""
    events = [each for each in sent if each.id and each.kind != "end"]
    return [each.data["seq"] for each in events if not run or each.data.get("run") == run]


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/proctor.db"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def site(database_url: str, world: World) -> AsyncIterator[Answers]:
    async with running(database_url, world) as opened, listening(opened) as answers:
        yield answers


async def test_a_stream_tells_every_event_once_in_order_and_ends_with_the_run(
    site: Answers, world: World
) -> None:
    gate = world.gate("hold")
    run = (await site.start(task="hold on")).json()["id"]
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(site, f"/runs/{run}/events/stream"))
        gate.set()
    sent = following.result()
    log = (await site.get("vic", f"/runs/{run}/events", limit=200))["items"]
    assert [each.data | {"at": 0} for each in sent if each.id] == [each | {"at": 0} for each in log]
    assert [int(each.id) for each in sent if each.id] == [each["seq"] for each in log]
    assert sent[-1] == Sent(id="", kind="end", data={"run": run, "state": "completed"})


async def test_words_are_told_while_they_are_written_and_have_no_place(site: Answers, world: World) -> None:
    gate = world.gate("hold")
    run = (await site.start(task="hold on")).json()["id"]
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(site, f"/runs/{run}/events/stream", caller="olga"))
        of_viewer = group.create_task(follow(site, f"/runs/{run}/events/stream"))
        while not (await site.ask("vic", "GET", f"/runs/{run}/events")).json()["items"]:
            await asyncio.sleep(0)
        gate.set()
    tokens = [each for each in following.result() if each.kind == "token"]
    assert "".join(each.data["text"] for each in tokens).startswith("Thought 2. That is what")
    assert {each.id for each in tokens} == {""}
    assert "token" not in {each.kind for each in of_viewer.result()}


async def test_a_stream_that_breaks_goes_on_behind_the_last_event(site: Answers) -> None:
    run = (await site.start(wait=30)).json()["id"]
    path, found, last = f"/runs/{run}/events/stream", [], ""
    while not found or found[-1].kind != "end":
        part = await follow(site, path, last=last, most=3)
        last = next((each.id for each in reversed(part) if each.id), last)
        found += part
    log = (await site.get("vic", f"/runs/{run}/events", limit=200))["items"]
    assert numbers(found) == [each["seq"] for each in log]


async def test_a_run_of_another_process_is_followed(database_url: str, world: World) -> None:
    gate = world.gate("hold")
    async with (
        running(database_url, world) as executing,
        running(database_url, world, executes=False) as beside,
        listening(beside) as site,
    ):
        run = await executing.start("talk", "hold on")
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(site, f"/runs/{run.id}/events/stream"))
            gate.set()
        log = await executing.runs.events(run.id)
        assert numbers(following.result()) == [each.seq for each in log]


async def test_one_stream_tells_of_many_runs_and_goes_on_in_each(site: Answers, world: World) -> None:
    gate = world.gate("hold")
    started = [(await site.start(task=f"hold on {number}")).json()["id"] for number in range(3)]
    found: list[Sent] = []
    last, params = "", {"run": started}
    gate.set()
    while len({each.data["run"] for each in found if each.kind == "end"}) < 3:
        part = await follow(site, "/events/stream", last=last, most=4, params=params)
        last = next((each.id for each in reversed(part) if each.id), last)
        found += part
    for run in started:
        log = (await site.get("vic", f"/runs/{run}/events", limit=200))["items"]
        assert numbers(found, run) == [each["seq"] for each in log]


async def test_a_teams_stream_tells_of_runs_that_go_on_and_of_those_that_come(
    site: Answers, world: World
) -> None:
    gate = world.gate("hold")
    started = [(await site.start(task=f"hold on {number}")).json()["id"] for number in range(2)]
    elsewhere = (await site.start("acme", task="hold on")).json()["id"]
    of_team = {"team": "talk", "tenant": "default", "seconds": 1}
    found = await follow(site, "/events/stream", most=2, params=of_team)
    last = found[-1].id
    started += [(await site.start(task=f"later {number}")).json()["id"] for number in range(2)]
    gate.set()
    while len({each.data["run"] for each in found if each.kind == "end"}) < 4:
        part = await follow(site, "/events/stream", last=last, most=5, params=of_team)
        last = next((each.id for each in reversed(part) if each.id), last)
        found += part
    for run in started:
        log = (await site.get("vic", f"/runs/{run}/events", limit=200))["items"]
        assert numbers(found, run) == [each["seq"] for each in log]
    assert elsewhere not in {each.data.get("run") for each in found}


async def test_who_names_neither_run_nor_team_follows_all_that_they_may_see(
    site: Answers, world: World
) -> None:
    gate = world.gate("hold")
    ours = (await site.start("acme", task="hold on")).json()["id"]
    theirs = (await site.start(task="hold on")).json()["id"]
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(site, "/events/stream", caller="acme", params={"seconds": 2}))
        later = (await site.start("acme", task="later")).json()["id"]
        gate.set()
    ended = {each.data["run"] for each in following.result() if each.kind == "end"}
    assert ended == {ours, later}
    assert theirs not in {each.data.get("run") for each in following.result()}


async def test_a_tenants_stream_is_not_led_to_anothers_runs_by_a_place(site: Answers) -> None:
    theirs = (await site.start("acme", wait=30)).json()["id"]
    forged = f"{'run_' + '0' * 26};{theirs}:0"
    sent = await follow(
        site, "/events/stream", caller="other", last=forged, params={"team": "talk", "seconds": 1}
    )
    assert [each.kind for each in sent] == ["expired"]
    headers = {"Last-Event-ID": "; DROP TABLE runs"}
    refused = await site.ask("other", "GET", "/events/stream?team=talk", headers=headers)
    assert refused.status_code == 422


async def test_a_resumed_run_is_followed_behind_its_failure(site: Answers, world: World) -> None:
    gate = world.gate("break")
    gate.set()
    failed = (await site.start(task="break down", wait=30)).json()
    assert failed["state"] == "failed"
    path = f"/runs/{failed['id']}/events/stream"
    first = await follow(site, path)
    assert first[-1].data["state"] == "failed"
    world.gates.pop("break")
    held = world.gate("break")
    assert (await site.ask("olga", "POST", f"/runs/{failed['id']}/resume")).status_code == 202
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(site, path, last=first[-2].id))
        held.set()
    again = following.result()
    assert numbers(first) + numbers(again) == list(range(1, len(numbers(first) + numbers(again)) + 1))
    assert again[-1].kind == "end"


async def test_a_server_that_stops_lets_readers_go_and_they_go_on_at_the_next(
    tmp_path: Path, world: World
) -> None:
    world.gate("hold")
    url = url_in(tmp_path)
    async with running(url, world) as opened, listening(opened) as site:
        run = (await site.start(task="hold on")).json()["id"]
        following = asyncio.create_task(follow(site, f"/runs/{run}/events/stream"))
        while not opened.runs.feed.followers:
            await asyncio.sleep(0.01)
        opened.runs.feed.close()
        before = await following
    assert before[-1].kind == "closing"
    world.gates.clear()
    async with running(url, world) as opened, listening(opened) as site:
        last = next((each.id for each in reversed(before) if each.id), "")
        after = await follow(site, f"/runs/{run}/events/stream", last=last)
    assert numbers(before) + numbers(after) == list(range(1, len(numbers(before) + numbers(after)) + 1))
    assert after[-1].kind == "end"


async def test_a_stream_ends_after_its_time_also_where_nothing_happens(site: Answers, world: World) -> None:
    gate = world.gate("hold")
    run = (await site.start(task="hold on")).json()["id"]
    sent = await follow(site, f"/runs/{run}/events/stream", params={"seconds": 1})
    assert sent[-1].kind == "expired"
    gate.set()


async def test_many_who_follow_a_run_are_read_for_together(tmp_path: Path, world: World) -> None:
    gate = world.gate("hold")
    async with running(url_in(tmp_path), world) as opened:
        run = await opened.start("talk", "hold on")
        queries = []

        def count(_: Connection, __: object, statement: str, *___: object) -> None:
            if "FROM events" in statement or "FROM runs" in statement:
                queries.append(statement)

        async def read_all() -> int:
            async with opened.runs.feed.follow({run.id: 0}) as follower:
                found = []
                while not follower.done:
                    found += await follower.take(BOUND)
                assert isinstance(found[-1], RunEnd)
                return sum(not isinstance(each, Token | RunEnd) for each in found)

        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(read_all()) for _ in range(100)]
            while len(opened.runs.feed.followers) < 100:
                await asyncio.sleep(0)
            event.listen(opened.database.engine, "before_cursor_execute", count)
            gate.set()
        event.remove(opened.database.engine, "before_cursor_execute", count)
        assert {reader.result() for reader in readers} == {len(await opened.runs.events(run.id))}
        assert len(queries) < 100


async def test_runs_that_are_watched_are_read_together(tmp_path: Path, world: World) -> None:
    gate = world.gate("hold")
    async with running(url_in(tmp_path), world) as opened:
        run = await opened.start("talk", "hold on")
        queries = []

        def count(_: Connection, __: object, statement: str, *___: object) -> None:
            if "FROM events" in statement:
                queries.append(statement)

        async def watch() -> list[Event]:
            return [item async for item in opened.runs.watch(run.id) if isinstance(item, Event)]

        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(watch()) for _ in range(50)]
            while len(opened.runs.feed.followers) < 50:
                await asyncio.sleep(0)
            event.listen(opened.database.engine, "before_cursor_execute", count)
            gate.set()
        event.remove(opened.database.engine, "before_cursor_execute", count)
        log = list(await opened.runs.events(run.id))
        assert [watched.result() for watched in watching] == [log] * 50
        assert len(queries) < 50
        with pytest.raises(NotFound):
            await anext(aiter(opened.runs.watch("run_nope")))


async def test_who_watches_until_a_person_is_asked_goes_on_behind_the_decision(
    tmp_path: Path, world: World
) -> None:
    rule = {"tools": ["refund"], "roles": ["manager"]}
    settings = {"roles": {"manager": {"members": ["ann"]}}, "teams": {"desk": {"approvals": [rule]}}}
    async with running(url_in(tmp_path), world, **settings) as opened:

        async def watch(after: int) -> list[Event]:
            items = opened.runs.watch(run.id, after=after, until_wait=True)
            return [item async for item in items if isinstance(item, Event)]

        run = await opened.start("desk", "refund order 7")
        before = await watch(0)
        assert before[-1].type == "run.waiting"
        assert await watch(before[-1].seq) == []
        (approval,) = await opened.approvals()
        await opened.decide(approval.id, Decision(kind="approve", by="ann", digest=approval.digest))
        after = await watch(before[-1].seq)
        assert after[-1].type == "run.completed"
        assert [*before, *after] == list(await opened.runs.events(run.id))


async def test_who_watches_slowly_misses_words_and_no_event(tmp_path: Path, world: World) -> None:
    world.words, gate = "word " * 1_200, world.gate("hold")
    async with running(url_in(tmp_path), world) as opened:
        run = await opened.start("talk", "hold on")
        watched: list[Event | Token] = []
        async for item in opened.runs.watch(run.id):
            watched.append(item)
            gate.set()
            await opened.wait(run.id)
        events = [item for item in watched if isinstance(item, Event)]
        assert events == list(await opened.runs.events(run.id))
        assert len(watched) - len(events) < 1_200


async def test_who_watches_a_process_that_stops_is_told_so(tmp_path: Path, world: World) -> None:
    world.gate("hold")
    async with running(url_in(tmp_path), world) as opened:
        run = await opened.start("talk", "hold on")
        watched = aiter(opened.runs.watch(run.id))
        await anext(watched)
        opened.runs.feed.close()
        with pytest.raises(Unavailable):
            await anext(watched)


async def test_a_reader_that_takes_nothing_is_let_go_and_told_so(tmp_path: Path, world: World) -> None:
    world.words = "word " * 1_200
    world.turns = 2
    async with running(url_in(tmp_path), world) as opened:
        gate = world.gate("hold")
        run = await opened.start("talk", "hold on")
        taking, sent = asyncio.Event(), []

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if len(sent) > 1:
                await taking.wait()

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def recall() -> None: ...

        following, trust = opened.runs.feed.follow({run.id: 0}), Trust(recall)
        reading = EventStream(following, trust=trust, cursor=None, seconds=BOUND, whole=True)
        stream = asyncio.create_task(reading({"type": "http"}, receive, send))
        while not opened.runs.feed.followers:
            await asyncio.sleep(0)
        gate.set()
        await opened.wait(run.id)
        taking.set()
        async with asyncio.timeout(BOUND):
            await stream
        assert b"event: slow" in b"".join(sent)
        assert sum(map(len, sent)) < 100_000
        assert not opened.runs.feed.followers


async def test_nothing_is_left_of_readers_that_have_gone(tmp_path: Path, world: World) -> None:
    world.gate("hold")
    async with running(url_in(tmp_path), world) as opened, listening(opened) as site:
        run = (await site.start(task="hold on")).json()["id"]
        await asyncio.gather(*(follow(site, f"/runs/{run}/events/stream", most=1) for _ in range(10)))
        while opened.runs.feed.followers:
            await asyncio.sleep(0.01)


async def test_a_stream_begins_where_the_site_has_no_port(tmp_path: Path, world: World) -> None:
    async with running(url_in(tmp_path), world) as opened, answering(opened) as site:
        run = (await site.start(wait=30)).json()["id"]
        assert (await follow(site, f"/runs/{run}/events/stream"))[-1].kind == "end"
