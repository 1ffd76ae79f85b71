"""The command `proctor-store-mcp`: serves the shop, and makes and reads its tenants."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from proctor.deployments.support.shop._sample import make_sample
from proctor.deployments.support.shop._shop import KeyHandling, Shop
from proctor.deployments.support.shop._tenants import (
    create_tenant,
    export_database,
    load_database,
    read_effects,
)
from proctor.deployments.support.shop._values import PriceRule

app = App(name="proctor-store-mcp", help="A retail shop behind an MCP server.", version_flags=[])

_Root = Annotated[Path, Parameter(help="The folder that holds one database file a tenant.")]
_Tenant = Annotated[str, Parameter(help="The tenant's name: a-z, 0-9, '_' and '-'.")]


@app.default
def serve(
    *,
    root: _Root,
    http: Annotated[
        str | None, Parameter(help="Serve streamable HTTP at HOST:PORT/mcp instead of stdio.")
    ] = None,
    no_idempotency: Annotated[bool, Parameter(negative="", help="Look at no idempotency keys.")] = False,
) -> None:
    """Serve the shop's tools, over stdio unless told otherwise."""
    # Imported here: the MCP SDK takes longer to load than the other commands take to run.
    from proctor.deployments.support.shop import _server

    host, _, port = (http or "").rpartition(":")
    if http is not None and not (host and port.isdecimal()):
        sys.exit(f"proctor-store-mcp: --http takes HOST:PORT, such as 127.0.0.1:8931, and not '{http}'.")
    try:
        pause = _server.Pause.parse(os.environ.get("PROCTOR_STORE_PAUSE", ""))
    except ValueError as error:
        sys.exit(f"proctor-store-mcp: {error}")
    keys: KeyHandling = "ignored" if no_idempotency else "honoured"
    shop = Shop(root, keys=keys)
    server = _server.make_server(shop, pause=pause)
    try:
        asyncio.run(
            _server.serve_stdio(server) if http is None else _server.serve_http(server, host, int(port))
        )
    finally:
        shop.close()


@app.command
def load(
    *,
    root: _Root,
    tenant: _Tenant,
    source: Annotated[
        Path, Parameter(name="--from", help="A database file, or a folder with its three tables.")
    ],
    price_rule: Annotated[
        PriceRule,
        Parameter(help="Leave it, but for comparing with recorded results of tau2-bench: last_variant."),
    ] = "own_variant",
) -> None:
    """Make a tenant of JSON."""
    load_database(root, tenant, source, price_rule=price_rule)


@app.command
def sample(
    *,
    root: _Root,
    tenant: _Tenant = "default",
    seed: Annotated[int, Parameter(help="The same seed makes the same shop.")] = 7,
) -> None:
    """Make a tenant that is a made-up shop."""
    create_tenant(root, tenant, make_sample(seed))


@app.command
def export(*, root: _Root, tenant: _Tenant = "default") -> None:
    """Print all documents of a tenant as JSON."""
    print(json.dumps(export_database(root, tenant), ensure_ascii=False))  # noqa: T201 - the command's output


@app.command
def effects(
    *,
    root: _Root,
    tenant: _Tenant = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON list.")] = False,
) -> None:
    """Print every executed write of a tenant, in order."""
    done = [{**asdict(effect), "at": effect.at.isoformat()} for effect in read_effects(root, tenant)]
    if as_json:
        print(json.dumps(done, ensure_ascii=False))  # noqa: T201 - the command's output
        return
    for effect in done:
        print(effect["seq"], effect["at"], effect["tool"], effect["arguments"])  # noqa: T201 - as above
