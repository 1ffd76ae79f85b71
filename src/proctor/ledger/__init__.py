"""What calls cost: prices, budgets that can't be overspent, and entries of what was spent. Knows no model."""

from proctor.ledger._audit import Audit, Audited, Difference, last_audit, reconcile_ledger
from proctor.ledger._budgets import Budgets, Happening
from proctor.ledger._entries import ledger_entries, utc_day
from proctor.ledger._outlook import Balance, Forecast, Holding, balances, forecasts, holdings
from proctor.ledger._prices import Prices
from proctor.ledger._reconciler import Fate, Reconciler
from proctor.ledger._reports import (
    Dimension,
    Return,
    RunCost,
    Slice,
    Spending,
    cost_of_runs,
    spending,
    total,
)
from proctor.ledger._rules import Budget, Period, configured, make_budget
from proctor.ledger._settling import release_lost
from proctor.ledger._sql import Entry, enter
from proctor.ledger._storage import Kept, Storage
from proctor.ledger._stored import remove_budget, set_budget, stored_budgets

__all__ = [
    "Audit",
    "Audited",
    "Balance",
    "Budget",
    "Budgets",
    "Difference",
    "Dimension",
    "Entry",
    "Fate",
    "Forecast",
    "Happening",
    "Holding",
    "Kept",
    "Period",
    "Prices",
    "Reconciler",
    "Return",
    "RunCost",
    "Slice",
    "Spending",
    "Storage",
    "balances",
    "configured",
    "cost_of_runs",
    "enter",
    "forecasts",
    "holdings",
    "last_audit",
    "ledger_entries",
    "make_budget",
    "reconcile_ledger",
    "release_lost",
    "remove_budget",
    "set_budget",
    "spending",
    "stored_budgets",
    "total",
    "utc_day",
]
