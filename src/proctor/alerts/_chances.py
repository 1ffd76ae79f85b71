"""How likely a number is by chance: the negative binomial, which is Poisson with a rate that varies itself.

A count that arises at a rate with mean `mean`, where the rate's own variance is `spread` times its square,
is negative binomial of size `1 / spread`. Small numbers are judged by it exactly: no ratio of three to one is
taken for news where it is four errors instead of one.
"""

import math

LARGE = 2_000
"""Counts from which the logarithm of the ratio is taken as normal: exact sums would be long."""

_ENOUGH = 1e-9
_LEAST_LOG = -700.0
"""Below it an exponential is zero."""


def at_least(count: float, mean: float, spread: float) -> float:
    """The chance of so many or more; 1 where they are no more than usual."""
    if count <= mean:
        return 1.0
    if count >= LARGE:
        return _normal_tail(count, mean, spread)
    return _sum(math.ceil(count), mean, spread, 1)


def at_most(count: float, mean: float, spread: float) -> float:
    """The chance of so many or fewer; 1 where they are no fewer than usual."""
    if count >= mean:
        return 1.0
    if mean >= LARGE:
        return _normal_tail(max(count, 0.5), mean, spread)
    return _sum(math.floor(count), mean, spread, -1)


def _sum(count: int, mean: float, spread: float, step: int) -> float:
    size = 1 / max(spread, 1e-9)
    more = mean / (size + mean)
    log = (
        math.lgamma(count + size)
        - math.lgamma(size)
        - math.lgamma(count + 1)
        - size * math.log1p(mean / size)
        + count * math.log(more)
        if mean > 0
        else -math.inf
    )
    term = math.exp(log) if log > _LEAST_LOG else 0.0
    total = 0.0
    while term > total * _ENOUGH and count >= 0:
        total += term
        if step > 0:
            term *= (count + size) / (count + 1) * more
        elif count > 0:
            term *= count / ((count - 1 + size) * more)
        count += step
    return min(total, 1.0)


def _normal_tail(count: float, mean: float, spread: float) -> float:
    deviation = math.sqrt(spread + 1 / mean)
    return 0.5 * math.erfc(abs(math.log(count / mean)) / deviation / math.sqrt(2))
