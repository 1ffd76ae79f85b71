"""Every route as every role, of this tenant and of another: all is refused that must be."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request

from benchmarks._security._routes import Operation, operations_of
from benchmarks._security._table import Walker, walk
from benchmarks._security._world import open_world
from proctor.access import Principal
from proctor.api import make_site
from proctor.cli._web import web
from proctor.core import Unauthenticated


async def all_is_refused(url: str) -> None:
    async with asyncio.timeout(300), open_world(url) as world:
        table = await walk(world)

    assert table.complaints == []
    assert table.refused == table.must_refuse
    assert table.must_refuse > 5 * table.routes


async def test_all_is_refused_that_must_be(tmp_path: Path):
    await all_is_refused(f"sqlite:///{tmp_path}/proctor.db")


@pytest.mark.slow
async def test_all_is_refused_that_must_be_on_postgresql(postgres_url: str):
    await all_is_refused(postgres_url)


async def test_a_door_that_forgets_whose_a_key_is_is_found_out(tmp_path: Path):
    class Forgetful:
        """Takes everybody who has any key for an admin of the platform."""

        async def enter(self, request: Request) -> Principal:
            if "authorization" not in request.headers:
                raise Unauthenticated("who is it?")
            return Principal(name="all", kind="key", roles=frozenset({"admin"}), tenant=None)

        async def recall(self, request: Request) -> None:
            await self.enter(request)

    async with asyncio.timeout(60), open_world(f"sqlite:///{tmp_path}/proctor.db") as world:
        site = make_site(world.running, door=Forgetful())
        async with web(site, host="127.0.0.1", port=0) as world.address:
            operation = Operation(
                method="GET", path="/api/v1/runs/{id}", needs="operator", places=("runs/{id}",)
            )
            async with httpx2.AsyncClient(base_url=world.address, timeout=20) as client:
                walker = Walker(world, client)
                await walker.route(operation)

    cells = walker.table.rows["GET /api/v1/runs/{id}"]
    missed = {column for column, status in cells.items() if status == 200}
    assert {"viewer of acme", "revoked key", "operator of acme of another's"} <= missed
    assert len(walker.table.complaints) == walker.table.must_refuse - walker.table.refused == 18


def test_a_new_route_has_to_be_told_to_the_table():
    told = {"security": [{"key": ["viewer"]}]}
    openapi = {
        "paths": {"/api/v1/gadgets/{id}/parts/{part}": {"get": told}, "/api/v1/runs/{id}": {"get": told}}
    }

    unknown = {operation.path: operation.unknown() for operation in operations_of(openapi)}

    assert unknown["/api/v1/gadgets/{id}/parts/{part}"] == ["gadgets/{id}", "parts/{part}"]
    assert unknown["/api/v1/runs/{id}"] == []
    assert Operation(method="GET", path="/x", needs="viewer").of_tenant is False
