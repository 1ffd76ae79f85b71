"""Which failures are the same one, and what they have in common that other calls don't.

It knows neither the log nor the database: it is given occurrences, and counts.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PatternKind = Literal[
    "run.failed",
    "run.refused",
    "run.rescheduled",
    "agent.failed",
    "tool.failed",
    "tool.refused",
    "model.retried",
    "model.fell_back",
    "policy.verdict",
    "budget.refused",
    "loop.detected",
]
Dimension = Literal["agent", "tool", "model", "release"]

READ = 500
"""Characters of a text that are looked at: beyond, an error quotes what it is about."""
SHOWN = 160
"""Characters of a template."""
MANY = 4
"""So many words in the same place of texts that are the same otherwise are values, and no wording."""
WORDINGS = 2_000
"""Texts, the most frequent ones, from which it is learnt where values stand."""
FEW = 5
"""Runs below which hardly anything can stand out."""
CHANCE = 1e-3
"""How likely a suspect may be an innocent, over all values that were looked at (Bonferroni's bound)."""
LEAST_SHARE = 0.5
"""What is behind less of a pattern doesn't explain it."""
LEAST_LIFT = 1.5

_MASKS = re.compile(
    "|".join(
        f"(?P<{name}>{what})"
        for name, what in {
            "address": r"\b[a-zA-Z][\w+.-]*://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)*|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b",
            "text": r'"(?:\\.|[^"\\])*(?:"|$)|`[^`]*(?:`|$)|[“„«「『][^”“»」』]*(?:[”“»」』]|$)'
            r"|(?<!\w)'(?:\\.|[^\\])*?(?:'(?!\w)|$)|(?<!\w)\u2018.*?(?:\u2019(?!\w)|$)",
            "data": r"\{.*\}|\{.*$|\[.*\]|\[.*$",
            "path": r"(?<![\w.])(?:[A-Za-z]:\\|~?/)[\w.~-][^\s:,;]*",
            "id": r"\b(?=[\w-]*[^\W\d])(?=[\w-]*\d)[\w-]{4,}\b|\b[\w-]{24,}\b",
            "number": r"[-+]?\b\d(?:[\d.,:/-]*\d)?(?:\s?(?:ms|s|%))?(?!\w)|\d+",
        }.items()
    )
)
"""What differs from one occurrence to the next, by the word that takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One failure or refusal."""

    kind: PatternKind
    code: str
    message: str
    """A template, as `masked` makes it."""
    run_id: str
    at: datetime
    by: Mapping[Dimension, str]
    """Who and what took part in it, as far as that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What a pattern comes with much more often than other calls do: a reason to look there, no proof."""

    dimension: Dimension
    value: str
    """An agent as `team/agent`, a tool as `server.tool`, a deployment, a release."""
    share: float
    """Of the pattern, each run counted once for each value."""
    usual: float
    """Of all calls of the period; of the tool's, where the pattern is about one tool."""
    chance: float
    """That so many come together by chance, times the values that were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Failures or refusals that are the same one."""

    kind: PatternKind
    code: str
    """The error's code, the rule, the budget, or the tool that broke."""
    message: str
    count: int
    calls: int | None
    """So often the tool was called, where it is one that broke."""
    runs: int
    example: str
    """The newest run that it happened in."""
    first: datetime
    last: datetime
    suspect: Suspect | None
    """Nothing where nothing stands out clearly."""

    @property
    def is_small(self) -> bool:
        """Whether it touches too few runs for anything to stand out easily."""
        return self.runs < FEW


Usual = Callable[[Dimension, Occurrence], Counter[str]]
"""How many calls of the period had each value, among those that an occurrence is held against."""


def masked(text: str) -> str:
    """An error's first line as a template, cut where it is long.

    What it quotes, counts and names is masked: `<text>`, `<number>`, `<id>`, `<address>`, `<path>`, `<data>`.
    """
    line = " ".join(next((line for line in text.splitlines() if line.strip()), "")[:READ].split())
    made = _MASKS.sub(lambda found: f"<{found.lastgroup}>", line)
    return made if len(made) <= SHOWN else f"{made[:SHOWN]}…"


def patterns(found: Sequence[Occurrence], usual: Usual) -> tuple[Pattern, ...]:
    """What the occurrences have in common, the most frequent first."""
    grouped: defaultdict[tuple[PatternKind, str], list[Occurrence]] = defaultdict(list)
    for each in found:
        grouped[each.kind, each.code].append(each)
    made = [
        _pattern(message, members, usual)
        for group in grouped.values()
        for message, members in _clusters(group).items()
    ]
    return tuple(sorted(made, key=lambda one: (-one.count, -one.runs, one.kind, one.code, one.message)))


def _clusters(group: Sequence[Occurrence]) -> Mapping[str, Sequence[Occurrence]]:
    """Occurrences by template, after words that vary in one place of it have become `<word>`."""
    counts = Counter(each.message for each in group)
    fills: Counter[str] = Counter()
    for message, _ in counts.most_common(WORDINGS):
        fills.update(_with_a_gap(message))
    wider = {message: _widened(message, fills) for message in counts}
    clusters: defaultdict[str, list[Occurrence]] = defaultdict(list)
    for each in group:
        clusters[wider[each.message]].append(each)
    return clusters


def _widened(message: str, fills: Mapping[str, int]) -> str:
    """The template that a message belongs to."""
    best = max(_with_a_gap(message), key=lambda one: (fills.get(one, 0), one), default=message)
    return best if fills.get(best, 0) >= MANY else message


def _with_a_gap(message: str) -> Iterable[str]:
    words = message.split()
    if len(words) > 1:
        for place in range(len(words)):
            yield " ".join((*words[:place], "<word>", *words[place + 1 :]))


def _pattern(message: str, members: Sequence[Occurrence], usual: Usual) -> Pattern:
    last = max(members, key=lambda each: (each.at, each.run_id))
    return Pattern(
        kind=last.kind,
        code=last.code,
        message=message,
        count=len(members),
        calls=usual("tool", last)[last.code] if last.kind == "tool.failed" else None,
        runs=len({each.run_id for each in members}),
        example=last.run_id,
        first=min(each.at for each in members),
        last=last.at,
        suspect=_suspect(members, usual),
    )


def _suspect(members: Sequence[Occurrence], usual: Usual) -> Suspect | None:
    """The value with the largest lift among those that chance doesn't explain.

    A run that breaks again and again is no more evidence than one that breaks once.
    """
    looked_at: list[Suspect] = []
    for dimension in ("agent", "tool", "model", "release"):
        pairs = {(each.run_id, each.by[dimension]) for each in members if each.by.get(dimension)}
        calls = usual(dimension, members[0])
        for value, count in Counter(value for _, value in pairs).items():
            share = count / len(pairs)
            # One call more than there were: of few calls little is known.
            likely = (calls[value] + 1) / (calls.total() + 1)
            looked_at.append(
                Suspect(
                    dimension=dimension,
                    value=value,
                    share=share,
                    usual=calls[value] / calls.total() if calls.total() else 1.0,
                    chance=at_least(count, len(pairs), likely),
                )
            )
    clear = [
        each
        for each in looked_at
        if each.chance * len(looked_at) <= CHANCE
        and each.share >= LEAST_SHARE
        and each.share >= LEAST_LIFT * each.usual
    ]
    if not clear:
        return None
    code = members[0].code  # what it names anyway says nothing new
    best = max(clear, key=lambda each: (each.value != code, each.share / max(each.usual, 1e-9), each.share))
    return Suspect(
        dimension=best.dimension,
        value=best.value,
        share=best.share,
        usual=best.usual,
        chance=best.chance * len(looked_at),
    )


def at_least(count: int, of: int, likely: float) -> float:
    """The chance of `count` or more out of `of` where each comes with chance `likely`: the binomial's tail.

    Exact above the mean; up to it 1, which is all that is asked.
    """
    if count <= of * likely:
        return 1.0
    total = 0.0
    for made in range(count, of + 1):
        log = math.lgamma(of + 1) - math.lgamma(made + 1) - math.lgamma(of - made + 1)
        term = math.exp(log + made * math.log(likely) + (of - made) * math.log1p(-likely))
        total += term
        if term < total * 1e-12:
            break
    return min(total, 1.0)
