"""Many who read streams at the same time, and lose their connections again and again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from benchmarks._api._http import Connection
from benchmarks._api._load import quantile
from benchmarks._overhead._children import Child

MANY = 10
"""Every so many-th reader follows several runs by one stream."""
TOGETHER = 5
TURN = 0.5
"""Seconds that a turn of a talk takes."""
OPEN = 4.0
"""Seconds that a connection lasts on average, before it breaks."""
BOUND = 300.0


@dataclass(slots=True)
class Reader:
    """One who reads, and what it was told."""

    runs: Sequence[str]
    seen: dict[str, list[int]] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    """Seconds between events and their coming, of those that came on an open connection."""
    breaks: int = 0
    ended: set[str] = field(default_factory=set)
    parted: list[str] = field(default_factory=list)
    last: str = ""

    @property
    def path(self) -> str:
        """What it asks for."""
        if len(self.runs) == 1:
            return f"/runs/{self.runs[0]}/events/stream"
        return f"/events/stream?{'&'.join(f'run={run}' for run in self.runs)}"

    async def read(self, address: str, key: str, rng: Random, *, breaks: int) -> None:
        """Reads until all has ended, and breaks off so often at random moments."""
        while len(self.ended) < len(self.runs):
            async with Connection(address, key) as connection:
                if self.breaks < breaks:
                    try:
                        async with asyncio.timeout(rng.expovariate(1 / OPEN)):
                            await self._read(connection)
                    except TimeoutError:
                        self.breaks += 1
                else:
                    await self._read(connection)

    async def _read(self, connection: Connection) -> None:
        opened = time.time()
        async for fields in connection.follow(self.path, self.last):
            kind = fields["event"]
            data = json.loads(fields["data"])
            if kind == "end":
                self.ended.add(data["run"])
            elif kind in ("closing", "expired", "slow", "unavailable"):
                self.parted.append(kind)
            elif kind != "token":
                self.seen.setdefault(data["run"], []).append(data["seq"])
                at = datetime.fromisoformat(data["at"]).timestamp()
                if at > opened:
                    self.delays.append(time.time() - at)
            self.last = fields.get("id", self.last)


async def readers(
    server: Child, address: str, key: str, *, count: int, runs: int, turns: int, breaks: int, seed: int
) -> dict[str, Any]:
    """What so many readers were told of runs that go on meanwhile, against the runs' logs."""
    rng = Random(seed)
    before = await server.tell(do="vitals")
    async with asyncio.timeout(BOUND), Connection(address, key) as asking:
        ids = []
        for _ in range(runs):
            body = {"team": "talk", "task": f"talk {turns} {TURN}"}
            status, started = await asking.ask("POST", "/runs", body)
            assert status == 202, started
            ids.append(started["id"])
        all_of_them = [
            Reader(rng.sample(ids, min(TOGETHER, runs)) if number % MANY == 0 else [rng.choice(ids)])
            for number in range(count)
        ]
        most = 0
        async with asyncio.TaskGroup() as group:
            for reader in all_of_them:
                group.create_task(reader.read(address, key, Random(rng.random()), breaks=breaks))
            watching = group.create_task(_most_at_once(server, lambda: not all(_done(all_of_them))))
        most = watching.result()
    async with Connection(address, key) as asking:  # the one from before is closed by now
        logs = {run: await _log(asking, run) for run in ids}
    after = await server.tell(do="vitals")
    return _figures(all_of_them, logs, most=most, before=before, after=after)


def _done(all_of_them: Sequence[Reader]) -> list[bool]:
    return [len(reader.ended) == len(reader.runs) for reader in all_of_them]


async def _most_at_once(server: Child, going_on: Any) -> int:
    """The most readers that the server had at a time."""
    most = 0
    while going_on():
        most = max(most, (await server.tell(do="vitals"))["readers"])
        await asyncio.sleep(0.2)
    return most


async def _log(asking: Connection, run: str) -> list[int]:
    numbers: list[int] = []
    after: int | None = 0
    while after is not None:
        _, page = await asking.ask("GET", f"/runs/{run}/events?limit=200&after={after}")
        numbers += [event["seq"] for event in page["items"]]
        after = page["next"]
    return numbers


def _figures(
    all_of_them: Sequence[Reader],
    logs: dict[str, list[int]],
    *,
    most: int,
    before: dict[str, Any],
    after: dict[str, Any],
) -> dict[str, Any]:
    found: Counter[str] = Counter()
    for reader in all_of_them:
        for run in reader.runs:
            seen, log = reader.seen.get(run, []), logs[run]
            found["events"] += len(seen)
            found["twice"] += len(seen) - len(set(seen))
            found["missing"] += len(set(log) - set(seen))
            found["out_of_order"] += seen != sorted(seen)
    delays = [delay for reader in all_of_them for delay in reader.delays]
    return {
        "readers": len(all_of_them),
        "at_once": most,
        "runs": len(logs),
        "reconnects": sum(reader.breaks for reader in all_of_them),
        "let_go": sum(len(reader.parted) for reader in all_of_them),
        **{name: found[name] for name in ("events", "twice", "missing", "out_of_order")},
        "delay_ms": {
            name: round(quantile(delays, share) * 1000, 1) for name, share in (("p50", 0.5), ("p99", 0.99))
        },
        "server_cpu_ms_per_event": round(
            (after["cpu_seconds"] - before["cpu_seconds"]) * 1000 / max(1, found["events"]), 3
        ),
        "server_peak_mb": after["peak_mb"],
    }
