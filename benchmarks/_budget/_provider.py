"""A model provider that keeps its own books: what it billed for each order, to the micro-dollar.

Run as a program, with the seed of its prices and whether a repeated request is billed again. A request is
billed when it has come, whether or not somebody still waits for the answer.
"""

import asyncio
import json
import os
import sys
from asyncio import StreamReader, StreamWriter
from collections import Counter
from typing import Any

from benchmarks._budget._workload import TOOLS, chance, charge, order_of, prices, rounds_of, usage_of
from benchmarks._scale._serving import obey

_BACKLOG = 1024
_LONGEST_MS = 120
"""Until an answer."""
_BUSY_PERCENT = 4
"""Of the requests that are turned away at first, and billed nothing."""


class Provider:
    """Answers, and bills."""

    def __init__(self, seed: int, *, bills_repeats: bool) -> None:
        self._prices = prices(seed)
        self._bills_repeats = bills_repeats
        self._bills: Counter[int] = Counter()
        self._seen: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    async def bills(self) -> dict[str, Any]:
        """What was billed, by order, and how many requests there were."""
        return {"bills": {str(order): amount for order, amount in self._bills.items()}, **self._counts}

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answers the requests of one connection until it ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(headers["content-length"]))
                status, answer = self._answer(headers["idempotency-key"], body)
                await asyncio.sleep(chance("time", headers["idempotency-key"]) % _LONGEST_MS / 1000)
                writer.write(_response(status, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has gone
        finally:
            writer.close()

    def _answer(self, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        request = json.loads(body)
        said = request["messages"]
        order = order_of(next(message["content"] for message in said if message["role"] == "user"))
        self._counts["requests"] += 1
        self._seen[key] += 1
        busy = chance("busy", key) % 100 < _BUSY_PERCENT
        if busy and self._seen[key] == 1:
            self._counts["busy"] += 1
            return 503, {"error": {"message": "overloaded"}}
        usage = usage_of(key, len(body))
        repeated = self._seen[key] - busy > 1
        self._counts["repeated"] += repeated
        if not repeated or self._bills_repeats:
            self._bills[order] += charge(usage, self._prices[request["model"]])
        return 200, _completion(request, order, key, usage)


def _completion(request: dict[str, Any], order: int, key: str, usage: dict[str, Any]) -> dict[str, Any]:
    used = sum(message["role"] == "tool" for message in request["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": f"Order {order} is on its way."}
    asks = used < len(TOOLS) * rounds_of(order)
    if asks:
        arguments = json.dumps({"order": str(order), "step": used})
        calls = [
            {"id": f"call_{key[:8]}_{name}", "type": "function"}
            | {"function": {"name": name, "arguments": arguments}}
            for name in TOOLS
        ]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if asks else "stop"}],
        "usage": usage,
    }


def _response(status: int, content: dict[str, Any]) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _main(seed: int, repeats: str) -> None:
    provider = Provider(seed, bills_repeats=repeats == "billed")
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=_BACKLOG)
    port = server.sockets[0].getsockname()[1]
    await obey({"bills": provider.bills}, url=f"http://127.0.0.1:{port}/v1", pid=os.getpid())


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
