import pytest

from unit.ledger.world import a_world


@pytest.fixture
async def world(tmp_path):
    async with a_world(f"sqlite:///{tmp_path}/proctor.db") as world:
        yield world


@pytest.fixture
async def any_world(database_url):
    """A world on each kind of database."""
    async with a_world(database_url) as world:
        yield world
