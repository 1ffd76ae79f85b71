"""Money: the ledger against the journal, and its entries against the price list."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from proctor.core import Micros, PriceUnknown, Usage, format_usd
from proctor.inspection._history import History
from proctor.inspection._values import Finding, Period, Rules
from proctor.ledger import ledger_entries, reconcile_ledger

PAGE = 1000


def check_ledger(connection: Connection) -> Iterator[Finding]:
    """The runs about whose cost ledger and journal don't agree."""
    for difference in reconcile_ledger(connection):
        yield Finding(
            kind="ledger",
            severity="critical",
            run_id=difference.run_id,
            thing=difference.run_id,
            text=str(difference),
        )


def check_prices(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Entries of answered requests that don't cost what the price list says.

    Only those that were made since their deployment has been configured as it is: others had another price.
    """
    entries, history = ledger_entries.c, History(connection)
    since: dict[str, datetime] = {}
    query = (
        select(ledger_entries)
        .where(entries.kind == "model", entries.outcome == "ok")
        .where(entries.at >= period.since, entries.at < period.until)
        .order_by(entries.at)
    )
    with connection.execute(query, execution_options={"yield_per": PAGE}) as found:
        for row in found:
            if row.deployment not in since:
                since[row.deployment] = history.since(f"models.{row.deployment}")
            if row.at >= since[row.deployment]:
                yield from _judge(rules, row)


def _judge(rules: Rules, row: Row[Any]) -> Iterator[Finding]:
    usage = Usage(
        input=row.input_tokens,
        output=row.output_tokens,
        cached_input=row.cached_input_tokens,
        reasoning=row.reasoning_tokens,
        cache_write=row.cache_write_tokens,
    )
    right = _prices_of(rules, usage, row)
    if right and row.cost_micros not in right:
        said, due = format_usd(row.cost_micros), format_usd(right[0])
        yield Finding(
            kind="price",
            severity="critical",
            run_id=row.run_id,
            thing=row.id,
            text=f"entry {row.id} says {said} for {row.deployment}, and the price list says {due}",
        )


def _prices_of(rules: Rules, usage: Usage, row: Row[Any]) -> list[Micros]:
    """What a request may have cost: at once, or by its provider's batch. Nothing where no price is known."""
    found: list[Micros] = []
    ways: tuple[Literal["prompt", "batch"], ...] = ("prompt", "batch")
    for way in ways if row.deployment in rules.batched else ways[:1]:
        with suppress(PriceUnknown):
            price = rules.prices.price_of(usage, row.deployment, at=row.at, model=row.model, way=way)
            found.append(price)
    return found
