"""How likely a number is by chance: exactly where it is small, so that four instead of one are no news.

A count that arises at a rate with mean `mean`, where the rate's own variance is `spread` times its square,
is negative binomial of size `1 / spread`. A count out of `of` is beta-binomial, with a share of the same mean
and variance: six slow calls of six say more than six in a time that could have held any number.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

Ratio: TypeAlias = Callable[[int], float]
"""How much likelier one more is than so many."""

LARGE = 2_000
"""Counts from which the logarithm of the ratio is taken as normal: exact sums would be long."""

_ENOUGH = 1e-9
_LEAST_SPREAD = 1e-9
_LEAST_LOG = -700.0
"""Below it an exponential is zero."""


def at_least(count: float, mean: float, spread: float, of: float = math.inf) -> float:
    """The chance of so many or more, out of `of`; 1 where they are no more than usual.

    None of the numbers is below 0. `of` is all that could be counted, so that `count` is no more and `mean`
    is less; it is infinite for a rate. Of other numbers the answer means nothing, if there is one.
    """
    if count <= mean:
        return 1.0
    if count >= LARGE and mean > 0:
        return _normal_tail(count, mean, spread, of)
    return _sum(math.ceil(min(count, of)), mean, spread, of, 1)


def at_most(count: float, mean: float, spread: float, of: float = math.inf) -> float:
    """The chance of so many or fewer, out of `of`; 1 where they are no fewer than usual.

    The numbers are such as `at_least` takes.
    """
    if count >= mean:
        return 1.0
    if mean >= LARGE:
        return _normal_tail(max(count, 0.5), mean, spread, of)
    return _sum(math.floor(count), mean, spread, of, -1)


def _sum(count: int, mean: float, spread: float, of: float, step: int) -> float:
    size = 1 / max(spread, _LEAST_SPREAD)
    log, ratio = _of_rate(count, mean, size) if math.isinf(of) else _of_share(count, mean, size, of)
    term = math.exp(log) if log > _LEAST_LOG else 0.0
    total = 0.0
    while term > total * _ENOUGH:
        total += term
        if step > 0:
            term *= ratio(count)
        else:
            term = term / ratio(count - 1) if count else 0.0
        count += step
    return min(total, 1.0)


def _of_rate(count: int, mean: float, size: float) -> tuple[float, Ratio]:
    """The logarithm of the chance of just so many."""
    if mean == 0:
        return -math.inf, lambda _: 0.0
    more = mean / (size + mean)
    log = (
        math.lgamma(count + size)
        - math.lgamma(size)
        - math.lgamma(count + 1)
        - size * math.log1p(mean / size)
        + count * math.log(more)
    )
    return log, lambda count: (count + size) / (count + 1) * more


def _of_share(count: int, mean: float, size: float, of: float) -> tuple[float, Ratio]:
    """The same out of `of`, which is more than 0."""
    share = min(mean / of, 1 - _ENOUGH)
    if share == 0:
        return -math.inf, lambda _: 0.0
    # Two shapes whose share has a variance of `share ** 2 / size`, as far as a share can vary.
    both = max((1 - share) / share * size - 1, 1.0)
    yes, no = both * share, both * (1 - share)
    ways = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
    log = ways + _log_beta(count + yes, of - count + no) - _log_beta(yes, no)

    def ratio(count: int) -> float:
        return (of - count) / (count + 1) * (count + yes) / (of - count - 1 + no) if count < of else 0.0

    return log, ratio


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)


def _normal_tail(count: float, mean: float, spread: float, of: float) -> float:
    deviation = math.sqrt(spread + (1 - mean / of) / mean)
    return 0.5 * math.erfc(abs(math.log(count / mean)) / deviation / math.sqrt(2))
