"""Budgets that several processes share, on real databases."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from proctor.core import SystemClock, to_micros
from proctor.ledger import Prices, Reconciler, ledger_entries
from proctor.ledger._tables import budget_accounts, budget_pieces
from proctor.store import Database
from servers.budget_worker import DEPLOYMENTS, RULES, make_budgets

TESTS = Path(__file__).parents[1]
BOUND = 60
NEVER = 10**9


@asynccontextmanager
async def spender(url: str, worker: str, *, hang_after: int = NEVER):
    """A process that spends; it is killed where it doesn't end by itself."""
    program = [sys.executable, "-W", "ignore", "-m", "servers.budget_worker", url, worker, str(hang_after)]
    process = await asyncio.create_subprocess_exec(
        *program, cwd=TESTS, env=os.environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def spent_by(process) -> int:
    async with asyncio.timeout(BOUND):
        said, _ = await process.communicate()
    return json.loads(said.splitlines()[-1])["spent"]


class Books:
    """What the database says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, *, spent: int) -> None:
        """No account holds more than its limit; all agree with the ledger, and the ledger with `spent`."""
        entries, accounts, pieces = await self._database.read(self._look)
        assert sum(cost for *_, cost in entries) == spent
        assert pieces == 0
        for account in accounts:
            assert (
                account.taken
                == account.spent
                == sum(cost for team, user, cost in entries if self._counts(account, team, user))
            )
            assert account.taken <= to_micros(RULES[account.budget].usd)
        assert {account.budget for account in accounts} == set(RULES)

    @staticmethod
    def _counts(account, team: str, user: str) -> bool:
        return account.subject in {"all": ("",), "desk": (team,), "each": (user,)}[account.budget]

    @staticmethod
    def _look(connection):
        c = ledger_entries.c
        cost = func.sum(c.cost_micros)
        entries = connection.execute(select(c.team, c.requester, cost).group_by(c.team, c.requester)).all()
        return (
            [(team, user, int(total)) for team, user, total in entries],
            connection.execute(select(budget_accounts)).all(),
            connection.scalar(select(func.count()).select_from(budget_pieces)),
        )


async def test_processes_that_spend_at_once_never_overspend_any_account(database_url):
    async with await Database.open(database_url) as database:
        async with (
            spender(database_url, "one") as one,
            spender(database_url, "two") as two,
            spender(database_url, "three") as three,
        ):
            spent = sum(await asyncio.gather(*map(spent_by, (one, two, three))))
        await Books(database).check(spent=spent)
        assert to_micros(RULES["all"].usd) - spent < 1_000


async def test_what_a_killed_process_held_counts_until_it_is_reconciled(database_url):
    async with await Database.open(database_url) as database:
        async with spender(database_url, "killed", hang_after=40) as killed, asyncio.timeout(BOUND):
            assert (await killed.stdout.readline()).strip() == b"hangs"
            async with spender(database_url, "other") as other:
                while not await database.read(lambda c: c.scalar(select(func.count(ledger_entries.c.id)))):
                    await asyncio.sleep(0.05)
                killed.kill()
                await killed.wait()
                spent = await spent_by(other)
        entered = await database.read(lambda c: c.scalar(select(func.sum(ledger_entries.c.cost_micros))))
        taken = await database.read(_taken)
        assert spent < entered < taken <= to_micros(RULES["all"].usd)
        async with AsyncExitStack() as stack:
            # Several workers settle at once: each has found the dead one before another has settled for it.
            opening = [Database.open(database_url) for _ in range(6)]
            others = [await stack.enter_async_context(await each) for each in opening]
            await asyncio.gather(*(_reconciler(each).work() for each in others))
        await Books(database).check(spent=int(entered))


def _taken(connection) -> int:
    return int(connection.scalar(select(budget_accounts.c.taken).where(budget_accounts.c.budget == "all")))


def _reconciler(database: Database) -> Reconciler:
    async def gone(workers):
        return workers

    async def fate(_worker):
        return "completed"

    budgets = make_budgets(database, "mender")
    return Reconciler(
        budgets,
        database,
        clock=SystemClock(),
        gone=gone,
        fate=fate,
        gives_back=Prices(DEPLOYMENTS).repeats_are_free,
        young=timedelta(0),
    )
