"""Every route as every role, of this tenant and of another: all is refused that must be."""

import asyncio

from benchmarks._security._routes import Operation, operations_of
from benchmarks._security._table import walk
from benchmarks._security._world import open_world


async def test_all_is_refused_that_must_be(database_url: str):
    async with asyncio.timeout(240), open_world(database_url) as world:
        table = await walk(world)

    assert table.complaints == []
    assert table.refused == table.must_refuse
    assert table.must_refuse > 10 * table.routes / 2


def test_a_new_route_has_to_be_told_to_the_table():
    told = {"security": [{"key": ["viewer"]}]}
    openapi = {
        "paths": {"/api/v1/gadgets/{id}/parts/{part}": {"get": told}, "/api/v1/runs/{id}": {"get": told}}
    }

    unknown = {operation.path: operation.unknown() for operation in operations_of(openapi)}

    assert unknown["/api/v1/gadgets/{id}/parts/{part}"] == ["gadgets/{id}", "parts/{part}"]
    assert unknown["/api/v1/runs/{id}"] == []
    assert Operation(method="GET", path="/x", needs="viewer").of_tenant is False
