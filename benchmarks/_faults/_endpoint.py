"""A model endpoint that speaks chat completions, and misbehaves where a case says so.

Run as a program on a folder, it prints its address and answers until its standard input ends.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from benchmarks._faults._cases import CASES, LADDER, Case, key_of
from benchmarks._faults._traces import ANSWERS, HELD, MENDED, STRIKES, Traces, released

THINKING = 0.03
"""Seconds of an answer."""
LOOK = 0.02
"""Seconds between looks whether what is held may go."""
OUTAGE = "outage"
"""The mark by which every model of the ladder fails."""
RETRY_AFTER = 1
"""Seconds that 429 asks for."""

USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


class Endpoint:
    """Answers by what the request says of its agent and its case."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._held: set[str] = set()

    async def answer(self, request: Request) -> Response:
        """An answer, or what a fault makes of it."""
        body = await request.json()
        texts = [str(message.get("content")) for message in body["messages"]]
        agent = texts[0].removeprefix("You are ").removesuffix(".")
        key = key_of(texts)
        name = key.rpartition("/")[0]
        if name == LADDER and self._traces.marked(OUTAGE):
            return _error(503)
        case = CASES.get(name)
        if case is not None and agent == "expert" and body["model"] == "primary":
            if case.family == "provider" and self._traces.strikes(key, most=case.strikes):
                return await self._misbehave(case, request)
            if case.family in ("worker", "database") and key not in self._held:
                await self._hold(key, case, request)
        await asyncio.sleep(THINKING)
        if await request.is_disconnected():
            return Response()
        content = json.dumps(body["messages"]).encode()
        self._traces.write(ANSWERS, key=key, agent=agent, digest=sha256(content).hexdigest())
        message, reason = self._message(agent, key, case, body)
        if body.get("stream"):
            return StreamingResponse(_pieces(message, reason), media_type="text/event-stream")
        return JSONResponse(_completion(message, reason))

    async def _hold(self, key: str, case: Case, request: Request) -> None:
        self._held.add(key)
        self._traces.write(HELD, key=key)
        while not self._traces.marked(released(case.name)) and not await request.is_disconnected():  # noqa: ASYNC110 - other processes leave files
            await asyncio.sleep(LOOK)

    async def _misbehave(self, case: Case, request: Request) -> Response:
        match case.fault:
            case "provider_http_429":
                return _error(429, retry_after=RETRY_AFTER)
            case "provider_http_500":
                return _error(500)
            case "provider_nonsense":
                return Response("<html>It works!</html>", media_type="text/html")
            case "provider_half_stream":
                return _Half()
            case _:
                while not await request.is_disconnected():  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(LOOK)
                return Response()

    def _message(
        self, agent: str, key: str, case: Case | None, body: dict[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """What the agent is answered: a tool call first, where it has tools."""
        used = sum(message["role"] == "tool" for message in body["messages"])
        offered = {tool["function"]["name"] for tool in body.get("tools", ())}
        if not offered:
            wanted: tuple[str, dict[str, str]] | None = None
        elif "look" in offered:
            if used == 0:
                self._traces.write(STRIKES, key=key, of=key)
            wanted = None if self._traces.marked(MENDED) else ("look", {"place": "here"})
        elif used:
            wanted = None
        elif "book" in offered:
            wanted = ("book", {"key": key, "by": agent})
        else:
            wanted = (_desk_tool(case), {"key": key})
        if wanted is None:
            return {"role": "assistant", "content": f"{agent} has settled it."}, "stop"
        function = {"name": wanted[0], "arguments": json.dumps(wanted[1])}
        call = {"id": f"call_{used}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def _desk_tool(case: Case | None) -> str:
    assert case is not None
    match case.mechanism:
        case "person":
            return "pay"
        case "reschedule" | "by_hand":
            return "reserve"
        case _:
            return "look_up"


def _error(status: int, retry_after: int | None = None) -> Response:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"error": {"message": "not now", "code": None}}, status, headers=headers)


def _completion(message: dict[str, Any], reason: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": USAGE,
    }


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "fake",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


async def _pieces(message: dict[str, Any], reason: str) -> AsyncIterator[bytes]:
    calls = message.get("tool_calls", ())
    if calls:
        yield _chunk({"role": "assistant", "tool_calls": [{"index": 0, **calls[0]}]})
    else:
        for word in str(message["content"]).split(" "):
            yield _chunk({"role": "assistant", "content": f"{word} "})
    yield _chunk({}, reason)
    yield f"data: {json.dumps({**_completion({}, reason), 'choices': []})}\n\n".encode()
    yield b"data: [DONE]\n\n"


class _Half(Response):
    """The beginning of a stream, then the end of the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = _chunk({"role": "assistant", "content": "expert has se"})
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _serve(folder: Path) -> None:
    app = Starlette(routes=[Route("/v1/chat/completions", Endpoint(Traces(folder)).answer, methods=["POST"])])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - other processes leave files
        await asyncio.sleep(LOOK)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
