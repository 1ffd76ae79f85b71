"""Where runs stand at a moment, as far as the journal and the shops tell."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

import proctor
from benchmarks._replay._person import same_call
from proctor.core import JsonObject, read_object
from proctor.deployments.support.shop import read_effects
from proctor.runs import calls, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A call that an attempt has begun and not ended."""

    pid: int
    """Of the worker."""
    tenant: str
    request: JsonObject
    took_effect: bool


class Sight:
    """Looks into the journal and the shops."""

    def __init__(self, running: proctor.Proctor, shops: Path) -> None:
        self._running = running
        self._shops = shops

    async def begun(self) -> Sequence[Begun]:
        """Each call that a present attempt has begun and not ended."""
        found = await self._running.database.read(_begun)
        return [
            Begun(
                pid=pid,
                tenant=tenant,
                request=request,
                took_effect=await asyncio.to_thread(self._took_effect, tenant, request),
            )
            for pid, tenant, request in found
        ]

    def _took_effect(self, tenant: str, request: JsonObject) -> bool:
        effects = read_effects(self._shops, tenant)
        return any(same_call(request, effect.tool, json.loads(effect.arguments)) for effect in effects)


def pid_of(worker: str) -> int:
    """The process id of a worker, as its runs name it: host, process id, a word of its own."""
    return int(worker.split(":")[-2])


def _begun(connection: Connection) -> list[tuple[int, str, JsonObject]]:
    query = (
        select(runs.c.worker, runs.c.tenant, calls.c.request)
        .join(calls, (calls.c.run_id == runs.c.id) & (calls.c.attempt == runs.c.attempt))
        .where(runs.c.state == "running", calls.c.kind == "tool", calls.c.outcome.is_(None))
    )
    return [(pid_of(row.worker), row.tenant, read_object(row.request)) for row in connection.execute(query)]
