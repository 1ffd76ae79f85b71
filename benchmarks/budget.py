"""Budgets that can't be overspent: many workers, parallel calls, and processes that are killed.

Worker processes share one PostgreSQL and Temporal's development server. A provider, a process of its own,
keeps its own books of what it bills. Prices are random; tools, called two at a time, cost by call and second.
A rehearsal tells what runs cost; then budgets are set that are too small for all runs together, for one team,
and for many a run of another team. Workers begin anew, and are killed and replaced. Promised are, to the
micro-dollar:

- by the provider's own bills no budget is overspent;
- once budgets are raised, and the runs that were stopped have gone on to their end, the ledger holds for
  every run what the journal does and what the provider has billed, and what was taken of every account is
  what was spent of it.

With `--repeats billed` the provider bills also what is repeated after a worker was killed: then its bill is
no more than what the ledger holds and what is kept as lost, and no budget of teams or of all is overspent.

    uv run python -m benchmarks.budget --json                                      # some eight minutes
    uv run python -m benchmarks.budget --runs 120 --workers 3 --kills 2 --json
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

import proctor
from benchmarks._budget import _books as books
from benchmarks._budget._site import BOUND, Crew, Site, crew_of
from benchmarks._budget._teams import PLACE
from benchmarks._budget._teams import app as teams
from benchmarks._budget._workload import task, team_of
from benchmarks._overhead._children import Child, start
from benchmarks._overhead._environments import CACHE
from benchmarks._replay._report import finish
from benchmarks._scale._consumed import until
from benchmarks._servers import running_postgres, running_temporal
from proctor.core import BudgetRule, ModelCall, SystemClock
from proctor.ledger import Budgets, Fate, Prices, Reconciler, configured, set_budget
from proctor.testing import FakeScope

Repeats = Literal["free", "billed"]

REHEARSED = 24
"""Runs that tell what runs cost."""
OF_ALL, OF_SHOP, OF_RUN = 0.25, 0.05, 0.6
"""Of what the work would cost, what may be spent: by all, by one team, by a run of another.

The team is stopped long before all have spent theirs, and what the other two then may still spend is far more
than all have: whatever the prices are, and however much dearer the rehearsal was than the work, each is met.
"""
PLENTY = Decimal(1000)
SEEN = 3.0
"""Seconds in which workers see that budgets were raised; one that doesn't stops its runs once more, and they
are resumed again."""

app = App(name="benchmarks.budget", help="Budgets that can't be overspent, by workers that are killed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is done."""

    runs: int
    workers: int
    kills: int
    concurrency: int
    seed: int
    repeats: Repeats


@app.default
def main(
    *,
    runs: Annotated[int, Parameter(help="Runs, beside those of the rehearsal.")] = 2_000,
    workers: Annotated[int, Parameter(help="Worker processes.")] = 8,
    kills: Annotated[int, Parameter(help="Workers that are killed and replaced.")] = 12,
    concurrency: Annotated[int, Parameter(help="Runs at a time in each process.")] = 12,
    seed: Annotated[int, Parameter(help="Of prices and kills.")] = 4,
    repeats: Annotated[Repeats, Parameter(help="Whether the provider bills repeated requests.")] = "free",
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Spend from many processes at once, and compare the books."""
    sizes = Sizes(
        runs=runs, workers=workers, kills=kills, concurrency=concurrency, seed=seed, repeats=repeats
    )
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        temporal = stack.enter_context(running_temporal())
        database = postgres.create_database()
        folder = Path(stack.enter_context(TemporaryDirectory(dir=CACHE)))
        figures = asyncio.run(_measure(sizes, folder, database, temporal.address))
    finish(figures, as_json=as_json)


async def _measure(sizes: Sizes, folder: Path, database: str, temporal: str) -> dict[str, Any]:
    here = Path(sys.executable)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            start(here, "benchmarks._budget._provider", str(sizes.seed), sizes.repeats, shares=True)
        )
        tools = await stack.enter_async_context(start(here, "benchmarks._budget._tools", shares=True))
        site = Site(
            provider=(await provider.hear())["url"],
            tools=(await tools.hear())["url"],
            database=database,
            temporal=temporal,
            seed=sizes.seed,
            repeats=sizes.repeats,
            concurrency=sizes.concurrency,
        )
        config = site.write(folder)
        settings = proctor.load_settings(config, environ={}).settings
        running = await stack.enter_async_context(
            proctor.open(teams, settings=settings, target=PLACE, executes=False, environ={})
        )
        async with crew_of(config, running, Random(sizes.seed)) as crew:
            await crew.add(sizes.workers)
            await crew.alive()
            return await Stage(sizes, running, crew, provider).play()


class Stage:
    """One benchmark, from its rehearsal to the comparison of the books."""

    def __init__(self, sizes: Sizes, running: proctor.Proctor, crew: Crew, provider: Child) -> None:
        self._sizes = sizes
        self._running = running
        self._crew = crew
        self._provider = provider
        self._began = time.monotonic()

    async def play(self) -> dict[str, Any]:
        """What is printed."""
        await self._start(range(REHEARSED))
        await self._ended()
        limits = await self._set_limits()
        await self._crew.renew()  # who begins now knows the budgets, however busy the machine is
        self._say("budgets are set", **limits)
        striking = asyncio.create_task(self._strike())
        await self._start(range(REHEARSED, REHEARSED + self._sizes.runs))
        await self._ended()
        striking.cancel()
        tight, bills = await self._books(), await self._bills()
        self._say("all runs have ended", **tight.states)
        over = books.overspent(bills, tight, limits, first=REHEARSED)
        if self._sizes.repeats == "free":
            await self._go_on()
        await self._crew.end()
        await self._reconcile()
        return self._figures(limits, over, tight, await self._books(), bills=await self._bills())

    async def _start(self, numbers: Collection[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(self._running.start(team_of(number), task(number)))

    async def _ended(self) -> None:
        async def ended() -> bool:
            return not await self._running.database.read(books.open_runs)

        await until(ended, seconds=BOUND)

    async def _strike(self) -> None:
        """Kills workers while there is work, one after the other."""
        for number in range(self._sizes.kills):
            mark = self._sizes.runs * (1 - (number + 1) / (self._sizes.kills + 1))

            async def reached(mark: float = mark) -> bool:
                return 0 < await self._running.database.read(books.open_runs) <= mark

            await until(reached, seconds=BOUND)
            await self._crew.strike()
            self._say("a worker was killed", runs_left=round(mark))

    async def _set_limits(self) -> dict[str, int]:
        """Budgets for the work that is to come, by what the rehearsal cost."""
        found, bills = await self._books(), await self._bills()
        whole = {order: bill + found.tools.get(order, 0) for order, bill in bills.items()}
        share = self._sizes.runs / len(whole)
        shop = sum(cost for order, cost in whole.items() if team_of(order) == "shop")
        lab = sorted(cost for order, cost in whole.items() if team_of(order) == "lab")
        need = await self._least_of_a_call()
        limits = {
            "all": round(sum(whole.values()) * (1 + share * OF_ALL)) + need,
            "shop": round(shop * (1 + share * OF_SHOP)) + need,
            "lab_runs": round(lab[len(lab) // 2] * OF_RUN) + need,
        }
        await self._set(
            all=BudgetRule(usd=_usd(limits["all"])),
            shop=BudgetRule(usd=_usd(limits["shop"]), scope="team", of="shop"),
            lab_runs=BudgetRule(usd=_usd(limits["lab_runs"]), scope="run", period="run", team="lab"),
        )
        return limits

    async def _least_of_a_call(self) -> int:
        """What is set aside for a call of the cheapest model: no budget is smaller.

        Dearer ones then are refused by what a run may spend from the start, whatever the answers cost.
        """
        prices, at = Prices(self._running.settings.models), datetime.now(UTC)
        aside = []
        for run in await self._running.runs.page(limit=REHEARSED):
            calls = await self._running.runs.calls(run.id)
            made: list[Any] = [call.request for call in calls if call.key.kind == "model"]
            aside.append(
                max(prices.bound_of(ModelCall(scope=FakeScope(), **request), at=at) for request in made)
            )
        return min(aside)

    async def _go_on(self) -> None:
        """Raises the budgets, and lets the runs that were stopped go on to their end."""
        await self._set(
            all=BudgetRule(usd=PLENTY),
            shop=BudgetRule(usd=PLENTY, scope="team", of="shop"),
            lab_runs=BudgetRule(usd=PLENTY, scope="run", period="run", team="lab"),
        )
        await asyncio.sleep(SEEN)
        while failed := await self._running.database.read(books.failed_runs):
            for run_id in failed:
                await self._running.resume(run_id)
            await self._ended()
        self._say("the runs that were stopped have gone on")

    async def _set(self, **rules: BudgetRule) -> None:
        at = datetime.now(UTC)
        for name, rule in rules.items():
            await self._running.database.commit(
                partial(set_budget, name=name, rule=rule, at=at, by="benchmark")
            )

    async def _reconcile(self) -> None:
        """Settles for all workers: none of them is left."""

        async def all_gone(workers: Collection[str]) -> Collection[str]:
            return workers

        async def fate(_worker: str) -> Fate:
            return "completed" if self._sizes.repeats == "free" else "ended"

        settings, database = self._running.settings, self._running.database
        prices = Prices(settings.models)
        mender = Budgets(
            configured(settings.budget, settings.budgets, settings.teams),
            prices=prices,
            database=database,
            worker="mender",
            clock=SystemClock(),
            piece=settings.budget.piece,
            tools=settings.tools,
            cheaper=lambda _: None,
            listener=lambda *_: None,
        )
        await mender.look()
        await Reconciler(
            mender,
            database,
            clock=SystemClock(),
            gone=all_gone,
            fate=fate,
            gives_back=prices.repeats_are_free,
            young=timedelta(0),
        ).work()

    async def _books(self) -> books.Books:
        return await self._running.database.read(books.read)

    async def _bills(self) -> dict[int, int]:
        told = await self._provider.tell(do="bills")
        self._requests = {name: told.get(name, 0) for name in ("requests", "busy", "repeated")}
        return {int(order): amount for order, amount in told["bills"].items()}

    def _figures(
        self,
        limits: dict[str, int],
        over: dict[str, int],
        tight: books.Books,
        final: books.Books,
        *,
        bills: dict[int, int],
    ) -> dict[str, Any]:
        entered = books.entered(final)
        accounts = {
            (row["budget"], row["subject"]): row
            for row in final.accounts
            if not row["subject"].startswith("run_")
        }
        lost = {key: row["lost"] for key, row in accounts.items()}
        disagree = {
            "/".join(key): (row["taken"] - row["lost"], entered.get(key))
            for key, row in accounts.items()
            if row["taken"] - row["lost"] != entered.get(key) or row["spent"] != entered.get(key)
        }
        misbilled = [order for order in bills if bills[order] != final.models.get(order, 0)]
        free = self._sizes.repeats == "free"
        whole = sum(bills.values()) + sum(final.tools.values())
        checks = {
            "every_limit_was_met": all(tight.refusals.get(name, 0) for name in limits),
            "workers_were_killed": self._crew.killed > 0 or not self._sizes.kills,
            "nothing_overspent": not any(
                amount for name, amount in over.items() if free or name != "lab_runs"
            ),
            "ledger_is_journal": final.differences == 0,
            "accounts_are_ledger": not disagree and final.pieces == 0,
        }
        if free:
            checks["ledger_is_bill"] = not misbilled
            checks["all_completed"] = set(final.states) == {"completed"}
            checks["nothing_lost"] = not any(lost.values())
        else:
            checks["bill_within_ledger_and_lost"] = whole <= entered["all", ""] + lost["all", ""]
        return {
            "benchmark": "budget",
            "ok": all(checks.values()),
            "checks": checks,
            "runs": self._sizes.runs,
            "workers": self._sizes.workers,
            "killed": self._crew.killed,
            "repeats": self._sizes.repeats,
            "limits_micros": limits,
            "overspent_micros": over,
            "stopped_runs": dict(tight.refusals),
            "states_under_budgets": dict(tight.states),
            "billed_micros": sum(bills.values()),
            "entered_micros": {"models": sum(final.models.values()), "tools": sum(final.tools.values())},
            "lost_micros": lost.get(("all", ""), 0),
            "misbilled_orders": len(misbilled),
            "accounts_that_disagree": disagree,
            "runs_that_disagree": final.differences,
            "requests": {"ledger": final.requests, **self._requests},
            "seconds": round(time.monotonic() - self._began, 1),
        }

    def _say(self, what: str, **more: Any) -> None:
        line = f"  {time.monotonic() - self._began:6.1f} s  {what} {json.dumps(more) if more else ''}"
        print(line, file=sys.stderr, flush=True)


def _usd(micros: int) -> Decimal:
    return Decimal(micros) / 1_000_000


if __name__ == "__main__":
    app()
