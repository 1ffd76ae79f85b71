"""Processes that race to decide the same approvals. Each is started fresh and shares only the database."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from random import Random
from typing import Any

from proctor import approvals
from proctor.core import Conflict, Decision, SystemClock
from proctor.runs import Desk
from proctor.store import Database

PATIENCE = 120
"""Seconds for a race; whoever takes longer has lost it."""


def decide_and_consume(url: str, ids: Sequence[str], seed: int, barrier: Barrier, out: "Queue[Any]") -> None:
    """Decides all questions, then uses all decisions up; tells in which it was the one."""
    out.put(asyncio.run(_decide_and_consume(url, ids, seed, barrier)))


async def _decide_and_consume(url: str, ids: Sequence[str], seed: int, barrier: Barrier) -> dict[str, Any]:
    name, order = f"person {seed}", list(ids)
    Random(seed).shuffle(order)
    async with await Database.open(url) as database:
        desk = Desk(database, clock=SystemClock(), roles={})

        async def decide(id: str) -> bool:
            try:
                await desk.decide(id, Decision(kind="reject" if seed % 2 else "approve", by=name))
            except Conflict:
                return False
            return True

        async def consume(id: str) -> bool:
            try:
                await database.commit(lambda connection: approvals.consume(connection, id))
            except Conflict:
                return False
            return True

        won: dict[str, Any] = {"name": name}
        for verb, work in (("decided", decide), ("consumed", consume)):
            await asyncio.to_thread(barrier.wait, PATIENCE)
            won[verb] = [id for id in order if await work(id)]
        return won


def tally(winners: Sequence[dict[str, Any]], verb: str) -> Counter[str]:
    """How many processes won each question."""
    return Counter(id for winner in winners for id in winner[verb])
