"""A line through points, and how sure its slope is."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean


def slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """The slope by least squares and its standard error; both infinite with fewer than three points.

    The error takes the points' deviations for independent of each other. Memory's aren't quite: the true
    error is somewhat larger.
    """
    count = len(xs)
    if count < 3:
        return float("inf"), float("inf")
    middle_x, middle_y = fmean(xs), fmean(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    rise = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread
    left = sum((y - middle_y - rise * (x - middle_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return rise, sqrt(left / (count - 2) / spread)
