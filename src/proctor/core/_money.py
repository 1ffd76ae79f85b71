"""Money as integer micro-dollars: sums are exact, and a cent is never lost to rounding."""

from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias

Micros: TypeAlias = int
"""Millionths of a US dollar."""

MICROS_PER_USD = 1_000_000


def to_micros(usd: Decimal | int | str) -> Micros:
    """The micro-dollars of an amount in dollars, rounded half up."""
    return int((Decimal(usd) * MICROS_PER_USD).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def format_usd(micros: Micros) -> str:
    """An amount for people: `$0.0042`, with as many places as it needs and at least two."""
    text = f"{Decimal(micros) / MICROS_PER_USD:.6f}".rstrip("0")
    whole, _, places = text.partition(".")
    return f"${whole}.{places.ljust(2, '0')}"
