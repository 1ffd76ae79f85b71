"""A model endpoint that answers late: chat completions after a fixed time, or when it is told to.

Run as a program, with the milliseconds until an answer, it prints its address and takes orders: to hold all
requests that come, to release them, to count anew, or only to tell. The model `flaky` fails the first
request of each conversation.
"""

import asyncio
import json
import os
import sys
from asyncio import StreamReader, StreamWriter
from typing import Any

from benchmarks._overhead._workload import ANSWER
from benchmarks._scale._serving import obey

FLAKY = "flaky"

_BACKLOG = 2048
"""Connections that may come at once: with a shorter queue a thousand of them would wait to be sent again."""
_LENGTH = b"content-length:"
_USAGE = {"prompt_tokens": 64, "completion_tokens": 16, "total_tokens": 80}
_CALL = {"id": "call_1", "type": "function"}


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    """A call of the first tool where tools are offered and none has been used, else a text."""
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
    tools: list[Any] = request.get("tools") or []
    asks = bool(tools) and request["messages"][-1]["role"] != "tool"
    if asks:
        function = {"name": tools[0]["function"]["name"], "arguments": '{"order": "1042"}'}
        message = {"role": "assistant", "content": None, "tool_calls": [{**_CALL, "function": function}]}
    reason = "tool_calls" if asks else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": _USAGE,
    }


class LateEndpoint:
    """Answers each request when its time has come."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._released = asyncio.Event()
        self._released.set()
        self._failed: set[str] = set()
        self._requests = 0
        self._in_hand = 0
        self._most_in_hand = 0

    async def hold(self) -> dict[str, Any]:
        """Answers nothing until it is told to."""
        self._released.clear()
        return await self.look()

    async def release(self) -> dict[str, Any]:
        """Answers all that is held, and what comes."""
        self._released.set()
        return await self.look()

    async def forget(self) -> dict[str, Any]:
        """Counts anew from here."""
        self._requests, self._most_in_hand = 0, self._in_hand
        return await self.look()

    async def look(self) -> dict[str, Any]:
        """What it was asked, and has in hand."""
        return {"requests": self._requests, "in_hand": self._in_hand, "most_in_hand": self._most_in_hand}

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answers the requests of one connection until it ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
                writer.write(await self._answer(json.loads(await reader.readexactly(length))))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has gone
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any]) -> bytes:
        self._requests += 1
        self._in_hand += 1
        self._most_in_hand = max(self._most_in_hand, self._in_hand)
        try:
            await asyncio.sleep(self._seconds)
            await self._released.wait()
        finally:
            self._in_hand -= 1
        if request["model"] == FLAKY and self._fails(json.dumps(request["messages"])):
            return _response(503, {"error": {"message": "overloaded"}})
        return _response(200, answer_to(request))

    def _fails(self, conversation: str) -> bool:
        """Whether a conversation is asked about for the first time."""
        if conversation in self._failed:
            self._failed.remove(conversation)
            return False
        self._failed.add(conversation)
        return True


def _response(status: int, content: dict[str, Any]) -> bytes:
    body = json.dumps(content).encode()
    kind = "content-type: application/json"
    return f"HTTP/1.1 {status} -\r\n{kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def _main(seconds: float) -> None:
    endpoint = LateEndpoint(seconds)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, backlog=_BACKLOG)
    port = server.sockets[0].getsockname()[1]
    orders = (endpoint.hold, endpoint.release, endpoint.forget, endpoint.look)
    await obey(
        {order.__name__: order for order in orders}, url=f"http://127.0.0.1:{port}/v1", pid=os.getpid()
    )


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]) / 1000))
