"""A server that is told to stop while callers wait: a real process, a real model endpoint, real clients."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import AsyncOpenAI

from servers.openai_endpoint import Endpoint, completion, says
from servers.openai_endpoint import serving as model_endpoint

BOUND = 90
COMMAND = [sys.executable, "-m", "proctor", "serve", "--app", "desk.py", "--port", "0"]
APP = """
from autogen_agentchat.agents import AssistantAgent
import proctor

app = proctor.App()


@app.team("desk")
def desk(ctx):
    return AssistantAgent("clerk", model_client=ctx.model("small"), model_client_stream=True)
"""
ASKED: Any = {"model": "desk", "messages": [{"role": "user", "content": "Hello"}]}


def prepare(folder: Path, endpoint: Endpoint) -> None:
    (folder / "desk.py").write_text(APP)
    (folder / "proctor.toml").write_text(
        f'[models.small]\nmodel = "fake-1"\nbase_url = "{endpoint.url}"\napi_key = "x"\n'
        "price = { input = 3, output = 15 }\n"
    )


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server's process and its address; what it says of errors goes to the file `errors`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PROCTOR_")}
    with (folder / "errors").open("a") as errors:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            assert process.stdout is not None
            found = None
            while found is None:
                line = await process.stdout.readline()
                assert line, (folder / "errors").read_text()
                found = re.search(r"(http://\S+?)/metrics", line.decode())
            yield process, found[1]
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def states(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "proctor.db")) as database:
        return [state for [state] in database.execute("SELECT state FROM runs")]


async def refused(asking: Awaitable[Any]) -> openai.APIError:
    with pytest.raises(openai.APIError) as error:
        await asking
    return error.value


async def streamed_chat(ask: AsyncOpenAI) -> None:
    async for _ in await ask.chat.completions.create(**ASKED, stream=True):
        pass


async def streamed_response(ask: AsyncOpenAI) -> Any:
    stream = await ask.responses.create(model="desk", input="Hello", stream=True)
    return [event async for event in stream][-1]


async def called(address: str, mode: Any) -> Any:
    async with (
        httpx2.AsyncClient(timeout=BOUND) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode) as ask,
    ):
        await ask.list_tools()  # else it asks for them behind the answer, to check that
        return (await ask.call_tool("run_desk", {"task": "Hello"})).structured_content


async def test_a_server_that_stops_lets_everybody_go_who_waits_and_takes_their_runs_up_again(
    tmp_path: Path,
) -> None:
    with model_endpoint() as endpoint:
        endpoint.replies = [endpoint.hangs()]
        prepare(tmp_path, endpoint)
        async with asyncio.timeout(BOUND), serving(tmp_path) as (process, address):
            async with (
                httpx2.AsyncClient(base_url=address, timeout=BOUND) as http,
                AsyncOpenAI(base_url=f"{address}/v1", api_key="any", timeout=BOUND) as ask,
            ):
                body = {"team": "desk", "task": "Hello"}
                callers = [
                    asyncio.create_task(each)
                    for each in (
                        http.post("/api/v1/runs", params={"wait": 50}, json=body),
                        refused(ask.chat.completions.create(**ASKED)),
                        refused(ask.responses.create(model="desk", input="Hello")),
                        refused(streamed_chat(ask)),
                        streamed_response(ask),
                        called(address, "auto"),
                        called(address, "legacy"),
                        http.get("/api/v1/events/stream", params={"team": "desk"}),
                    )
                ]
                while len(endpoint.bodies) < len(callers) - 1:
                    await asyncio.sleep(0.05)
                process.send_signal(signal.SIGINT)
                waited, *errors, response, modern, legacy, followed = await asyncio.gather(*callers)
            assert await process.wait() == 0
        log = (tmp_path / "errors").read_text()
        runs = states(tmp_path)
        endpoint.replies = [says(completion())]
        async with asyncio.timeout(BOUND), serving(tmp_path):
            while set(states(tmp_path)) != {"completed"}:
                await asyncio.sleep(0.1)
        assert len(states(tmp_path)) == len(runs)

    assert runs == ["queued"] * (len(callers) - 1)  # nobody's client has sent anything a second time
    assert waited.status_code == 202
    assert waited.headers["Location"].endswith(waited.json()["id"])
    assert [error.code for error in errors] == ["closing"] * 3
    for error in errors[:2]:
        assert error.status_code == 503
        assert error.response.headers["x-should-retry"] == "false"
        assert error.response.headers["x-proctor-run"] in error.message
    assert (response.type, response.code) == ("error", "closing")
    assert modern["state"] == legacy["state"] == "running"
    assert followed.text.endswith("event: closing\ndata: {}\n\n")
    assert log == ""


async def test_a_request_that_is_not_answered_when_the_server_has_stopped_is_told_so(tmp_path: Path) -> None:
    with model_endpoint() as endpoint:
        prepare(tmp_path, endpoint)
        async with asyncio.timeout(BOUND), serving(tmp_path) as (process, address):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            lines = ("POST /api/v1/runs HTTP/1.1", "Host: localhost", "Content-Length: 50", "", "{")
            writer.write("\r\n".join(lines).encode())
            await writer.drain()
            async with httpx2.AsyncClient(base_url=address, timeout=BOUND) as http:
                await http.get("/api/v1/health")  # the server has seen the half of the request by then
            process.terminate()
            answer = (await reader.read()).decode()
            writer.close()
            await writer.wait_closed()
            assert await process.wait() == 0
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"code": "closing"' in answer
    assert "Traceback" not in (tmp_path / "errors").read_text()
