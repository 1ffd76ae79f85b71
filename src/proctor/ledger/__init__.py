"""What calls cost: prices, the daily budget, and entries of what was spent. Knows no provider."""

from proctor.ledger._budget import DailyBudget, settle
from proctor.ledger._entries import LedgerRow, ledger_entries, model_entry, tool_entry, utc_day
from proctor.ledger._prices import Prices
from proctor.ledger._sql import Dimension, Spending, record, spend_by, spent

__all__ = [
    "DailyBudget",
    "Dimension",
    "LedgerRow",
    "Prices",
    "Spending",
    "ledger_entries",
    "model_entry",
    "record",
    "settle",
    "spend_by",
    "spent",
    "tool_entry",
    "utc_day",
]
