"""Setting money aside for calls: of accounts that workers share, and of runs, which have one worker each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from proctor.core import BudgetExceeded, CallScope, Micros, format_usd
from proctor.ledger._accounts import Shortage
from proctor.ledger._purses import Drawn, Purses
from proctor.ledger._rules import Claim, Claims, Key, Rules

PATIENCE = timedelta(seconds=5)
"""How long a call waits for money that others have set aside, and may not need."""

LOOK_AGAIN = 0.25
"""Seconds after which it is seen whether another worker has given something back."""


class Refusal(BudgetExceeded):
    """A budget stops the call; with what it lacks."""

    def __init__(self, shortage: Shortage) -> None:
        claim = shortage.claim
        whose = f" of {claim.subject}" if claim.subject else ""
        super().__init__(
            f"the budget {claim.budget.name}{whose} of {format_usd(shortage.limit)} has "
            f"{format_usd(shortage.spent)} spent and {format_usd(shortage.set_aside)} set aside: a call of "
            f"up to {format_usd(shortage.need)} is too much",
            hint=_hint(claim),
        )
        self.shortage = shortage


@dataclass(slots=True, eq=False)
class Frame:
    """One call while it goes on, with all requests that are sent for it."""

    run_id: str
    held: Micros = 0
    """Set aside for its requests that are under way."""
    spent: Micros = 0
    """What its requests have cost, which the run doesn't know before the call ends."""
    answered: list[tuple[str, Micros]] = field(default_factory=list)
    """Deployments that answered, with what that cost: one of the answers counts."""
    holders: set[str] = field(default_factory=set)
    """Names under which money of it is set aside durably."""


@dataclass(slots=True, eq=False)
class Reservation:
    """What is set aside for one request."""

    at: datetime
    need: Micros
    frame: Frame
    claims: Claims
    drawn: Drawn | None


class _Framed:
    """A block in which a call has a frame. It stands around every request: a generator costs a multiple."""

    __slots__ = ("_frames", "_opened", "_runs", "_scope")

    def __init__(self, frames: dict[int, Frame], runs: dict[str, list[Frame]], scope: CallScope) -> None:
        self._frames = frames
        self._runs = runs
        self._scope = scope
        self._opened: Frame | None = None

    def __enter__(self) -> Frame:
        key = id(self._scope)
        known = self._frames.get(key)
        if known is not None:
            return known
        self._opened = frame = self._frames[key] = Frame(self._scope.run_id)
        self._runs.setdefault(frame.run_id, []).append(frame)
        return frame

    def __exit__(self, *_: object) -> None:
        frame = self._opened
        if frame is None:
            return
        del self._frames[id(self._scope)]
        siblings = self._runs[frame.run_id]
        siblings.remove(frame)
        if not siblings:
            del self._runs[frame.run_id]


HeldOfRun: TypeAlias = Callable[[tuple[Key, ...]], Awaitable[Mapping[Key, Mapping[str, Micros]]]]
"""Finds what is set aside durably of runs' budgets, by holder."""


class Reserve:
    """The money of this worker's calls."""

    def __init__(
        self, rules: Rules, purses: Purses, *, held_of_run: HeldOfRun, patience: timedelta = PATIENCE
    ) -> None:
        self.rules = rules
        self.purses = purses
        self.raised: dict[Key, Micros] = {}
        """What people have added to budgets of runs."""
        self._held_of_run = held_of_run
        self._patience = patience.total_seconds()
        self._frames: dict[int, Frame] = {}
        self._runs: dict[str, list[Frame]] = {}

    def frame(self, scope: CallScope) -> "_Framed":
        """The block with the frame of a call: the one that it has, or one for as long as the block lasts."""
        return _Framed(self._frames, self._runs, scope)

    async def take(
        self, scope: CallScope, frame: Frame, *, model: str, need: Micros, at: datetime
    ) -> Reservation:
        """Money for a request, of every budget that it falls under.

        Raises:
            Refusal: one of them hasn't got it.
        """
        claims = self.rules.claims(scope, model, at)
        if not need:
            return Reservation(at, 0, frame, claims, None)
        if not claims.of_run and (drawn := self.purses.draw(claims.shared, need, at)) is not None:
            frame.held += need
            return Reservation(at, need, frame, claims, drawn)
        taken = await self._patiently(scope, lambda: self._try(scope, frame, claims, need, at))
        return Reservation(at, need, frame, claims, taken)

    async def _patiently(self, scope: CallScope, attempt: Callable[[], Awaitable[Drawn | Shortage]]) -> Drawn:
        loop = asyncio.get_running_loop()
        until = loop.time() + min(self._patience, scope.seconds_left())
        while True:
            freed = self.purses.freed
            answer = await attempt()
            if not isinstance(answer, Shortage):
                return answer
            left = until - loop.time()
            if not answer.may_pass or left <= 0:
                raise Refusal(answer)
            try:
                async with asyncio.timeout(min(left, LOOK_AGAIN)):
                    await freed.wait()
            except TimeoutError:
                pass

    async def _try(
        self, scope: CallScope, frame: Frame, claims: Claims, need: Micros, at: datetime
    ) -> Drawn | Shortage:
        if claims.of_run:
            shortage = await self.run_shortage(scope, frame, claims.of_run, need)
            if shortage is not None:
                return shortage
        frame.held += need  # from here on for the run's other calls to see
        taken: Drawn | Shortage | None = None
        try:
            taken = self.purses.draw(claims.shared, need, at)
            taken = taken or await self.purses.take(claims.shared, need, at)
        finally:
            if not isinstance(taken, Drawn):
                frame.held -= need
        return taken

    async def run_shortage(
        self, scope: CallScope, frame: Frame, claims: Iterable[Claim], need: Micros
    ) -> Shortage | None:
        """Why a run's own budgets don't bear a request, if they don't. Only then it may be taken."""
        claims = tuple(claims)
        waiting: Mapping[Key, Mapping[str, Micros]] = {}
        if scope.pace == "patient":
            waiting = await self._held_of_run(tuple(claim.key for claim in claims))
        siblings = [each for each in self._runs.get(scope.run_id, ()) if each is not frame]
        here = set(frame.holders).union(*(each.holders for each in siblings))
        spent = scope.spent + sum(each.spent for each in siblings)
        aside = frame.held + sum(each.held for each in siblings)
        for claim in claims:
            elsewhere = sum(
                amount for holder, amount in waiting.get(claim.key, {}).items() if holder not in here
            )
            limit = claim.budget.limit + self.raised.get(claim.key, 0)
            if claim.budget.blocks and spent + aside + elsewhere + need > limit:
                return Shortage(claim=claim, limit=limit, spent=spent, set_aside=aside + elsewhere, need=need)
        return None

    def settle(self, reservation: Reservation, cost: Micros) -> None:
        """Puts what a request has cost in the place of what was set aside for it."""
        frame = reservation.frame
        frame.held -= reservation.need
        frame.spent += cost
        if reservation.drawn is not None:
            self.purses.settle(reservation.drawn, cost)

    def shares(self, scope: CallScope, claims: Claims) -> Iterator[tuple[Claim, float, Micros]]:
        """Of each budget the share that is spent, and what is left, as far as this worker knows."""
        for claim in claims.shared:
            purse = self.purses.get(claim.key)
            if purse is not None:
                yield claim, *_standing(purse.spent_of_all, purse.limit)
        if claims.of_run:
            own = self._frames.get(id(scope))
            siblings = (each for each in self._runs.get(scope.run_id, ()) if each is not own)
            spent = scope.spent + sum(each.spent for each in siblings)
            for claim in claims.of_run:
                yield claim, *_standing(spent, claim.budget.limit + self.raised.get(claim.key, 0))


def _standing(spent: Micros, limit: Micros) -> tuple[float, Micros]:
    return (spent / limit if limit else 1.0), max(0, limit - spent)


def _hint(claim: Claim) -> str:
    name, end = claim.budget.name, claim.period.end
    if end is None:
        team = name.removeprefix("run.")
        setting = f"teams.{team}.max_cost_usd" if team != name else f"budgets.{name}.usd"
        return f"Raise {setting} or `proctor budget set {name}`, then resume the run."
    setting = "`daily_usd` in [budget]" if name == "daily" else f"budgets.{name}.usd"
    return f"Raise {setting} or `proctor budget set {name}`; or go on after {end:%Y-%m-%d %H:%M} UTC."
