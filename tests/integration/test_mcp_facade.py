"""The teams as an MCP server, as the SDK's unmodified client uses it over a real port, in both eras."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

from proctor import Decision
from servers.facade_desk import Desk, opened

ERAS = ("auto", "legacy")


@asynccontextmanager
async def client(desk: Desk, caller: str = "olga", **options: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {caller}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{desk.url}/mcp", http_client=http), **options) as made,
    ):
        yield made


def text(result: CallToolResult) -> str:
    [content] = result.content
    assert content.type == "text"
    return content.text


@pytest.mark.parametrize("mode", ERAS)
async def test_each_team_is_a_tool(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        tools = (await ask.list_tools()).tools
        result = await ask.call_tool("run_desk", {"task": "Hello"})
        [run] = await desk.proctor.runs.page()
    assert [tool.name for tool in tools] == [
        "run_desk",
        "run_pair",
        "run_confirmed_team",
        "cancel_run",
        "continue_run",
    ]
    assert text(result) == "You said: Hello"
    assert not result.is_error
    assert result.structured_content == {
        "run_id": run.id,
        "state": "completed",
        "thread": None,
        "cost_micros": run.cost,
        "answer": "You said: Hello",
        "error": None,
        "approvals": [],
    }
    assert (run.requester, run.tenant) == ("olga", "default")


@pytest.mark.parametrize("mode", ERAS)
async def test_progress_tells_the_run_and_its_steps_and_no_content(tmp_path: Path, mode: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        result = await ask.call_tool("run_pair", {"task": "Hello"}, progress_callback=progress)
    run = result.structured_content["run_id"]
    assert told[0] == (1, f"{run} is at work")
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert {message for _, message in told[1:]} >= {"writer has thought", "editor has thought"}
    assert not any("Hello" in str(message) for _, message in told)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_conversation_goes_on_in_a_thread(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        first = await ask.call_tool("run_desk", {"task": "One", "thread": "new"})
        await ask.call_tool("run_desk", {"task": "Two", "thread": first.structured_content["thread"]})
        call = desk.model.calls[-1]
    assert [m["content"] for m in call.messages if m["role"] != "system"] == ["One", "You said: One", "Two"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_run_that_takes_longer_than_the_caller_waits_is_continued(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        desk.held.clear()
        early = await ask.call_tool("run_desk", {"task": "slow", "wait_seconds": 0.2})
        run = early.structured_content["run_id"]
        desk.held.set()
        result = await ask.call_tool("continue_run", {"run_id": run})
    assert early.structured_content["state"] in ("queued", "running")
    assert "continue_run" in text(early)
    assert text(result) == "Half and whole."


@pytest.mark.parametrize("mode", ERAS)
async def test_a_run_is_cancelled_by_its_tool(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        desk.held.clear()
        early = await ask.call_tool("run_desk", {"task": "slow", "wait_seconds": 0.2})
        run = early.structured_content["run_id"]
        await ask.call_tool("cancel_run", {"run_id": run})
        result = await ask.call_tool("continue_run", {"run_id": run})
    assert result.structured_content["state"] == "cancelled"


async def test_a_call_that_is_given_up_leaves_its_run_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk, client(desk) as ask:
        desk.held.clear()
        calling = asyncio.create_task(ask.call_tool("run_desk", {"task": "slow"}))
        await desk.asked.get()
        calling.cancel()
        await asyncio.wait([calling])
        [run] = await desk.proctor.runs.page()
        desk.held.set()
        ended = await desk.proctor.wait(run.id)
        result = await ask.call_tool("continue_run", {"run_id": run.id})
    assert ended.state == "completed"
    assert text(result) == "Half and whole."


async def test_the_clients_user_is_asked_where_the_caller_decides(tmp_path: Path) -> None:
    asked: list[ElicitRequestParams] = []

    async def person(_context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="accept", content={"decision": "approve", "comment": "fine"})

    async with opened(tmp_path) as desk, client(desk, "ann", elicitation_callback=person) as ask:
        result = await ask.call_tool("run_desk", {"task": "refund 7"})
        runs = await desk.proctor.runs.page()
    assert text(result) == "Done: order 7 is paid back"
    assert desk.refunds == ["7"]
    assert len(runs) == 1
    [params] = asked
    assert 'python.refund {"order":"7"}' in params.message


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_declines_to_answer_decides_nothing(tmp_path: Path, action: Any) -> None:
    asked: list[ElicitRequestParams] = []

    async def person(_context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action=action)

    async with opened(tmp_path) as desk, client(desk, "ann", elicitation_callback=person) as ask:
        result = await ask.call_tool("run_desk", {"task": "refund 7"})
        pending = await desk.proctor.approvals()
    assert result.structured_content["state"] == "waiting"
    assert len(pending) == len(asked) == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_a_caller_who_does_not_decide_is_told_what_waits(tmp_path: Path, mode: str) -> None:
    async def person(_context: Any, _params: ElicitRequestParams) -> ElicitResult:
        raise AssertionError("nobody is asked who may not decide")

    async with opened(tmp_path) as desk, client(desk, mode=mode, elicitation_callback=person) as ask:
        waits = await ask.call_tool("run_desk", {"task": "refund 7"})
        run = waits.structured_content["run_id"]
        still = await ask.call_tool("continue_run", {"run_id": run})
        [approval] = await desk.proctor.approvals()
        await desk.proctor.decide(approval.id, Decision(kind="approve", by="bob"))
        done = await ask.call_tool("continue_run", {"run_id": run})
    assert waits.structured_content["state"] == still.structured_content["state"] == "waiting"
    assert not waits.is_error
    assert '"7"' not in str(waits)
    assert text(done) == "Done: order 7 is paid back"


async def test_a_decision_made_by_somebody_else_meanwhile_holds(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk:

        async def person(_context: Any, _params: ElicitRequestParams) -> ElicitResult:
            [approval] = await desk.proctor.approvals()
            await desk.proctor.decide(approval.id, Decision(kind="reject", comment="no", by="bob"))
            return ElicitResult(action="accept", content={"decision": "approve"})

        async with client(desk, "ann", elicitation_callback=person) as ask:
            result = await ask.call_tool("run_desk", {"task": "refund 7"})
            [run] = await desk.proctor.runs.page()
            await desk.proctor.wait(run.id)
    assert result.is_error
    assert desk.refunds == []


@pytest.mark.parametrize("mode", ERAS)
async def test_what_fails_or_is_refused_is_an_error_of_the_tool(tmp_path: Path, mode: str) -> None:
    rule = {"id": "no-bombs", "words": ["bomb"], "outcome": "deny", "stages": ["input"]}
    settings = {"policies": {"marking": "off", "rules": [rule]}, "teams": {"desk": {"retries": 0}}}
    async with opened(tmp_path, **settings) as desk, client(desk, mode=mode) as ask:
        refused = await ask.call_tool("run_desk", {"task": "a bomb"})
        failed = await ask.call_tool("run_desk", {"task": "break"})
        empty = await ask.call_tool("run_desk", {"task": ""})
        strange = await ask.call_tool("run_desk", {"task": "x", "tools": []})
        nothing = await ask.call_tool("continue_run", {"run_id": f"run_{'0' * 26}"})
        with pytest.raises(MCPError):
            await ask.call_tool("run_dusk", {"task": "x"})
        runs = await desk.proctor.runs.page()
    assert [each.is_error for each in (refused, failed, empty, strange, nothing)] == [True] * 5
    assert text(nothing) == f"there is no run run_{'0' * 26}"  # and no command that the client doesn't have
    assert refused.structured_content["state"] == "refused"
    assert failed.structured_content["state"] == "failed"
    assert len(runs) == 2


@pytest.mark.parametrize("mode", ERAS)
async def test_each_caller_has_the_tools_of_their_roles(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, "vic", mode=mode) as viewer:
        tools = (await viewer.list_tools()).tools
        with pytest.raises(MCPError):
            await viewer.call_tool("run_nothing", {})
        started = await viewer.call_tool("run_desk", {"task": "Hello"})
        runs = await desk.proctor.runs.page()
    assert [tool.name for tool in tools] == ["continue_run"]
    assert started.is_error
    assert runs == ()


@pytest.mark.parametrize("mode", ERAS)
async def test_another_tenants_run_is_as_good_as_not_there(tmp_path: Path, mode: str) -> None:
    async with (
        opened(tmp_path) as desk,
        client(desk, "acme", mode=mode) as own,
        client(desk, "other", mode=mode) as other,
    ):
        waits = await own.call_tool("run_desk", {"task": "refund 7", "thread": "new"})
        run, thread = waits.structured_content["run_id"], waits.structured_content["thread"]
        seen = await other.call_tool("continue_run", {"run_id": run})
        unknown = await other.call_tool("continue_run", {"run_id": f"run_{'0' * 26}"})
        cancelled = await other.call_tool("cancel_run", {"run_id": run})
        joined = await other.call_tool("run_desk", {"task": "x", "thread": thread})
        state = (await desk.proctor.runs.get(run)).state
    assert [each.is_error for each in (seen, unknown, cancelled, joined)] == [True] * 4
    assert text(seen).replace(run, "") == text(unknown).replace(f"run_{'0' * 26}", "")
    assert state == "waiting"


async def test_a_state_that_a_client_makes_up_gives_it_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk, client(desk, "acme") as own, client(desk, "other") as other:
        waits = await own.call_tool("run_desk", {"task": "refund 7"})
        [approval] = await desk.proctor.approvals()
        answer = {
            f"{approval.id}.{approval.digest[:16]}": ElicitResult(
                action="accept", content={"decision": "approve"}
            )
        }
        result = await other.session.call_tool(
            "run_desk",
            {"task": "refund 7"},
            input_responses=answer,
            request_state=waits.structured_content["run_id"],
        )
        strange = await own.session.call_tool(
            "run_pair", {"task": "x"}, request_state=waits.structured_content["run_id"]
        )
    assert isinstance(result, CallToolResult)
    assert isinstance(strange, CallToolResult)
    assert (result.is_error, strange.is_error) == (True, True)
    assert desk.refunds == []


async def test_nobody_enters_without_a_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as desk, httpx2.AsyncClient(base_url=desk.url) as http:
        refused = await http.post("/mcp", json={})
        read = await http.get("/mcp", headers={"Authorization": "Bearer olga"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert read.status_code == 405


@pytest.mark.parametrize("mode", ERAS)
async def test_a_defect_is_told_without_its_words(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as desk, client(desk, mode=mode) as ask:
        run = (await ask.call_tool("run_desk", {"task": "Hello"})).structured_content["run_id"]
        with closing(sqlite3.connect(tmp_path / "proctor.db")) as database, database:
            database.execute("UPDATE runs SET created_at = 'inner words' WHERE id = ?", [run])
        result = await ask.call_tool("continue_run", {"run_id": run})
    assert result.is_error
    assert text(result) == "Something in Proctor went wrong."


@pytest.mark.parametrize("mode", ERAS)
async def test_a_call_waits_for_no_longer_than_the_server_does(tmp_path: Path, mode: str) -> None:
    server = {"longest_wait": timedelta(seconds=0.3)}
    async with opened(tmp_path, server=server) as desk, client(desk, mode=mode) as ask:
        desk.held.clear()
        early = await ask.call_tool("run_desk", {"task": "slow"})
        desk.held.set()
    assert early.structured_content["state"] in ("queued", "running")
    assert not early.is_error


async def test_nobody_has_too_many_calls_that_wait_and_can_still_cancel(tmp_path: Path) -> None:
    async with opened(tmp_path, access={"waits_at_once": 1}) as desk, client(desk) as ask:
        desk.held.clear()
        waiting = asyncio.create_task(ask.call_tool("run_desk", {"task": "slow"}))
        await desk.asked.get()
        beside = await ask.call_tool("run_desk", {"task": "Hello"})
        [run] = await desk.proctor.runs.page()
        cancelled = await ask.call_tool("cancel_run", {"run_id": run.id})
        desk.held.set()
        await waiting
        after = await ask.call_tool("run_desk", {"task": "Hello"})
    assert beside.is_error
    assert not cancelled.is_error
    assert text(after) == "You said: Hello"
