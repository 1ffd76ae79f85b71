"""A real Prometheus under an exported configuration, and what it answers."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil

from benchmarks._ports import ports_of
from benchmarks._scale._consumed import until

PATIENCE = 60.0
"""Seconds that it has to start, and a target to be scraped."""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """The values of an expression now, by the values of its labels in the order of their names.

        Raises:
            ValueError: it is none that Prometheus understands.
        """
        told = await self._ask("query", query=expression)
        return {
            tuple(value for name, value in sorted(each["metric"].items()) if name != "__name__"): float(
                each["value"][1]
            )
            for each in told["result"]
        }

    async def number(self, expression: str) -> float:
        """The one value of an expression; 0 where it has none."""
        return next(iter((await self.query(expression)).values()), 0.0)

    async def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        told = await self._ask("alerts")
        return {each["labels"]["alertname"] for each in told["alerts"] if each["state"] == "firing"}

    async def ready(self, targets: int) -> None:
        """Returns when so many targets are scraped."""

        async def all_are() -> bool:
            return await self.number("sum(up)") >= targets

        await until(all_are, seconds=PATIENCE)

    async def scraped(self) -> None:
        """Returns when every target has been scraped once more, from now on."""
        now = await self.number("vector(time())")

        async def all_were() -> bool:
            return await self.number("min(timestamp(up))") > now

        await until(all_were, seconds=PATIENCE)

    async def _ask(self, what: str, **parameters: str) -> Any:
        answer = await self._http.get(f"/api/v1/{what}", params=parameters)
        told: Mapping[str, Any] = answer.json()
        if told["status"] != "success":
            raise ValueError(f"{parameters}: {told.get('error')}")
        return told["data"]


@asynccontextmanager
async def running_prometheus(program: str, config: Path) -> AsyncIterator[Prometheus]:
    """A server with this configuration; its data are gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        options = {
            "config.file": config,
            "web.listen-address": "127.0.0.1:0",
            "storage.tsdb.path": data,
            "log.level": "error",
        }
        process = await asyncio.create_subprocess_exec(
            program, *(f"--{name}={value}" for name, value in options.items())
        )
        try:
            address = f"http://127.0.0.1:{await _port(process)}"
            async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
                await _answers(http)
                yield Prometheus(http)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port that a server has taken.

    Raises:
        RuntimeError: it has ended.
    """
    found: frozenset[int] = frozenset()

    async def listens() -> bool:
        nonlocal found
        if process.returncode is not None:
            raise RuntimeError("Prometheus ended early: it said why on standard error")
        with suppress(psutil.NoSuchProcess):
            found = ports_of(process.pid)
        return bool(found)

    await until(listens, seconds=PATIENCE)
    return min(found)


async def _answers(http: httpx2.AsyncClient) -> None:
    async def ready() -> bool:
        with suppress(httpx2.TransportError):
            return (await http.get("/-/ready")).is_success
        return False

    await until(ready, seconds=PATIENCE)
