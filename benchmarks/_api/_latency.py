"""What the server adds to the library: the same work in the same process, asked for with HTTP and without."""

import asyncio
from typing import Any

from benchmarks._api._http import Connection
from benchmarks._api._load import TASK, quantile, timed
from benchmarks._overhead._children import Child

TURN = 10
"""Runs after which it is the other's turn: what else the machine does meets both."""
BESIDE = 4


async def latency(server: Child, address: str, key: str, *, runs: int) -> dict[str, Any]:
    """P50 and P99 of runs and of looks at one, by both ways, and what the one adds to the other."""
    seconds: dict[str, dict[str, list[float]]] = {
        "run": {"library": [], "server": []},
        "look": {"library": [], "server": []},
    }
    pool: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(BESIDE):
        pool.put_nowait(Connection(address, key))

    async def ask(method: str, path: str, body: Any = None) -> Any:
        connection = await pool.get()
        try:
            status, told = await connection.ask(method, path, body)
        finally:
            pool.put_nowait(connection)
        assert status == 200, told
        return told

    one = (await ask("POST", "/runs?wait=30", {"team": "desk", "task": TASK}))["id"]

    async def run() -> None:
        told = await ask("POST", "/runs?wait=30", {"team": "desk", "task": TASK})
        assert told["state"] == "completed", told

    async def look() -> None:
        await ask("GET", f"/runs/{one}")

    for _ in range(max(1, runs // TURN)):
        told = await server.tell(do="library", runs=TURN, beside=BESIDE)
        for name, do in (("run", run), ("look", look)):
            seconds[name]["library"] += told[name]
            seconds[name]["server"] += await timed(do, TURN, beside=BESIDE)
    for _ in range(BESIDE):
        await pool.get_nowait().close()
    return {name: _compared(**both) for name, both in seconds.items()}


def _compared(*, library: list[float], server: list[float]) -> dict[str, dict[str, float]]:
    told: dict[str, dict[str, float]] = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        inside, outside = quantile(library, share) * 1000, quantile(server, share) * 1000
        told[f"{name}_ms"] = {
            "library": round(inside, 2),
            "server": round(outside, 2),
            "added": round(outside - inside, 2),
        }
    return told
