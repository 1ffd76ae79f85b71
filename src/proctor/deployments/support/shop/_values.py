"""What the shop hands out besides its documents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PriceRule = Literal["own_variant", "last_variant"]
"""Whose price and options the replaced lines of a pending order take over: each its own new variant's, or
all of them the last one's. The second is wrong for a shop; it is how tau2-bench recorded its results, and
for comparing with them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One write that the shop has executed."""

    seq: int
    """Its place in the order of all writes of the tenant, from 1."""

    idempotency_key: str | None
    """The key that the caller sent, if any; no two effects share one."""

    tool: str
    """The tool that wrote."""

    arguments: str
    """Its arguments as canonical JSON: keys sorted, no spaces."""

    result: str
    """The answer given, and given again when the key is repeated."""

    at: datetime
    """When it was executed, in UTC."""
