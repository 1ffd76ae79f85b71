"""What a token of each kind costs, as whole numbers: sums are exact, and rounded once."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeAlias

from proctor.core import LongContextSettings, Micros, PriceSettings, RateSettings, Usage

Way: TypeAlias = Literal["prompt", "batch"]
"""Whether an answer comes at once, or by the provider's batch interface."""

SCALE = 10**9
"""Rates are billionths of a micro-dollar for a token."""

WHOLE = 10**6
"""A share of 1, in millionths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Billionths of a micro-dollar for a token of each kind."""

    input: int
    cached_input: int
    cache_write: int
    output: int
    reasoning: int
    request: int = 0
    """For the request itself, whatever it holds."""

    def total(self, usage: Usage) -> int:
        """What the tokens cost. Of counts that contradict each other the dearer reading holds."""
        cached = min(usage.cached_input, usage.input)
        written = min(usage.cache_write, usage.input - cached)
        reasoning = min(usage.reasoning, usage.output)
        return (
            (usage.input - cached - written) * self.input
            + cached * self.cached_input
            + written * self.cache_write
            + (usage.output - reasoning) * self.output
            + reasoning * self.reasoning
            + self.request
        )

    def most(self, input: int, output: int) -> int:
        """What so many tokens cost at most, of whatever kind they are."""
        prompt = max(self.input, self.cached_input, self.cache_write)
        return input * prompt + output * max(self.output, self.reasoning) + self.request


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The rates of a deployment at one time."""

    base: Rates
    long: tuple[tuple[int, Rates], ...] = ()
    """The rates of a whole request whose prompt is longer than so many tokens, shortest first."""
    batch: int = WHOLE
    """Of the price, in millionths, for what comes by the provider's batch interface."""

    def cost(self, usage: Usage, *, way: Way = "prompt") -> Micros:
        """Micro-dollars, rounded half up."""
        rates = self.base
        for above, longer in self.long:
            if usage.input > above:
                rates = longer
        return self._rounded(rates.total(usage), way)

    def most(self, input: int, output: int, *, way: Way = "prompt") -> Micros:
        """Micro-dollars that a request costs at most which has no more tokens than these."""
        most = self.base.most(input, output)
        for above, longer in self.long:
            if input > above:
                most = max(most, longer.most(input, output))
        return self._rounded(most, way)

    def _rounded(self, total: int, way: Way) -> Micros:
        share = self.batch if way == "batch" else WHOLE
        return (2 * total * share + SCALE * WHOLE) // (2 * SCALE * WHOLE)


def own_tariff(price: PriceSettings) -> Tariff:
    """The tariff that a deployment's configuration gives."""
    return Tariff(
        base=_own_rates(price),
        long=tuple(_own_tiers(price)),
        batch=int((Decimal(str(price.batch)) * WHOLE).to_integral_value(ROUND_HALF_UP)),
    )


def _own_tiers(price: PriceSettings) -> Iterator[tuple[int, Rates]]:
    def length(tier: LongContextSettings) -> int:
        return tier.above

    for tier in sorted(price.long, key=length):
        yield tier.above, _own_rates(tier)


def _own_rates(rates: RateSettings) -> Rates:
    return make_rates(
        input=rates.input,
        output=rates.output,
        cached_input=rates.cached_input,
        cache_write=rates.cache_write,
        reasoning=rates.reasoning,
    )


def make_rates(
    *,
    input: Decimal,
    output: Decimal,
    cached_input: Decimal | None = None,
    cache_write: Decimal | None = None,
    reasoning: Decimal | None = None,
    request: Decimal = Decimal(0),
) -> Rates:
    """Rates from dollars for a million tokens, which are micro-dollars for one; `request` is in dollars.

    What is absent costs as the kind that holds it.
    """
    return Rates(
        input=_scaled(input),
        cached_input=_scaled(input if cached_input is None else cached_input),
        cache_write=_scaled(input if cache_write is None else cache_write),
        output=_scaled(output),
        reasoning=_scaled(output if reasoning is None else reasoning),
        request=_scaled(request * 10**6),
    )


def _scaled(micros: Decimal) -> int:
    return int((micros * SCALE).to_integral_value(ROUND_HALF_UP))
