"""What this worker has of the shared accounts: calls draw on it without waiting, and it is filled in time.

Between looking whether money is there and taking it nothing is awaited: no other call comes between.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from proctor.core import Clock, Micros
from proctor.ledger import _accounts, _settling
from proctor.ledger._accounts import Part, Shortage, Taken, Wish
from proctor.ledger._rows import Account
from proctor.ledger._rules import SAVING, Claim, Key
from proctor.store import Database

CALLS = 20
"""As many calls a worker takes money for at once, at most."""

FRESH = timedelta(seconds=5)
"""For so long a worker relies on what it has. One that was frozen may have been taken for dead meanwhile."""

IDLE = timedelta(seconds=2)
"""What isn't used for so long is given back."""

FORGOTTEN = timedelta(minutes=1)
"""After so long without a call nothing of an account is remembered."""


@dataclass(slots=True, eq=False)
class Purse:
    """What this worker has of one account."""

    claim: Claim
    opened_at: datetime
    drawn_at: datetime
    taken: Micros = 0
    """What its piece of the account holds."""
    spent: Micros = 0
    held: Micros = 0
    """Set aside for calls that are under way."""
    noted: Micros = 0
    """What the account knows to be spent of the piece."""
    known: bool = False
    """Whether the piece has been read: a former purse of this worker may have left one."""
    gone: bool = False
    """Whether the piece was taken away while this worker was taken for dead."""
    account: Account = field(default_factory=Account)
    """As it was seen last."""
    seen: bool = False
    """Whether the account has been seen."""
    fills: int = 0
    """How often it was filled."""

    @property
    def matters(self) -> bool:
        """Whether something hangs on how its account stands now."""
        rule = self.claim.budget.rule
        return self.rest > 0 or self.held > 0 or rule.scope == "global" or rule.outcome in SAVING

    @property
    def limit(self) -> Micros:
        """What the account may hold, with what people have added."""
        return self.claim.budget.limit + self.account.raised

    @property
    def rest(self) -> Micros:
        """What further calls can draw."""
        return self.taken - self.spent - self.held

    @property
    def spent_of_all(self) -> Micros:
        """What is spent of the account, as far as this worker knows; what others have taken counts."""
        return self.account.taken - self.rest - self.held


@dataclass(slots=True, eq=False)
class Drawn:
    """What a call has set aside."""

    need: Micros
    purses: tuple[Purse, ...]


@dataclass(slots=True, eq=False)
class _Waiting:
    need: Micros
    purses: tuple[Purse, ...]
    parts: tuple[Micros, ...]
    """What the purses had, and is held for the call already."""
    done: "asyncio.Future[Shortage | None]"


class Purses:
    """The purses of one worker."""

    def __init__(self, database: Database, *, worker: str, clock: Clock, piece: float) -> None:
        self._database = database
        self._worker = worker
        self._clock = clock
        self._piece = piece
        self._purses: dict[Key, Purse] = {}
        self._waiting: list[_Waiting] = []
        self._taking: asyncio.Future[Taken] | None = None
        self._filling: Mapping[Key, Purse] = {}
        """The purses that are being filled."""
        self._seen_at = clock.now()
        """When it was last known that this worker's pieces are its own."""
        self._confirming = asyncio.Lock()
        self._freed: asyncio.Event | None = None

    @property
    def freed(self) -> asyncio.Event:
        """Set as soon as a call gives back what it didn't need."""
        if self._freed is None:
            self._freed = asyncio.Event()
        return self._freed

    def get(self, key: Key) -> Purse | None:
        """The purse of an account, where there is one."""
        return self._purses.get(key)

    def follow(self, claims: Iterable[Claim], at: datetime) -> None:
        """Sees, from the next look on, how accounts stand, also where no call draws on them."""
        for claim in claims:
            self._purse(claim, at)

    def draw(self, claims: Sequence[Claim], need: Micros, at: datetime) -> Drawn | None:
        """Money for a call; nothing where a purse hasn't enough, or may not be this worker's any more."""
        if claims and at - self._seen_at > FRESH:
            return None
        purses = []
        for claim in claims:
            purse = self._purses.get(claim.key)
            if purse is None or purse.rest < need:
                return None
            purses.append(purse)
        return _draw(purses, need, at)

    async def take(self, claims: Sequence[Claim], need: Micros, at: datetime) -> Drawn | Shortage:
        """Money for a call, of the accounts themselves where the purses haven't enough; or why there is none.

        Raises:
            DatabaseUnavailable: nobody can tell.
        """
        if at - self._seen_at > FRESH:
            await self.confirm()
            if (drawn := self.draw(claims, need, at)) is not None:
                return drawn
        purses = tuple(self._purse(claim, at) for claim in claims)
        parts = tuple(max(0, min(purse.rest, need)) for purse in purses)
        for purse, part in zip(purses, parts, strict=True):
            purse.held += part
        waiting = _Waiting(need, purses, parts, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._serve()
        drawn = Drawn(need, purses)
        try:
            shortage = await waiting.done
        except asyncio.CancelledError:
            if waiting.done.done() and not waiting.done.cancelled() and waiting.done.result() is None:
                self.settle(drawn, 0)
            raise
        return drawn if shortage is None else shortage

    def settle(self, drawn: Drawn, cost: Micros) -> None:
        """Puts what a call has cost in the place of what was set aside for it."""
        for purse in drawn.purses:
            purse.held -= drawn.need
            paying = self._purse(purse.claim, purse.drawn_at) if purse.gone else purse
            paying.spent += cost
        if self._freed is not None:
            self._freed.set()
            self._freed = None

    async def see(self, claims: Iterable[Claim]) -> None:
        """Returns when the accounts have been seen at least once."""
        at = self._clock.now()
        unseen = [purse for purse in (self._purse(claim, at) for claim in claims) if not purse.seen]
        if unseen:
            await self._look(unseen)

    async def confirm(self) -> None:
        """Looks how the accounts stand, and whether this worker's pieces are still its own."""
        async with self._confirming:
            at = self._clock.now()
            await self._look([purse for purse in self._purses.values() if purse.matters])
            self._seen_at = at

    async def _look(self, purses: Iterable[Purse]) -> None:
        filled = {purse.claim.key: purse.fills for purse in purses if purse.claim.key not in self._filling}
        if not filled:
            return
        accounts, own = await self._database.read(
            lambda connection: _accounts.look(connection, self._worker, filled)
        )
        for key, fills in filled.items():
            purse = self._purses.get(key)
            # Where it is filled meanwhile, that tells how it stands, and what was read is older.
            if purse is not None and purse.fills == fills and key not in self._filling:
                self._compare(purse, accounts.get(key), is_own=key in own)

    def _compare(self, purse: Purse, account: Account | None, *, is_own: bool) -> None:
        if purse.taken and not is_own:
            purse.gone = True
            del self._purses[purse.claim.key]
        elif account is not None:
            purse.account = account
        purse.known = purse.known or not is_own
        purse.seen = True

    async def tidy(self, *, all_of_it: bool = False) -> None:
        """Gives back what hasn't been used for a while, and says what was spent."""
        if self._purses and not all_of_it:
            await self.confirm()
        await self._cover()
        now = self._clock.now()
        unused: dict[Key, Micros] = {}
        spent: dict[Key, Micros] = {}
        over: list[Key] = []
        for key, purse in tuple(self._purses.items()):
            idle = now - purse.drawn_at
            # What is filled just now will say itself what it holds.
            if key in self._filling or (idle < IDLE and not all_of_it):
                continue
            rest = max(0, purse.rest)
            if purse.known and (rest or purse.spent != purse.noted):
                unused[key], spent[key] = rest, purse.spent
                purse.taken -= rest
                purse.account.taken -= rest
                purse.noted = purse.spent
            elif idle > FORGOTTEN and not purse.held:
                over.append(key)
                del self._purses[key]
        if over:
            await self._database.commit(
                lambda connection: _settling.end(connection, holder=self._worker, keys=over)
            )
        if unused:
            await self._database.commit(
                lambda connection: _accounts.give_back(
                    connection, holder=self._worker, unused=unused, spent=spent
                )
            )

    async def _cover(self) -> None:
        """Takes what was spent beyond the pieces, whatever the limit: by an answer that no bound foresaw."""
        owing = [purse for key, purse in self._purses.items() if purse.rest < 0 and key not in self._filling]
        covering = [
            _Waiting(0, (purse,), (0,), asyncio.get_running_loop().create_future()) for purse in owing
        ]
        self._waiting += covering
        self._serve()
        await asyncio.gather(*(each.done for each in covering))

    async def close(self, *, keeps: bool) -> None:
        """Ends this worker's pieces. Those of calls that didn't end stay; all do, where it `keeps` them."""
        while self._taking is not None:
            await asyncio.wait({self._taking})
        await self.tidy(all_of_it=True)
        if keeps:
            return
        held = [key for key, purse in self._purses.items() if purse.held > 0]
        spent = {key: purse.spent for key, purse in self._purses.items() if purse.known}
        await self._database.commit(
            lambda connection: _settling.leave(connection, holder=self._worker, spent=spent, but=held)
        )

    def _purse(self, claim: Claim, at: datetime) -> Purse:
        purse = self._purses.get(claim.key)
        if purse is None:
            purse = self._purses[claim.key] = Purse(claim, at, at)
        elif purse.claim is not claim:
            purse.claim = claim  # its limit may be another one by now
        purse.drawn_at = max(at, purse.drawn_at)
        return purse

    def _serve(self) -> None:
        """Asks for all that is waited for in one transaction, one at a time: so no two of ours meet."""
        if self._taking is not None or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        wishes = [self._wish(each) for each in waiting]
        purses = {purse.claim.key: purse for each in waiting for purse in each.purses}
        spent = {key: purse.spent for key, purse in purses.items() if purse.known}
        self._filling = purses
        self._taking = self._database.commit(
            lambda connection: _accounts.take(connection, holder=self._worker, wishes=wishes, spent=spent)
        )
        self._taking.add_done_callback(partial(self._fill, waiting, purses, spent))

    def _wish(self, waiting: _Waiting) -> Wish:
        parts = []
        for purse, part in zip(waiting.purses, waiting.parts, strict=True):
            owed = max(0, -purse.rest)
            more = min(int(purse.claim.budget.limit * self._piece), CALLS * waiting.need)
            short = waiting.need - part + owed
            parts.append(Part(claim=purse.claim, since=purse.opened_at, short=short, more=more))
        return Wish(need=waiting.need, parts=tuple(parts))

    def _fill(
        self,
        waiting: Sequence[_Waiting],
        purses: Mapping[Key, Purse],
        spent: Mapping[Key, Micros],
        taking: "asyncio.Future[Taken]",
    ) -> None:
        self._taking, self._filling = None, {}
        error = RuntimeError("the database was closed") if taking.cancelled() else taking.exception()
        if error is None:
            for key, purse in purses.items():
                self._take_over(purse, taking.result(), spent.get(key))
        for place, each in enumerate(waiting):
            answer = () if error is not None else taking.result().answers[place]
            granted = error is None and not isinstance(answer, Shortage) and not each.done.cancelled()
            for purse, part in zip(each.purses, each.parts, strict=True):
                purse.held += each.need - part if granted else -part
            if each.done.done():
                continue
            if error is not None:
                each.done.set_exception(error)
            else:
                each.done.set_result(answer if isinstance(answer, Shortage) else None)
        self._serve()

    def _take_over(self, purse: Purse, taken: Taken, said: Micros | None) -> None:
        """Lets a purse be what its piece is; what was spent while the piece was written comes on top."""
        key = purse.claim.key
        piece = taken.pieces[key]
        # A piece that was ended for this worker begins anew: what was spent of it stands in the account.
        purse.spent += piece.spent - (said or 0)
        purse.taken, purse.noted, purse.known = piece.taken, piece.spent, True
        purse.account, purse.seen = replace(taken.accounts[key]), True
        purse.fills += 1


def _draw(purses: Sequence[Purse], need: Micros, at: datetime) -> Drawn:
    for purse in purses:
        purse.held += need
        purse.drawn_at = at
    return Drawn(need, tuple(purses))
