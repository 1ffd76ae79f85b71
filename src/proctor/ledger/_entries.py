"""One entry for each request that was sent, written in the transaction that records its call's outcome."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypedDict

from sqlalchemy import BigInteger, Column, Index, String, Table

from proctor.core import Micros, ModelResult, Payer, ToolCall, Usage, new_id
from proctor.store import UtcDateTime, metadata

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("day", String(10), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("agent", String(255), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("deployment", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("tool", String(255), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_micros", BigInteger, nullable=False),
    Column("tenant", String(64), nullable=False, server_default="default"),
    Column("requester", String(200), nullable=False, server_default=""),
    Column("thread_id", String(40), nullable=False, server_default=""),
    Column("outcome", String(40), nullable=False, server_default="ok"),
    Column("worker", String(100), nullable=False, server_default=""),
    Column("cache_write_tokens", BigInteger, nullable=False, server_default="0"),
    Column("saved_micros", BigInteger, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Index("ix_ledger_entries_day", "day"),
    Index("ix_ledger_entries_at", "at"),
    Index("ix_ledger_entries_run_id", "run_id"),
)


class LedgerRow(TypedDict):
    """A row of `ledger_entries`, ready to insert."""

    id: str
    at: datetime
    """When the money was set aside: it counts in the periods of that instant."""
    day: str
    """The UTC date, `2026-01-31`."""
    run_id: str
    team: str
    agent: str
    kind: Literal["model", "tool"]
    deployment: str
    model: str
    tool: str
    """`server.tool` for a tool call, else empty."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_micros: Micros
    tenant: str
    requester: str
    thread_id: str
    outcome: str
    """`ok`, `cached`, or the code of the error that it ended with."""
    worker: str
    cache_write_tokens: int
    saved_micros: Micros
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What every entry says beside what was paid for."""

    payer: Payer
    at: datetime
    worker: str = ""
    """Whose piece it was paid from; nobody's, where it had been set aside under the name of a request."""


def utc_day(at: datetime) -> str:
    """The UTC date of an instant, as days are named in the ledger."""
    return at.astimezone(UTC).isoformat()[:10]


def model_entry(origin: Origin, result: ModelResult, *, outcome: str = "ok") -> LedgerRow:
    """The entry of a request that was answered, or of an answer that was given again."""
    usage = Usage() if result.cached else result.usage
    return request_entry(
        origin,
        deployment=result.deployment,
        model=result.model,
        usage=usage,
        cost=result.cost,
        outcome=outcome,
        saved=result.saved,
    )


def request_entry(
    origin: Origin,
    *,
    deployment: str,
    model: str,
    usage: Usage,
    cost: Micros,
    outcome: str,
    saved: Micros = 0,
) -> LedgerRow:
    """The entry of a request to a model."""
    row = _row(origin, "model", outcome, cost)
    row["deployment"] = deployment
    row["model"] = model
    row["input_tokens"] = usage.input
    row["output_tokens"] = usage.output
    row["cached_input_tokens"] = usage.cached_input
    row["reasoning_tokens"] = usage.reasoning
    row["cache_write_tokens"] = usage.cache_write
    row["saved_micros"] = saved
    return row


def tool_entry(origin: Origin, call: ToolCall, *, cost: Micros, outcome: str, size: int) -> LedgerRow:
    """The entry of a tool call that cost something; `size` are the bytes of its result."""
    row = _row(origin, "tool", outcome, cost)
    return {**row, "tool": f"{call.tool.server}.{call.tool.name}", "bytes": size}


def _row(origin: Origin, kind: Literal["model", "tool"], outcome: str, cost: Micros) -> LedgerRow:
    payer = origin.payer
    return {
        "id": new_id("led"),
        "at": origin.at,
        "day": utc_day(origin.at),
        "run_id": payer.run_id,
        "team": payer.team,
        "agent": payer.agent,
        "kind": kind,
        "deployment": "",
        "model": "",
        "tool": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_micros": cost,
        "tenant": payer.tenant,
        "requester": payer.requester,
        "thread_id": payer.thread,
        "outcome": outcome,
        "worker": origin.worker,
        "cache_write_tokens": 0,
        "saved_micros": 0,
        "bytes": 0,
    }
