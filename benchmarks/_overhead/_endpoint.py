"""A model endpoint that costs next to nothing: chat completions from prebuilt answers, over kept connections.

Run as a program it prints its address and answers until its standard input ends.
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks._overhead._workload import ANSWER, MODEL

USAGE = {"prompt_tokens": 64, "completion_tokens": 16, "total_tokens": 80}
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def _response(message: dict[str, Any], finish_reason: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": MODEL,
        "choices": [choice],
        "usage": USAGE,
    }
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


_CALL = {"id": "call_1", "type": "function"}
_FUNCTION = {"name": "order_status", "arguments": '{"order": "1042"}'}
TEXT_ANSWER = _response({"content": ANSWER}, "stop")
TOOL_ANSWER = _response({"content": None, "tool_calls": [{**_CALL, "function": _FUNCTION}]}, "tool_calls")


def answer_to(body: bytes) -> bytes:
    """A tool call where tools are offered and none has been used, else a text."""
    request = json.loads(body)
    asks = bool(request.get("tools")) and request["messages"][-1]["role"] != "tool"
    return TOOL_ANSWER if asks else TEXT_ANSWER


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while (request := self._next()) is not None:
            self._transport.write(answer_to(request))

    def _next(self) -> bytes | None:
        """The body of the next whole request."""
        head, found, rest = self._received.partition(_END)
        if not found:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
        if len(rest) < length:
            return None
        self._received = rest[length:]
        return rest[:length]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}/v1"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
