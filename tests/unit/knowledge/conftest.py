from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from proctor.knowledge import ensure_index
from proctor.store import Database, metadata


def prepare(connection: Connection) -> None:
    metadata.create_all(connection, [table for table in metadata.sorted_tables if "knowledge" in table.name])
    ensure_index(connection)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as opened:
        await opened.commit(prepare)
        yield opened
