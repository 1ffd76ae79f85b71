"""`proctor mcp` as desktop clients start it: a real process, and the SDK's unmodified client."""

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from servers.openai_endpoint import Endpoint, completion, says
from servers.openai_endpoint import serving as model_endpoint

BOUND = 90
COMMAND = ["-m", "proctor", "mcp", "--app", "desk.py"]
APP = """
import os
import sys

from autogen_agentchat.agents import AssistantAgent
import proctor

print("loaded")
app = proctor.App()


@app.team("desk")
def desk(ctx):
    print("built", flush=True)
    os.system("echo from a child; cat")
    print("said and not flushed")
    return AssistantAgent("clerk", model_client=ctx.model("small"), model_client_stream=True)
"""


def prepared(folder: Path, endpoint: Endpoint) -> StdioServerParameters:
    (folder / "desk.py").write_text(APP)
    (folder / "proctor.toml").write_text(
        f'[models.small]\nmodel = "fake-1"\nbase_url = "{endpoint.url}"\napi_key = "x"\n'
        "price = { input = 3, output = 15 }\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PROCTOR_")}
    return StdioServerParameters(command=sys.executable, args=COMMAND, cwd=folder, env=environ)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_starts_the_process_has_the_teams(tmp_path: Path, mode: Any) -> None:
    told: list[str | None] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        told.append(message)

    with model_endpoint() as endpoint, (tmp_path / "errors").open("w+") as errors:
        transport = stdio_client(prepared(tmp_path, endpoint), errors)
        async with asyncio.timeout(BOUND), Client(transport, mode=mode) as ask:
            tools = (await ask.list_tools()).tools
            result = await ask.call_tool(
                "run_desk",
                {"task": "Hello", "thread": "new"},
                progress_callback=progress,
                meta={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},  # type: ignore[typeddict-unknown-key]
            )
            again = await ask.call_tool("continue_run", {"run_id": result.structured_content["run_id"]})
        errors.seek(0)
        said = errors.read()
    assert [tool.name for tool in tools] == ["run_desk", "cancel_run", "continue_run"]
    assert result.structured_content["answer"] == again.structured_content["answer"] == "Hello there."
    assert "clerk has thought" in told
    assert "loaded" in said
    assert "from a child" in said
    with closing(sqlite3.connect(tmp_path / "proctor.db")) as database:
        [[state, trace]] = database.execute("SELECT state, trace FROM runs")
    assert state == "completed"
    assert trace.startswith(f"00-{'a' * 32}-")


@pytest.mark.slow
async def test_two_clients_that_start_one_each_share_the_database(tmp_path: Path) -> None:
    with model_endpoint() as endpoint:
        server = prepared(tmp_path, endpoint)
        async with asyncio.timeout(BOUND), Client(stdio_client(server)) as one:
            first = await one.call_tool("run_desk", {"task": "Hello"})
            async with Client(stdio_client(server)) as other:
                second = await other.call_tool("run_desk", {"task": "Hello again"})
    answers = [each.structured_content["answer"] for each in (first, second)]
    assert answers == ["Hello there."] * 2


async def test_a_process_that_is_told_to_stop_does_and_its_run_goes_on_at_the_next_start(
    tmp_path: Path,
) -> None:
    call = {"name": "run_desk", "arguments": {"task": "Hello", "wait_seconds": 1}}
    with model_endpoint() as endpoint:
        endpoint.replies = [endpoint.hangs(), says(completion())]
        server = prepared(tmp_path, endpoint)
        process = await asyncio.create_subprocess_exec(
            server.command,
            *server.args,
            cwd=server.cwd,
            env=server.env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(BOUND):
            hello = {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "x", "version": "1"},
            }
            for id, method, params in ((1, "initialize", hello), (2, "tools/call", call)):
                request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
                process.stdin.write(json.dumps(request).encode() + b"\n")
                answer = json.loads(await process.stdout.readline())
                assert answer["id"] == id
            process.terminate()
            rest = await process.stdout.read()
            code = await process.wait()
            process.stdin.close()
            run = answer["result"]["structuredContent"]["run_id"]
            async with Client(stdio_client(server)) as ask:
                result = await ask.call_tool("continue_run", {"run_id": run})
    assert (code, rest) == (0, b"")
    assert result.structured_content["answer"] == "Hello there."


async def test_a_process_that_cannot_start_says_why_and_ends(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(BOUND):
        assert process.stdout is not None
        assert process.stderr is not None
        out, errors = await process.stdout.read(), await process.stderr.read()
        code = await process.wait()
    assert process.stdin is not None
    process.stdin.close()
    assert (code, out) == (1, b"")
    assert b"desk.py" in errors
