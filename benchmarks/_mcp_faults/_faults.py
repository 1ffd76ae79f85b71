"""The faults, and what is measured of each. Knows no contender: it drives whatever has a few methods."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

CALL_SECONDS = 1.5
"""A call may take so long, by each contender's own setting, unless another time is told."""
START_SECONDS = 8.0
"""A server's start may take so long, where a contender has a setting of its own for that."""
HANGS = 15.0
"""Seconds after which a call counts as one that hangs."""
RECOVERING = 15.0
CALLS, CANCELS = 50, 10


class Bench(Protocol):
    """A contender's connection to one server."""

    async def start(self) -> None: ...
    async def call(self, tool: str, /, **arguments: Any) -> str:
        """The answer's text; raises whatever the contender does where there is none."""

    async def cancelled(self, started: Callable[[], bool], tool: str, /, **arguments: Any) -> None:
        """Makes a call and cancels it once it has started, as the contender's own agents would."""

    async def schema(self, tool: str) -> Any:
        """What the contender shows a model of a tool's arguments."""

    async def close(self) -> None: ...


Open = Callable[[Sequence[str]], Bench]
"""A connection to the server with this command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What one fault came to, once."""

    fault: str
    outcomes: dict[str, int]
    """What callers got: `answered`, `wrong`, the error's name, or `hung`."""
    bystanders: dict[str, int]
    """The same, of calls that the fault was none of."""
    recovery: float | None
    """Seconds from the fault until a call was answered again; none where that never was."""
    told: int | None = None
    """Of cancelled calls: how many the server was told of."""


async def meet(open_bench: Open, python: str, fault: str) -> dict[str, Any]:
    """What a fault comes to."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        server = str(Path(__file__).with_name("_server.py"))
        habit = fault if fault in ("slow_start", "mute") else "plain"
        bench = open_bench([python, server, name, habit])
        try:
            return asdict(await FAULTS[fault](bench, folder))
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(bench.close(), HANGS)


async def _kill(bench: Bench, folder: Path) -> Met:
    await bench.start()
    pid = int(await bench.call("pid"))
    calls = [_tried(bench.call("slow", seconds=60, mark=f"{n}"), "slow") for n in range(3)]
    pending = [asyncio.create_task(call) for call in calls]
    await _until(lambda: len(list(folder.iterdir())) == len(pending))
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    outcomes = await asyncio.gather(*pending)
    return Met(fault="kill", outcomes=_count(outcomes), bystanders={}, recovery=await _back(bench, began))


async def _stall(bench: Bench, _folder: Path) -> Met:
    await bench.start()
    began = time.monotonic()
    stalled, *others = await asyncio.gather(
        _tried(bench.call("stall"), "stall"),
        *(_tried(bench.call("slow", seconds=0.3, mark=f"{n}", text=f"{n}"), f"{n}") for n in range(3)),
    )
    back = await _back(bench, began)
    return Met(fault="stall", outcomes=_count([stalled]), bystanders=_count(others), recovery=back)


async def _noise(fault: str, bench: Bench) -> Met:
    await bench.start()
    began = time.monotonic()
    noisy, *others = await asyncio.gather(
        _tried(bench.call(fault), fault),
        *(_tried(bench.call("echo", text=f"{n}"), f"{n}") for n in range(3)),
    )
    back = await _back(bench, began)
    return Met(fault=fault, outcomes=_count([noisy]), bystanders=_count(others), recovery=back)


async def _flood(bench: Bench, _folder: Path) -> Met:
    return await _noise("flood", bench)


async def _garbage(bench: Bench, _folder: Path) -> Met:
    return await _noise("garbage", bench)


async def _slow_start(bench: Bench, _folder: Path) -> Met:
    began = time.monotonic()

    async def first() -> str:
        await bench.start()
        return await bench.call("echo", text="first")

    outcome = await _tried(first(), "first")
    back = await _back(bench, began)
    return Met(fault="slow_start", outcomes=_count([outcome]), bystanders={}, recovery=back)


async def _mute(bench: Bench, _folder: Path) -> Met:
    """A server that never says a word: there is nothing to come back to."""
    outcome = await _tried(bench.start(), None)
    return Met(fault="mute", outcomes=_count([outcome]), bystanders={}, recovery=None)


async def _schema_change(bench: Bench, _folder: Path) -> Met:
    await bench.start()
    before = await bench.schema("echo")
    began = time.monotonic()
    outcome = await _tried(bench.call("grow"), "grow")
    back = None
    while time.monotonic() - began < RECOVERING:
        if await bench.schema("echo") != before:
            back = time.monotonic() - began
            break
        await asyncio.sleep(0.01)
    return Met(fault="schema_change", outcomes=_count([outcome]), bystanders={}, recovery=back)


async def _cancels(bench: Bench, folder: Path) -> Met:
    await bench.start()

    def begun(mark: str) -> Callable[[], bool]:
        return (folder / mark).exists

    doomed = [
        _tried(bench.cancelled(begun(f"doomed-{n}"), "slow", seconds=60, mark=f"doomed-{n}"), None)
        for n in range(CANCELS)
    ]
    others = [
        _tried(bench.call("slow", seconds=0.5, mark=f"{n}", text=f"{n}"), f"{n}")
        for n in range(CALLS - CANCELS)
    ]
    began = time.monotonic()
    outcomes = await asyncio.gather(*doomed, *others)
    back = await _back(bench, began)

    def told() -> int:
        return len(list(folder.glob("*.cancelled")))

    with contextlib.suppress(TimeoutError):
        await _until(lambda: told() == CANCELS)
    return Met(
        fault="cancels",
        outcomes=_count(outcomes[:CANCELS]),
        bystanders=_count(outcomes[CANCELS:]),
        recovery=back,
        told=told(),
    )


FAULTS: dict[str, Callable[[Bench, Path], Coroutine[Any, Any, Met]]] = {
    "kill": _kill,
    "stall": _stall,
    "flood": _flood,
    "garbage": _garbage,
    "slow_start": _slow_start,
    "mute": _mute,
    "schema_change": _schema_change,
    "cancels": _cancels,
}


async def _tried(call: Awaitable[str | None], wanted: str | None) -> str:
    """What a caller gets, in one word; cancelled from here only where it hangs."""
    task = asyncio.ensure_future(call)
    done, _ = await asyncio.wait({task}, timeout=HANGS)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        return "hung"
    if task.cancelled():
        return "cancelled"
    if (error := task.exception()) is not None:
        return type(error).__name__
    return "answered" if task.result() == wanted else "wrong"


async def _back(bench: Bench, began: float) -> float | None:
    """Seconds since the beginning at which a call is answered again."""
    while time.monotonic() - began < RECOVERING:
        if await _tried(bench.call("echo", text="back"), "back") == "answered":
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return None


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANGS):
        while not holds():  # noqa: ASYNC110 - another process leaves files
            await asyncio.sleep(0.01)


def _count(outcomes: Sequence[str]) -> dict[str, int]:
    return {name: list(outcomes).count(name) for name in sorted(set(outcomes))}
