"""Who gets what of the server: every route, every role, and another tenant's things.

Routes and the roles that they take come from the server's own OpenAPI. A real server answers: two tenants
with real runs, threads, approvals and more; strangers, expired and revoked keys, and each role, of one tenant
and of the platform. Each calls every route, also with the other tenant's ids, in paths, queries, bodies and
headers. Promised are: all is refused that must be, nothing of the other tenant is told, and who may, gets
through (else it would prove nothing).

    uv run python -m benchmarks.security --json
    uv run python -m benchmarks.security            # as a table
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cyclopts import App
from rich.console import Console
from rich.table import Table as Shown

from benchmarks._security._table import Table, lines_of, walk
from benchmarks._security._world import open_world

app = App(name="benchmarks.security", help="Who gets what of the server.")


@app.default
def main(*, json: bool = False, database: str = "") -> None:
    """Prints the table.

    Parameters
    ----------
    json
        Print one JSON object.
    database
        An empty database; else a file that is thrown away.
    """
    began = time.perf_counter()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        table = asyncio.run(_walk(database or f"sqlite:///{Path(folder)}/proctor.db"))
    _print(table, time.perf_counter() - began, as_json=json)
    if table.complaints:
        sys.exit(1)


async def _walk(url: str) -> Table:
    async with open_world(url) as world:
        return await walk(world)


def _print(table: Table, seconds: float, *, as_json: bool) -> None:
    figures = {
        "routes": table.routes,
        "requests": table.requests,
        "must_refuse": table.must_refuse,
        "refused": table.refused,
        "seconds": round(seconds, 1),
        "ok": not table.complaints,
        "complaints": table.complaints,
    }
    if as_json:
        print(json.dumps({**figures, "table": table.rows}))
        return
    shown = Shown("route", "who gets what")
    for name, told in lines_of(table):
        shown.add_row(name, told)
    console = Console(highlight=False)
    console.print(shown)
    console.print({name: value for name, value in figures.items() if name != "complaints"})
    for complaint in table.complaints:
        console.print(f"- {complaint}", markup=False)


if __name__ == "__main__":
    app()
