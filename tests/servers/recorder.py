"""A process that adds entries to an audit record as fast as it can: its address, its name, how many."""

import asyncio
import sys
from datetime import UTC, datetime

from sqlalchemy import Connection

from proctor import audit
from proctor.store import Database


async def main(url: str, name: str, many: int) -> None:
    async with await Database.open(url) as database:

        def enter(connection: Connection) -> None:
            audit.append(connection, at=datetime.now(UTC), actor=name, action="run.read", thing="run_1")

        for _ in range(many // 10):
            await asyncio.gather(*(database.commit(enter) for _ in range(10)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
