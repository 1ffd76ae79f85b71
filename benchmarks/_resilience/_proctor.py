"""Proctor as it comes: the same team on a deployment with its default retries, and another that stands in."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import func, select

import proctor
from benchmarks._resilience._contender import run_all
from benchmarks._resilience._workload import (
    MODES,
    PRIMARY,
    REQUEST_SECONDS,
    STANDBY,
    build,
    order_status,
    task_of,
)
from benchmarks._scale._serving import obey
from proctor.ledger import ledger_entries
from proctor.runs import events

TOLD = ("model.retried", "model.fell_back", "run.rescheduled")


def make_app() -> proctor.App:
    """The team, once for each mode."""
    app = proctor.App()
    app.tool(effect="read_only")(order_status)
    for mode in MODES:

        def factory(ctx: proctor.TeamContext, mode: str = mode) -> RoundRobinGroupChat:
            return build(mode, ctx.model(PRIMARY), {"workbench": ctx.tools("order_status")})

        app.team(mode, tools=["order_status"])(factory)
    return app


def settings_of(url: str, folder: Path) -> proctor.Settings:
    """Two deployments at one provider, and a database in a folder."""
    price = {"input": "0.25", "output": "2"}
    deployment = {"base_url": url, "api_key": "none", "price": price, "timeout": REQUEST_SECONDS}
    return proctor.Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / 'proctor.db'}"},
            "models": {
                PRIMARY: {**deployment, "model": PRIMARY, "fallback": [STANDBY]},
                STANDBY: {**deployment, "model": STANDBY},
            },
        }
    )


class Books:
    """What the database holds of the runs."""

    def __init__(self, running: proctor.Proctor) -> None:
        self._running = running

    async def read(self) -> dict[str, Any]:
        """The requests that the ledger shows, by deployment and by how they ended; and what happened."""
        entries, kinds = ledger_entries.c, events.c
        requests = (
            select(entries.deployment, entries.outcome, func.count())
            .where(entries.kind == "model", entries.outcome != "cached")
            .group_by(entries.deployment, entries.outcome)
        )
        happened = (
            select(kinds.type, func.count().label("count")).where(kinds.type.in_(TOLD)).group_by(kinds.type)
        )
        rows = await self._running.database.read(lambda connection: connection.execute(requests).all())
        told = await self._running.database.read(lambda connection: connection.execute(happened).all())
        by_deployment: Counter[str] = Counter()
        by_outcome: Counter[str] = Counter()
        for deployment, outcome, count in rows:
            by_deployment[deployment] += count
            by_outcome[outcome] += count
        return {
            "requests": dict(by_deployment),
            "outcomes": dict(by_outcome),
            "events": {row.type: row.count for row in told},
        }


async def _main(url: str, folder: Path) -> None:
    async with proctor.open(make_app(), settings=settings_of(url, folder), environ={}) as running:

        async def run(mode: str, number: int) -> str:
            run = await running.run(mode, task_of(number))
            if run.state != "completed":
                raise RuntimeError(f"{run.state}: {run.error_code}: {run.error}")
            return run.result or ""

        async def burst(mode: str, runs: int, beside: int) -> dict[str, Any]:
            return await run_all(run, mode=mode, runs=runs, beside=beside)

        await obey({"burst": burst, "books": Books(running).read})


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
