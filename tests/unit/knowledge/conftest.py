from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proctor.store import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as opened:
        yield opened
