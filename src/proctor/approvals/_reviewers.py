"""How people have decided: how much, how fast, whether others agree, and what looks like rubber stamping.

Read from the votes as they stand: one that an edit or an escalation took back isn't counted. Nothing here
proves that somebody didn't look; it says where it is worth asking. Knows neither notices nor runs: whoever
calls it says when people were told, and what judges said.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Literal, TypeAlias, get_args

from sqlalchemy import Connection

from proctor.approvals._cast import Cast, cast_votes, second_keys
from proctor.core import LINK, DecisionKind, person

ENOUGH = 20
"""Decisions from which on a person's figures say something."""

HARDLY_EVER_NO = 0.98
"""The part that is approved as it was asked for, from which on speed is a sign."""

GLANCE = 5.0
"""Seconds that a decision takes at least where somebody looks."""

BURST = 10
"""Approvals within a minute that are a sign."""

_MINUTE = timedelta(minutes=1)

Who: TypeAlias = Literal["person", "link", "unnamed"]
"""A person; a role's link, which any of its holders may have used; whoever gave no name."""

Told: TypeAlias = Callable[[Sequence[str]], Mapping[str, datetime]]
"""When people were first told of questions, by their ids, as far as anybody was."""

Judged: TypeAlias = Callable[[Sequence[str]], Mapping[str, Sequence[tuple[datetime, bool]]]]
"""When judge models said of the answers of runs, by their ids, whether they agree; in that order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds of many decisions."""

    median: float
    p90: float
    """Nine of ten took no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often two said the same of one thing."""

    compared: int = 0
    agreed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What looks as if somebody approved without looking."""

    kind: Literal["glance", "unread", "burst"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """How one person has decided."""

    name: str
    """As it was written last; of a link its role; empty for all who gave none."""
    who: Who
    kinds: Mapping[DecisionKind, int]
    """Decisions by their kind, each kind being there."""
    waited: Spread
    """From the question to the decision. Whoever is asked anew, later, is counted from there."""
    told: Spread | None
    """From the first notice, for the questions of which there was one."""
    looked: Spread
    """What a decision can have taken at most: since the question, or since this person's last decision."""
    others: Agreement
    """With each other person who voted on the same thing."""
    judge: Agreement
    """With the judge model, where one was asked about the same thing."""
    signs: tuple[Sign, ...]
    """Always none where nobody knows whether it is one person."""

    @property
    def decisions(self) -> int:
        """How many."""
        return sum(self.kinds.values())

    @property
    def approved(self) -> float:
        """The part that was approved as it was asked for."""
        return self.kinds["approve"] / self.decisions


@dataclass(slots=True)
class _Tally:
    compared: int = 0
    agreed: int = 0

    def add(self, *, same: bool) -> None:
        self.compared += 1
        self.agreed += same

    def total(self) -> Agreement:
        return Agreement(compared=self.compared, agreed=self.agreed)


@dataclass(slots=True)
class _Tallies:
    others: _Tally = field(default_factory=_Tally)
    judge: _Tally = field(default_factory=_Tally)


def reviewers(
    connection: Connection, *, since: datetime, until: datetime, told: Told, judged: Judged, role: str = ""
) -> tuple[Reviewer, ...]:
    """Everybody who decided something in a period, the busiest first; of one role's questions, if named."""
    votes = [
        vote for vote in cast_votes(connection, since=since, until=until) if not role or role in vote.roles
    ]
    if not votes:
        return ()
    tallies: defaultdict[str, _Tallies] = defaultdict(_Tallies)
    _compare_people(votes, tallies)
    _compare_judges(connection, votes, judged, tallies)
    first_told = told(list(dict.fromkeys(vote.approval_id for vote in votes)))
    by_person: defaultdict[str, list[Cast]] = defaultdict(list)
    for vote in votes:
        by_person[person(vote.name)].append(vote)
    found = [_reviewer(who, cast, first_told, tallies[who]) for who, cast in by_person.items()]
    return tuple(sorted(found, key=lambda each: (-each.decisions, each.name)))


def _compare_people(votes: Iterable[Cast], tallies: Mapping[str, _Tallies]) -> None:
    by_case: defaultdict[tuple[str, str], list[Cast]] = defaultdict(list)
    for vote in votes:
        by_case[vote.case].append(vote)
    for case in by_case.values():
        for one in case:
            for other in case:
                if person(one.name) != person(other.name):
                    tallies[person(one.name)].others.add(same=one.lets_pass == other.lets_pass)


def _compare_judges(
    connection: Connection, votes: Sequence[Cast], judged: Judged, tallies: Mapping[str, _Tallies]
) -> None:
    """A judge is asked about a call after people have let it pass, and about an answer before people are."""
    asked_after = [vote for vote in votes if vote.judge_follows]
    objected = second_keys(connection, asked_after)
    for vote in asked_after:
        agrees = (vote.run_id, vote.second_key) not in objected
        if vote.used or not agrees:  # else it wasn't asked yet
            tallies[person(vote.name)].judge.add(same=agrees)
    asked_before = [vote for vote in votes if vote.judge_may_precede]
    opinions = judged(list(dict.fromkeys(vote.run_id for vote in asked_before)))
    for vote in asked_before:
        said = [agrees for at, agrees in opinions.get(vote.run_id, ()) if at <= vote.requested_at]
        if said:
            tallies[person(vote.name)].judge.add(same=(vote.kind == "approve") == said[-1])


def _reviewer(who: str, votes: list[Cast], told: Mapping[str, datetime], tallies: _Tallies) -> Reviewer:
    last = votes[-1]
    kind: Who = "unnamed" if not who else "link" if who.startswith(LINK) else "person"
    since_told = [
        vote.at - max(told[vote.approval_id], vote.asked_at)
        for vote in votes
        if vote.approval_id in told and told[vote.approval_id] <= vote.at
    ]
    looked, kinds = list(_looked(votes)), Counter(vote.kind for vote in votes)
    return Reviewer(
        name=last.name.strip()[len(LINK) :] if kind == "link" else last.name,
        who=kind,
        kinds={kind: kinds[kind] for kind in get_args(DecisionKind)},
        waited=_spread([vote.at - vote.asked_at for vote in votes]),
        told=_spread(since_told) if since_told else None,
        looked=_spread(looked),
        others=tallies.others.total(),
        judge=tallies.judge.total(),
        signs=tuple(_signs(votes, looked)) if kind == "person" else (),
    )


def _looked(votes: Sequence[Cast]) -> Iterator[timedelta]:
    """What each decision can have taken at most. Who decides many in a row looks at one after the other."""
    yield votes[0].at - votes[0].asked_at
    for before, vote in pairwise(votes):
        yield vote.at - max(before.at, vote.asked_at)


def _spread(spans: Sequence[timedelta]) -> Spread:
    seconds = sorted(max(0.0, span.total_seconds()) for span in spans)
    return Spread(median=median(seconds), p90=seconds[ceil(0.9 * len(seconds)) - 1])


def _signs(votes: Sequence[Cast], looked: Sequence[timedelta]) -> Iterator[Sign]:
    approved = [vote for vote in votes if vote.kind == "approve"]
    if len(votes) >= ENOUGH and len(approved) >= HARDLY_EVER_NO * len(votes):
        so_many = f"approved {len(approved)} of {len(votes)}"
        usual = _spread(looked).median
        if usual < GLANCE:
            yield Sign(kind="glance", text=f"{so_many}, half of them within {usual:.1f} s")
        unread = sum(took < vote.reading for took, vote in zip(looked, votes, strict=True))
        if 2 * unread > len(votes):
            yield Sign(kind="unread", text=f"{so_many}, {unread} of them faster than they can be read")
    most, begun = _burst(approved)
    if most >= BURST:
        yield Sign(kind="burst", text=f"approved {most} within a minute, from {begun:%Y-%m-%d %H:%M:%S} UTC")


def _burst(approved: Sequence[Cast]) -> tuple[int, datetime | None]:
    """The most approvals within a minute, and when that began."""
    most, begun, first = 0, None, 0
    for number, vote in enumerate(approved, start=1):
        while vote.at - approved[first].at >= _MINUTE:
            first += 1
        if number - first > most:
            most, begun = number - first, approved[first].at
    return most, begun
