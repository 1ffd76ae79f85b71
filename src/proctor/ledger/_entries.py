"""One entry for each call that was paid for, written in the transaction that records the call's outcome."""

from datetime import UTC, datetime
from typing import Literal, TypedDict

from sqlalchemy import BigInteger, Column, Index, String, Table

from proctor.core import Micros, ModelCall, ModelResult, ToolCall, ToolResult
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


def utc_day(at: datetime) -> str:
    """The UTC date of an instant, as days are named in the ledger."""
    return at.astimezone(UTC).date().isoformat()


def model_entry(call: ModelCall, result: ModelResult, *, id: str, at: datetime) -> LedgerRow:
    """The entry of a model call that was answered."""
    return LedgerRow(
        id=id,
        at=at,
        day=utc_day(at),
        run_id=call.scope.run_id,
        team=call.scope.team,
        agent=call.scope.agent,
        kind="model",
        deployment=result.deployment,
        model=result.model,
        tool="",
        input_tokens=result.usage.input,
        output_tokens=result.usage.output,
        cached_input_tokens=result.usage.cached_input,
        reasoning_tokens=result.usage.reasoning,
        cost_micros=result.cost,
    )


def tool_entry(call: ToolCall, result: ToolResult, *, id: str, at: datetime) -> LedgerRow:
    """The entry of a tool call that cost something."""
    return LedgerRow(
        id=id,
        at=at,
        day=utc_day(at),
        run_id=call.scope.run_id,
        team=call.scope.team,
        agent=call.scope.agent,
        kind="tool",
        deployment="",
        model="",
        tool=f"{call.tool.server}.{call.tool.name}",
        input_tokens=0,
        output_tokens=0,
        cached_input_tokens=0,
        reasoning_tokens=0,
        cost_micros=result.cost,
    )
