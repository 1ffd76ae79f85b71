"""What all processes of a database share, read for whoever scrapes one of them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from proctor import approvals, ledger, runs
from proctor.core import BudgetRule, Clock, ConfigurationError
from proctor.engine import Worker, Workers
from proctor.store import Database
from proctor.telemetry import BudgetStanding, SharedState

WORKER_STATES = ("working", "stopping", "silent")


async def read_shared(
    database: Database,
    workers: Workers,
    *,
    clock: Clock,
    teams: Collection[str],
    budgets: Mapping[str, BudgetRule],
) -> SharedState:
    """The shared state as it stands now; `budgets` are those of the configuration.

    Raises:
        DatabaseUnavailable: the database is away.
    """
    seen, now = await workers.page(), clock.now()
    states = Counter(_state(worker, now) for worker in seen)
    counts = {state: states[state] for state in WORKER_STATES}

    def read(connection: Connection) -> SharedState:
        under_way, questions = runs.backlog(connection, now), approvals.undecided(connection)
        open_runs: dict[tuple[str, ...], int] = {
            (team, state): 0 for team in teams for state in runs.GOING_ON
        }
        none = dict.fromkeys(teams, 0)
        queued = {one.team: one.waited.total_seconds() for one in under_way if one.state == "queued"}
        return SharedState(
            runs=open_runs | {(one.team, one.state): one.count for one in under_way},
            queued_seconds=none | queued,
            approvals=none | {one.team: one.count for one in questions},
            approval_seconds=none | {one.team: (now - one.since).total_seconds() for one in questions},
            budgets=tuple(_standings(connection, budgets, now)),
            workers=counts,
        )

    return await database.read(read)


def _state(worker: Worker, now: datetime) -> str:
    if not worker.alive(now):
        return "silent"
    return "stopping" if worker.stopping else "working"


def _standings(
    connection: Connection, configured: Mapping[str, BudgetRule], now: datetime
) -> Iterator[BudgetStanding]:
    rules = dict(configured)
    with suppress(ConfigurationError):  # whoever executes runs says that it can't be read
        rules |= ledger.stored_budgets(connection)
    for name, rule in sorted(rules.items()):
        (balance,) = ledger.balances(connection, ledger.make_budget(name, rule), at=now, limit=1)
        yield BudgetStanding(
            name=name,
            limit=balance.limit,
            spent=balance.spent,
            set_aside=balance.set_aside,
            lost=balance.lost,
        )
