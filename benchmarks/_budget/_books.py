"""What the ledger, the journal and the accounts say, to be held against the provider's own books."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from benchmarks._budget._workload import order_of, team_of
from proctor.ledger import reconcile_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What Proctor's database holds."""

    models: Mapping[int, int]
    """What requests to models cost, by order."""
    tools: Mapping[int, int]
    """What calls of tools cost, by order."""
    requests: int
    """Requests to models that the ledger holds."""
    states: Mapping[str, int]
    refusals: Mapping[str, int]
    """Runs that a budget stopped, by budget."""
    accounts: tuple[Mapping[str, Any], ...]
    pieces: int
    differences: int
    """Runs of which ledger and journal say different things."""


def read(connection: Connection) -> Books:
    """The books as they stand."""
    entries = connection.execute(
        text(
            "SELECT r.task, e.kind, sum(e.cost_micros), count(*) FROM ledger_entries e "
            "JOIN runs r ON r.id = e.run_id GROUP BY r.task, e.kind"
        )
    ).all()
    refused = connection.execute(
        text("SELECT e.run_id, e.data FROM events e WHERE e.type = 'budget.refused'")
    ).all()
    budgets = {(run_id, data.partition('"budget":"')[2].partition('"')[0]) for run_id, data in refused}
    states = connection.execute(text("SELECT state, count(*) FROM runs GROUP BY state")).all()
    return Books(
        models={order_of(task): int(cost) for task, kind, cost, _ in entries if kind == "model"},
        tools={order_of(task): int(cost) for task, kind, cost, _ in entries if kind == "tool"},
        requests=sum(count for _, kind, _, count in entries if kind == "model"),
        states={str(state): int(count) for state, count in states},
        refusals=Counter(budget for _, budget in budgets),
        accounts=tuple(map(dict, connection.execute(text("SELECT * FROM budget_accounts")).mappings())),
        pieces=connection.execute(text("SELECT count(*) FROM budget_pieces")).scalar_one(),
        differences=len(reconcile_ledger(connection)),
    )


def open_runs(connection: Connection) -> int:
    """Runs that have not come to an end."""
    query = text(
        "SELECT count(*) FROM runs WHERE state NOT IN ('completed', 'failed', 'cancelled', 'refused')"
    )
    return int(connection.execute(query).scalar_one())


def failed_runs(connection: Connection) -> list[str]:
    """Runs that a budget stopped, or that failed otherwise."""
    return list(connection.scalars(text("SELECT id FROM runs WHERE state = 'failed' ORDER BY id")))


def overspent(
    bills: Mapping[int, int], books: Books, limits: Mapping[str, int], *, first: int
) -> dict[str, int]:
    """Micro-dollars beyond each limit: by the provider's own bills, and what tools cost.

    Of runs, all of whose excess is added up, from the `first` order on that was started under their budget.
    """
    whole: Counter[int] = Counter(bills)
    whole.update(books.tools)
    by_team: Counter[str] = Counter()
    for order, amount in whole.items():
        by_team[team_of(order)] += amount
    lab = [amount for order, amount in whole.items() if team_of(order) == "lab" and order >= first]
    return {
        "all": max(0, sum(whole.values()) - limits["all"]),
        "shop": max(0, by_team["shop"] - limits["shop"]),
        "lab_runs": sum(max(0, amount - limits["lab_runs"]) for amount in lab),
    }


def entered(books: Books) -> dict[tuple[str, str], int]:
    """What the ledger holds for each account."""
    whole: Counter[int] = Counter(books.models)
    whole.update(books.tools)
    shop = sum(amount for order, amount in whole.items() if team_of(order) == "shop")
    total = sum(whole.values())
    return {("daily", ""): total, ("all", ""): total, ("shop", "shop"): shop}
