"""Shares with the interval that so many texts allow, and what they are held against."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Measure = Literal["recall", "false_positives", "f1", "lost"]

_Z = 1.96


def interval(hits: float, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share = hits / of
    middle = (share + _Z * _Z / (2 * of)) / (1 + _Z * _Z / of)
    half = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of)) / (1 + _Z * _Z / of)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: a figure of one check on one set, and what was promised of it."""

    check: str
    on: str
    measure: Measure
    n: int
    value: float
    interval: tuple[float, float]
    target: float | None = None
    """The least recall or F1, the most of anything else; none for what is only told."""
    tuned: bool = False
    """Whether the set was used to train or tune the check."""

    @property
    def ok(self) -> bool | None:
        """Whether the promise is kept; none where there is none, or nothing was measured."""
        if self.target is None or not self.n:
            return None
        return self.value >= self.target if self.measure in ("recall", "f1") else self.value <= self.target

    def told(self) -> dict[str, Any]:
        """The line as JSON."""
        return {**asdict(self), "ok": self.ok}


def share(
    check: str,
    on: str,
    measure: Measure,
    hits: int,
    of: int,
    *,
    target: float | None = None,
    tuned: bool = False,
) -> Line:
    """A line of a share: so many of so many."""
    value = round(hits / of, 4) if of else 0.0
    return Line(
        check=check,
        on=on,
        measure=measure,
        n=of,
        value=value,
        interval=interval(hits, of),
        target=target,
        tuned=tuned,
    )


def f1(hits: int, missed: int, wrong: int) -> float:
    """The harmonic mean of recall and precision."""
    return round(2 * hits / (2 * hits + missed + wrong), 4) if hits else 0.0


def f1_line(
    check: str, on: str, counts: tuple[int, int, int], *, target: float | None = None, tuned: bool = False
) -> Line:
    """A line of an F1, by what was found, missed and found wrongly; its interval is that of such a share."""
    hits, missed, wrong = counts
    value = f1(hits, missed, wrong)
    of = hits + missed + wrong
    return Line(
        check=check,
        on=on,
        measure="f1",
        n=of,
        value=value,
        interval=interval(value * of, of),
        target=target,
        tuned=tuned,
    )


def percentile(values: list[float], part: float) -> float:
    """The value that so large a part of them doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0


def counted(labels: Sequence[bool], flags: Sequence[bool]) -> tuple[int, int, int]:
    """Found, missed, and found wrongly, by what each text is and whether it was flagged."""
    hits = sum(flag for label, flag in zip(labels, flags, strict=True) if label)
    return hits, sum(labels) - hits, sum(flags) - hits
