"""A provider that fails: chat completions over HTTP, whole and streamed, with a share of faults of six kinds.

Run as a program with a seed and a share, it prints its address and takes orders: to count anew, or to tell.
"""

import asyncio
import json
import re
import socket
import struct
import sys
from asyncio import StreamReader, StreamWriter
from collections import Counter
from typing import Any

from benchmarks._resilience._faults import Fault, fault_of
from benchmarks._scale._serving import obey

RETRY_AFTER = 1
"""Seconds that 429 asks for."""
USAGE = {"prompt_tokens": 64, "completion_tokens": 16, "total_tokens": 80}
_LENGTH = b"content-length:"
_NUMBER = re.compile(r"order (\d+)")
_ABORT = struct.pack("ii", 1, 0)
"""A socket that lingers for no time is reset when it is closed."""


class FaultyEndpoint:
    """Answers what it is asked, or fails as the request's own fault says."""

    def __init__(self, seed: int, share: float) -> None:
        self._seed = seed
        self._share = share
        self._attempts: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    async def forget(self) -> dict[str, Any]:
        """Counts anew from here, and meets every request as if for the first time."""
        for counts in (self._attempts, self._requests, self._faults):
            counts.clear()
        return await self.look()

    async def look(self) -> dict[str, Any]:
        """The requests of each model, and the faults of each kind."""
        return {"requests": dict(self._requests), "faults": dict(self._faults)}

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answers the requests of one connection until it ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
                body = json.loads(await reader.readexactly(length))
                if not await self._meet(body, reader, writer):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has gone
        finally:
            writer.close()

    async def _meet(self, body: dict[str, Any], reader: StreamReader, writer: StreamWriter) -> bool:
        """Answers one request; whether the connection stays."""
        model: str = body["model"]
        request = _name_of(body["messages"])
        key = f"{model}/{request}"
        self._attempts[key] += 1
        self._requests[model] += 1
        fault = fault_of(self._seed, self._share, model=model, request=request, attempt=self._attempts[key])
        if fault is None:
            writer.write(_answered(body))
            return True
        self._faults[fault] += 1
        return await _fail(fault, body, reader, writer)


async def _fail(fault: Fault, body: dict[str, Any], reader: StreamReader, writer: StreamWriter) -> bool:
    match fault:
        case "too_many_requests":
            writer.write(_response(429, _error("slow down"), f"retry-after: {RETRY_AFTER}"))
            return True
        case "server_error":
            writer.write(_response(500, _error("something broke")))
            return True
        case "nonsense":
            streams = body.get("stream")
            writer.write(_streamed([b"data: {nonsense\n\n"]) if streams else _response(200, b"{nonsense"))
            return True
        case "hang":
            await reader.read()  # until the caller hangs up
            return False
        case "half_an_answer":
            whole = _answered(body)
            end = whole.index(b"\r\n\r\n") + 4
            writer.write(whole[: end + (len(whole) - end) // 2])
            await writer.drain()
            return False
        case "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            writer.transport.abort()
            return False


def _name_of(messages: list[dict[str, Any]]) -> str:
    """What tells a request from others: its order, who asks, and how far the conversation has come."""
    found = next(found for each in messages if (found := _NUMBER.search(str(each.get("content")))))
    return f"{found[1]}/{messages[0]['content']}/{len(messages)}"


def _answered(body: dict[str, Any]) -> bytes:
    message, reason = _message(body)
    head = {**_HEAD, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
        return _response(200, json.dumps({**head, "choices": [choice], "usage": USAGE}).encode())
    pieces = [*_deltas(message), _choice({}, reason), {"choices": [], "usage": USAGE}]
    lines = [f"data: {json.dumps({**head, **piece})}\n\n".encode() for piece in pieces]
    return _streamed([*lines, b"data: [DONE]\n\n"])


def _message(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A tool call where tools are offered and none has been used, else the answer."""
    number = _name_of(body["messages"]).split("/")[0]
    if body.get("tools") and body["messages"][-1]["role"] != "tool":
        function = {"name": "order_status", "arguments": json.dumps({"order": number})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        return {"content": None, "tool_calls": [call]}, "tool_calls"
    text = f"Order {number} left the warehouse this morning and arrives tomorrow: I have checked it."
    return {"content": text}, "stop"


_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000}


def _deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    if message["content"] is None:
        return [_choice({"role": "assistant", "tool_calls": [{"index": 0, **message["tool_calls"][0]}]})]
    return [_choice({"role": "assistant", "content": f"{word} "}) for word in message["content"].split(" ")]


def _choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _error(words: str) -> bytes:
    return json.dumps({"error": {"message": words, "code": None}}).encode()


def _response(status: int, body: bytes, *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} -",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _streamed(lines: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 -\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in [*lines, b""])


async def _main(seed: int, share: float) -> None:
    endpoint = FaultyEndpoint(seed, share)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    orders = {"forget": endpoint.forget, "look": endpoint.look}
    await obey(orders, url=f"http://127.0.0.1:{port}/v1")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
