"""The rules: what is said of a team, given what it did lately and what is usual.

Each number is looked at in four stretches of time. Short ones find what is sudden and loud, long ones what
is faint, slow, or of a small team. Something is acute where one of them is far too unlikely to be chance
**and** far from usual **and** the newest minutes agree: what is over isn't told.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from proctor.alerts._chances import at_least, at_most
from proctor.alerts._tally import Count, Spread, Tally, bucket_of, end_of
from proctor.alerts._usual import Pair, Share, Usual, above
from proctor.alerts._values import Backlog, Finding, Rule
from proctor.core import AlertSettings, MeasuredBy, Sensitivity, format_usd

SPANS = (1, 5, 15, 60, 180)
"""Minutes. The shortest only serves fixed lines."""
NEWEST = 5
BASELINE_SPANS = (5, 15, 60, 180)

CHANCE: Mapping[Sensitivity, float] = {"low": 3.5e-7, "normal": 7e-5, "high": 3.5e-4}
"""So unlikely must it be that an ordinary hour looks like this. Stretches that follow each other minute by
minute are much alike, but a day holds twelve times as many apart ones of five minutes as of an hour: so what
a stretch shows must be the less likely, the shorter it is; three hours may be three times as likely."""
HOUR = 60
RATES = 4.0
"""A rate may be so much likelier than a share: four numbers are rates and fifteen are shares, and so each
kind is wrong about as often in all."""
LINE_CHANCE = 1e-3
"""Of a fixed line: so unlikely must it be that a team which just keeps it looks like this."""
AGREES = 0.2
"""So unlikely must the newest minutes be to agree."""
TELLING = 3
"""Events that newest minutes must hold, or should hold, to say anything at all."""
STILL = 0.02
"""So unlikely must they be for what was told to count as still so."""
FEWEST = 3
"""Events beyond what is usual, below which nothing is told however unlikely it is."""

WHOLE = 10
"""Percents from which they are told without places."""
LONG = 120
"""Minutes from which hours are told."""

SHARE_FACTOR, RATE_FACTOR, DROP_FACTOR = 1.6, 1.8, 0.4
"""How far from usual something must be. Beyond that it is news; below it, it is the weather."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """How often something happened, and how often it usually does."""

    happened: float
    of: float
    """How often it could have; minutes where it is a rate."""
    mean: float
    spread: float
    most: float = math.inf
    """How often it could have happened; without end where it is a rate."""

    def chance(self, *, falls: bool) -> float:
        tail = at_most if falls else at_least
        return tail(self.happened, self.mean, self.spread, self.most)

    def bears_out(self, longer: "_Numbers") -> bool:
        """Whether it is at least half as unusual as the time before it; or holds too little to say."""
        happened, mean = longer.happened - self.happened, longer.mean - self.mean
        if mean <= 0 or self.mean == 0:
            return True
        if max(happened * self.mean / mean, self.happened) < TELLING:
            return True
        return abs(self.happened / self.mean - 1) >= abs(happened / mean - 1) / 2

    def is_far(self, factor: float, *, falls: bool) -> bool:
        if falls:
            return self.mean - self.happened >= FEWEST and self.happened <= self.mean * factor
        return self.happened - self.mean >= FEWEST and self.happened >= self.mean * factor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One number of a team, in each stretch of time."""

    rule: Rule
    by: MeasuredBy | None
    factor: float
    numbers: Mapping[int, _Numbers]
    words: str
    """What was counted: `errors of {of:,.0f} calls`."""
    unit: str = ""
    """`a minute` where it is a rate, else it is a share."""
    scale: float = 1.0
    highest: float | None = None
    falls: bool = False

    def is_near(self, numbers: _Numbers) -> bool:
        """Whether a stretch of time is not even half as far from usual as it would have to be."""
        if self.falls:
            return numbers.happened > numbers.mean * self.factor
        return numbers.happened < numbers.mean * (1 + self.factor) / 2


def judge(
    team: str,
    tallies: Mapping[int, Tally],
    usual: Usual | None,
    at: datetime,
    *,
    settings: AlertSettings,
    over: Mapping[tuple[Rule, str], datetime],
) -> tuple[Finding, ...]:
    """What the rules say of a team, of each rule at most one thing.

    `over` says when alerts of the last hours were over: what was told once isn't told again out of the past.
    """
    found = [*_lines(team, tallies, settings)]
    if team and usual is not None and settings.sensitivity != "off" and usual.is_enough(at):
        limit = CHANCE[settings.sensitivity]
        for look in _looks(tallies, usual, at):
            finding = _compare(team, _since(look, over.get((look.rule, team)), at), limit, usual.days)
            if finding is not None:
                found.append(finding)
    # Of two things that one rule says the acute one counts.
    best: dict[Rule, Finding] = {}
    for finding in found:
        if finding.rule not in best or (finding.acute and not best[finding.rule].acute):
            best[finding.rule] = finding
    return tuple(best.values())


def _since(look: _Look, over: datetime | None, at: datetime) -> _Look:
    """What was counted in stretches of time that begin after an instant, and in the shortest."""
    if over is None:
        return look
    least = max((at - over) // timedelta(minutes=1), NEWEST)
    return replace(look, numbers={span: one for span, one in look.numbers.items() if span <= least})


def judge_backlog(backlog: Backlog, at: datetime, settings: AlertSettings) -> Finding | None:
    """What is to be said of questions that wait for people."""
    age = at - backlog.oldest
    old = bool(settings.backlog_age) and age > settings.backlog_age
    many = bool(settings.backlog) and backlog.open > settings.backlog
    if not old and not many:
        return None
    return Finding(
        rule="backlog",
        team=backlog.team,
        acute=True,
        text=f"{backlog.open} questions wait for people, the oldest for {_duration(age)}; the lines are "
        f"{settings.backlog} questions and {_duration(settings.backlog_age)}",
        value=float(backlog.open),
        usual=None,
        by=None,
        minutes=NEWEST,
    )


def _lines(team: str, tallies: Mapping[int, Tally], settings: AlertSettings) -> Iterator[Finding]:
    """What fixed lines say. That a line is crossed must itself be sure: one slow call of ten says nothing."""
    lately, minute = tallies[NEWEST], tallies[1]
    size, line = lately.size("seconds"), settings.p99_seconds
    slow = lately.above("seconds", bucket_of(line)) if line else 0
    if slow > size / 100:
        p99 = end_of(lately.quantile("seconds", 0.99))
        yield Finding(
            rule="p99_seconds",
            team=team,
            acute=_is_beyond(slow, size / 100),
            text=f"{slow:,} of {size:,} model calls in {NEWEST} min took longer than {line:g} s, "
            f"and the p99 is {p99:.1f} s; the line is {line:g} s",
            value=p99,
            usual=line,
            by="seconds",
            minutes=NEWEST,
        )
    calls, errors, share = lately.counts["calls"], lately.counts["errors"], settings.error_rate
    if share and errors > share * calls:
        yield Finding(
            rule="error_rate",
            team=team,
            acute=_is_beyond(errors, share * calls),
            text=f"{errors:,} errors of {calls:,} calls in {NEWEST} min ({_percent(errors / calls)}); "
            f"the line is {_percent(share)}",
            value=errors / calls,
            usual=share,
            by="errors",
            minutes=NEWEST,
        )
    a_second = minute.counts["calls"] / 60
    if settings.calls_per_second and a_second > settings.calls_per_second:
        yield Finding(
            rule="calls_per_second",
            team=team,
            acute=True,
            text=f"{a_second:,.0f} calls a second; the line is {settings.calls_per_second:g}",
            value=a_second,
            usual=settings.calls_per_second,
            by="calls",
            minutes=1,
        )


def _is_beyond(count: int, mean: float) -> bool:
    """Whether a team that just keeps a line would hardly ever look like this."""
    return at_least(count, mean, 0) < LINE_CHANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Something that is counted, of all that it could happen to."""

    rule: Rule
    by: MeasuredBy
    words: str
    pair: Pair


_SHARES = (
    _Counted(
        rule="errors",
        by="errors",
        words="errors of {of:,.0f} calls",
        pair=lambda of: (of.counts["errors"], of.counts["calls"]),
    ),
    _Counted(
        rule="errors",
        by="errors",
        words="failures of {of:,.0f} runs",
        pair=lambda of: (of.counts["failed"], of.counts["ended"]),
    ),
    _Counted(
        rule="verdicts",
        by="verdicts",
        words="refusals at {of:,.0f} calls and runs",
        pair=lambda of: (
            of.counts["denied"] + of.counts["refused"],
            of.counts["calls"] + of.counts["started"],
        ),
    ),
    _Counted(
        rule="verdicts",
        by="verdicts",
        words="questions to people at {of:,.0f} calls and runs",
        pair=lambda of: (of.counts["escalated"], of.counts["calls"] + of.counts["started"]),
    ),
    _Counted(
        rule="loops",
        by="loops",
        words="loops at {of:,.0f} calls",
        pair=lambda of: (of.counts["loops"], of.counts["calls"]),
    ),
)

_TAILS: tuple[tuple[Rule, MeasuredBy, Spread, str], ...] = (
    ("latency", "seconds", "seconds", "of {{of:,.0f}} model calls took longer than {value:.3g} s"),
    ("latency", "seconds", "tool_seconds", "of {{of:,.0f}} tool calls took longer than {value:.3g} s"),
    ("cost", "cost", "costs", "of {{of:,.0f}} model calls cost more than {usd}"),
    ("loops", "calls", "lengths", "of {{of:,.0f}} runs made more than {value:.0f} calls"),
)
_QUANTILES = (0.9, 0.99)


def _looks(tallies: Mapping[int, Tally], usual: Usual, at: datetime) -> Iterator[_Look]:
    for counted in _SHARES:
        share = usual.share(counted.words, counted.pair, at)
        if share is not None:
            yield _share_look(counted, share, tallies)
            if counted.rule == "verdicts":
                yield replace(_share_look(counted, share, tallies), falls=True, factor=DROP_FACTOR, by=None)
    for rule, by, spread, words in _TAILS:
        for quantile in _QUANTILES:
            tail = usual.tail(spread, quantile, at)
            if tail is not None:
                said = words.format(value=tail.value, usd=format_usd(round(tail.value)))
                counted = _Counted(rule=rule, by=by, words=said, pair=above(spread, tail.bucket))
                yield _share_look(counted, tail.share, tallies)
    yield from _rate_looks(tallies, usual, at)


def _share_look(counted: _Counted, share: Share, tallies: Mapping[int, Tally]) -> _Look:
    numbers = {}
    for span in BASELINE_SPANS:
        happened, of = counted.pair(tallies[span])
        numbers[span] = _Numbers(happened=happened, of=of, mean=of * share.rate, spread=share.spread, most=of)
    return _Look(
        rule=counted.rule,
        by=counted.by,
        factor=SHARE_FACTOR,
        numbers=numbers,
        words=counted.words,
        highest=share.highest,
    )


def _rate_looks(tallies: Mapping[int, Tally], usual: Usual, at: datetime) -> Iterator[_Look]:
    clump = max(usual.unit("lengths"), 1.0)  # calls come by the run, and not one by one
    # A run's cost varies with its length and with what each call costs.
    purse = usual.unit("costs") + (clump - 1) * usual.mean("costs")
    counted: tuple[tuple[Count, float, str], ...] = (
        ("started", 1.0, "runs"),
        ("calls", clump, "calls"),
        ("cost", purse, "spent"),
    )
    for count, unit, words in counted:
        numbers = _rates(count, unit, tallies, usual, at) if unit else None
        if numbers is None:
            continue
        more = _Look(
            rule="cost" if count == "cost" else "burst",
            by="cost" if count == "cost" else "calls",
            factor=RATE_FACTOR,
            numbers=numbers,
            words=words,
            unit="a minute",
            scale=unit,
        )
        yield more
        if count == "started":
            yield replace(more, rule="drop", by=None, factor=DROP_FACTOR, falls=True)


def _rates(
    count: Count, unit: float, tallies: Mapping[int, Tally], usual: Usual, at: datetime
) -> dict[int, _Numbers] | None:
    numbers = {}
    for span in BASELINE_SPANS:
        rate = usual.rate(count, unit, at - timedelta(minutes=span / 2))
        if rate is None or rate.a_minute == 0:
            return None
        happened = tallies[span].counts[count] / unit
        numbers[span] = _Numbers(happened=happened, of=span, mean=span * rate.a_minute, spread=rate.spread)
    return numbers


def _compare(team: str, look: _Look, limit: float, days: int) -> Finding | None:
    """What is to be said of a number: it is acute, or only not well again, or nothing."""
    falls = look.falls
    # Of a small team the newest minutes hold too little to agree or not: then longer ones are asked.
    newest = next((span for span, numbers in look.numbers.items() if _tells(numbers)), max(look.numbers))
    lately = look.numbers[newest]
    chance = lately.chance(falls=falls)
    lasting = _lasting(look)
    if look.is_near(lately) or chance > AGREES or newest not in lasting:
        return None
    more = RATES if math.isinf(lately.most) else 1.0
    # As if each had been looked at as often as an hour: see `CHANCE`.
    chances = {
        span: numbers.chance(falls=falls) * HOUR / span / more
        for span, numbers in lasting.items()
        if span >= newest and numbers.is_far(look.factor, falls=falls)
    }
    acute = min(chances.values(), default=1.0) < limit
    if not acute and (chance > STILL or newest == max(look.numbers)):
        return None
    span = min(chances, key=chances.__getitem__, default=newest)
    numbers = look.numbers[span]
    return Finding(
        rule=look.rule,
        team=team,
        acute=acute,
        text=_told(look, numbers, span, days),
        value=numbers.happened * look.scale / (numbers.of or 1),
        usual=numbers.mean * look.scale / (numbers.of or 1),
        by=look.by,
        minutes=span,
    )


def _lasting(look: _Look) -> dict[int, _Numbers]:
    """Stretches of time from the shortest on, as long as none is far less unusual than the time before it.

    Where one is, what was unusual is over.
    """
    found: dict[int, _Numbers] = {}
    for span, numbers in look.numbers.items():
        if not all(shorter.bears_out(numbers) for shorter in found.values()):
            break
        found[span] = numbers
    return found


def _tells(numbers: _Numbers) -> bool:
    """Whether a stretch of time holds enough to say anything of it."""
    return max(numbers.mean, numbers.happened) >= TELLING


def _told(look: _Look, numbers: _Numbers, span: int, days: int) -> str:
    when = f"in {span} min"
    if look.unit:
        happened, mean = numbers.happened * look.scale / span, numbers.mean * look.scale / span
        if look.rule == "cost":
            return (
                f"{format_usd(round(happened))} {look.words} {look.unit} {when}; usual at this time "
                f"{format_usd(round(mean))}, by {days} days"
            )
        return (
            f"{_rate(happened)} {look.words} {look.unit} {when}; usual at this time {_rate(mean)}, "
            f"by {days} days"
        )
    of = numbers.of or 1
    text = (
        f"{numbers.happened:,.0f} {look.words.format(of=numbers.of)} {when} "
        f"({_percent(numbers.happened / of)}); usual at this hour {_percent(numbers.mean / of)}"
    )
    highest = "" if look.highest is None else f", highest of {days} days {_percent(look.highest)}"
    return text + highest


def _rate(number: float) -> str:
    return f"{number:,.1f}" if number >= 1 or not number else f"{number:.2g}"


def _percent(share: float) -> str:
    percents = 100 * share
    return f"{percents:.0f} %" if round(percents) >= WHOLE or not share else f"{percents:.2g} %"


def _duration(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes} min" if minutes < LONG else f"{minutes / 60:.0f} h"
