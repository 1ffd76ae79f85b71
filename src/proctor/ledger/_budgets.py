"""Budgets that can't be overspent: what a request may cost is set aside before it leaves.

Three links of the chains are made here: `thrift` outside of whatever sends requests again, `model` around
each single request, and `tool` around each call of a tool.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

from proctor.core import (
    BudgetExceeded,
    BudgetRule,
    CallScope,
    Clock,
    IfBroken,
    JsonObject,
    Micros,
    ModelCall,
    ModelError,
    ModelHandler,
    ModelResult,
    Payer,
    ProctorError,
    ToolCall,
    ToolHandler,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    Usage,
    monotonic_ms,
)
from proctor.ledger import _accounts, _holds
from proctor.ledger._bounds import size_of
from proctor.ledger._entries import LedgerRow, Origin, model_entry, request_entry, tool_entry
from proctor.ledger._in_force import counted, in_force, take_up
from proctor.ledger._meter import Meter
from proctor.ledger._prices import Prices
from proctor.ledger._purses import Purses
from proctor.ledger._reserve import PATIENCE, Frame, Refusal, Reservation, Reserve
from proctor.ledger._rules import Claim, Claims, Key, Rules, claim_of, period_of
from proctor.ledger._saving import amount_of, question_about, wrapped_up
from proctor.ledger._sql import Entry, record
from proctor.ledger._stored import stored_budgets
from proctor.ledger._tools import most_of, price_of
from proctor.store import Database

T = TypeVar("T")

Happening: TypeAlias = Literal["refused", "warned", "degraded", "wrapped_up", "raised"]
"""What a budget did to a call."""

BudgetListener: TypeAlias = Callable[[Happening, str], None]
"""Is told what happened and of which budget."""

Cheaper: TypeAlias = Callable[[ModelCall], str | None]
"""Finds the deployment of the next cheaper tier that can do what a call needs."""

TOLD = 10_000
"""Accounts of which it is remembered that their calls were warned."""


class Unclaimed(Payer, Protocol):
    """A request whose answer no call takes any more."""

    @property
    def deployment(self) -> str: ...
    @property
    def holder(self) -> str:
        """Under which its money is set aside."""


class Budgets:
    """The budgets as one worker holds its calls against them.

    `rules` are those of the configuration; those that were set at run time stand in the database and come
    before them. `listener` is told what budgets did, for metrics.
    """

    def __init__(
        self,
        rules: Mapping[str, BudgetRule],
        *,
        prices: Prices,
        database: Database,
        worker: str,
        clock: Clock,
        piece: float,
        tools: Mapping[str, ToolServerSettings],
        cheaper: Cheaper,
        listener: BudgetListener,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._configured = dict(rules)
        self._stored: Mapping[str, BudgetRule] = {}
        self._prices = prices
        self._database = database
        self._worker = worker
        self._clock = clock
        self._tools = tools
        self._cheaper = cheaper
        self._listener = listener
        self._purses = Purses(database, worker=worker, clock=clock, piece=piece)
        self._reserve = Reserve(Rules(rules), self._purses, held_of_run=self._held_of_run, patience=patience)
        self._told: dict[tuple[Key, bool], None] = {}
        self._entries: list[Entry] = []
        """What may not be written yet."""
        self._many = TOLD
        """From how many entries on it is seen which of them are written."""

    # The links.

    async def thrift(self, call: ModelCall, proceed: ModelHandler) -> ModelResult:
        """A call's answer, asked for in a cheaper way where a budget nears its end.

        Where a budget is used up that people may raise, they are asked. It stands outside of whatever sends
        several requests for a call.

        Raises:
            BudgetExceeded: a budget doesn't bear the call.
        """
        scope = call.scope
        with self._reserve.frame(scope) as frame:
            with IfBroken(lambda _: self._waste(scope, frame, None)):
                result = await self._asking(scope, lambda: self._sparingly(call, proceed))
            self._waste(scope, frame, result)
            return result

    async def model(self, call: ModelCall, proceed: ModelHandler) -> ModelResult:
        """The answer to one request, priced and entered; and so is a request that brings none.

        Raises:
            BudgetExceeded: a budget doesn't bear the request.
            PriceUnknown: what it may cost can't be known.
        """
        scope, at = call.scope, self._clock.now()
        need = self._prices.bound_of(call, at=at)
        with self._reserve.frame(scope) as frame:
            held = await self._take(scope, frame, model=call.model, need=need, at=at)
            meter = Meter(call)
            on_text = None if call.on_text is None else meter.text
            with IfBroken(lambda error: self._broken(call, held, meter, error)):
                result = await proceed(replace(call, on_text=on_text, on_usage=meter.count))
                result = self._priced(held, result)
            held.frame.answered.append((result.deployment, result.cost))
            self._pay(scope, held, result.cost, model_entry(self._origin(scope, at), result))
            return result

    async def tool(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """A tool's answer with what the call cost, which is set aside before.

        Raises:
            BudgetExceeded: a budget doesn't bear the call.
        """
        settings = self._tools.get(call.tool.server)
        scope, at = call.scope, self._clock.now()
        need = 0 if settings is None else most_of(settings)
        with self._reserve.frame(scope) as frame:
            held = await self._asking(scope, lambda: self._take(scope, frame, model="", need=need, at=at))
            began = monotonic_ms()
            with IfBroken(lambda error: self._broken_tool(call, held, began, error)):
                result = await proceed(call)
            if settings is not None:
                seconds, size = (monotonic_ms() - began) / 1000, size_of(result.text)
                cost = 0 if result.refused_by else price_of(settings, seconds=seconds, size=size)
                result = replace(result, cost=cost) if cost != result.cost else result
            self._pay_tool(call, held, result.cost, "ok", size_of(result.text) if result.cost else 0)
            return result

    # Answers that come in another way.

    async def hold(self, call: ModelCall, holder: str) -> None:
        """Sets the price of a call's batched request aside, durably and once for each name.

        Raises:
            BudgetExceeded: a budget doesn't bear it.
        """
        at = self._clock.now()
        need = self._prices.bound_of(call, at=at, way="batch")
        if not need:
            return
        scope = call.scope
        claims = self._reserve.rules.claims(scope, call.model, at)
        with self._reserve.frame(scope) as frame:
            shortage = await self._reserve.run_shortage(scope, frame, claims.of_run, need)
            if shortage is None:
                frame.held += need
                frame.holders.add(holder)
                parts = tuple(
                    _accounts.Part(claim=claim, since=at, short=need, more=0) for claim in claims.shared
                )
                wish = _accounts.Wish(need=need, parts=parts)
                of_run = tuple(claim.key for claim in claims.of_run)
                shortage = await self._database.commit(
                    lambda connection: _holds.hold(connection, holder=holder, at=at, wish=wish, of_run=of_run)
                )
            if shortage is not None:
                raise self._refused(scope, Refusal(shortage))

    async def redeem(self, call: ModelCall, answer: ModelHandler) -> ModelResult:
        """A batched request's answer, priced and entered; what was set aside for it is given back with it."""
        scope, holder = call.scope, f"{_holds.BATCH}{call.scope.key}"
        since = await self._database.read(lambda connection: _holds.held_since(connection, holder))
        at = since or self._clock.now()
        result = await answer(call)
        cost = self._prices.price_of(
            result.usage, result.deployment, at=at, model=result.model, way=result.way
        )
        result = replace(result, cost=cost)
        self._enter(scope, cost, model_entry(Origin(payer=scope, at=at), result))
        with self._reserve.frame(scope) as frame:
            frame.spent += cost
            frame.answered.append((result.deployment, cost))
        scope.book(0, partial(_holds.settle, holder=holder, cost=cost))
        return result

    def unclaimed(self, connection: Connection, request: Unclaimed, result: ModelResult) -> Micros:
        """Enters an answer that no call takes any more, and gives back what was set aside for it.

        Its cost is what the run is to be charged with, as `call.wasted`.
        """
        at = _holds.held_since(connection, request.holder) or self._clock.now()
        cost = self._prices.price_of(
            result.usage, result.deployment, at=at, model=result.model, way=result.way
        )
        entry = model_entry(Origin(payer=request, at=at), replace(result, cost=cost), outcome="unclaimed")
        record(connection, entry)
        _holds.settle(connection, holder=request.holder, cost=cost)
        return cost

    def release(self, connection: Connection, holder: str) -> None:
        """Gives back what is set aside under a name, if there is any."""
        _holds.settle(connection, holder=holder, cost=0)

    def given_again(self, call: ModelCall, result: ModelResult) -> None:
        """Enters an answer that came from a cache, with what it would have cost."""
        entry = model_entry(self._origin(call.scope, self._clock.now()), result, outcome="cached")
        call.scope.book(0, Entry(entry))

    # How budgets stand.

    @property
    def share(self) -> float:
        """The largest share that is spent of a budget for all calls together, as far as this worker knows."""
        purses = (self._purses.get(claim.key) for claim in self._for_all(self._clock.now()))
        shares = (purse.spent_of_all / purse.limit for purse in purses if purse is not None and purse.limit)
        return max(shares, default=0.0)

    def share_of(self, scope: CallScope, model: str = "") -> float:
        """The largest share that is spent of the budgets that a call falls under, as far as is known."""
        claims = self._reserve.rules.claims(scope, model, self._clock.now())
        return max((share for _, share, _ in self._reserve.shares(scope, claims)), default=0.0)

    # Inside.

    async def _asking(self, scope: CallScope, attempt: Callable[[], Awaitable[T]]) -> T:
        """What an attempt comes to; where a budget refuses it that people may raise, they are asked first."""
        known: dict[Key, int] = {}
        while True:
            try:
                return await attempt()
            except Refusal as refusal:
                claim = refusal.shortage.claim
                if claim.budget.rule.outcome != "ask":
                    raise
                known[claim.key] = await self._raised(scope, refusal, known.get(claim.key, 0))

    async def _raised(self, scope: CallScope, refusal: Refusal, known: int) -> int:
        """How often the budget that refuses a call was raised for its run: more often than was known.

        Raises:
            BudgetExceeded: a person decided otherwise.
        """
        claim = refusal.shortage.claim
        grants = await self._database.read(
            lambda connection: _accounts.grants(connection, scope.run_id, claim.key)
        )
        if grants.count > known:  # for another call of the run, or at an earlier attempt
            self._let_run(claim, grants.total)
            return grants.count
        number = grants.count + 1
        decision = await scope.decision(question_about(refusal.shortage, scope.agent, number))
        amount = amount_of(decision, claim)
        if not amount:
            by = decision.by or "a person"
            raise BudgetExceeded(
                f"{by} doesn't raise the budget {claim.budget.name}. {decision.comment}".strip()
            ) from refusal
        grant = _accounts.Grant(
            run_id=scope.run_id, number=number, amount=amount, at=self._clock.now(), by=decision.by
        )
        if await self._database.commit(lambda connection: _accounts.add_grant(connection, claim, grant)):
            self._tell(scope, "raised", claim, {"micros": amount, "by": decision.by})
        self._let_run(claim, grants.total + amount)
        return number

    def _let_run(self, claim: Claim, raised: Micros) -> None:
        """Takes note of what people have added to a run's own budget, which has no account."""
        if claim.period.end is None:
            self._reserve.raised[claim.key] = max(raised, self._reserve.raised.get(claim.key, 0))

    async def _sparingly(self, call: ModelCall, proceed: ModelHandler) -> ModelResult:
        at = self._clock.now()
        claims = self._reserve.rules.claims(call.scope, call.model, at)
        if claims.saves and not self._prices.is_free(call.model):
            await self._purses.see(claims.shared)
            call = self._saving(call, claims)
        return await proceed(call)

    def _saving(self, call: ModelCall, claims: Claims) -> ModelCall:
        """The call as the budgets want it that near their end."""
        for claim, share, left in tuple(self._reserve.shares(call.scope, claims)):
            rule = claim.budget.rule
            if share < rule.at:
                continue
            if rule.outcome == "degrade" and (to := self._cheaper(call)) is not None:
                self._tell(
                    call.scope, "degraded", claim, {"share": round(share, 4), "from": call.model, "to": to}
                )
                call = replace(call, model=to)
            elif rule.outcome == "wrap_up":
                self._tell(call.scope, "wrapped_up", claim, {"share": round(share, 4), "left_micros": left})
                call = wrapped_up(call, claim, left)
        return call

    async def _take(
        self, scope: CallScope, frame: Frame, *, model: str, need: Micros, at: datetime
    ) -> Reservation:
        try:
            return await self._reserve.take(scope, frame, model=model, need=need, at=at)
        except Refusal as refusal:
            raise self._refused(scope, refusal) from None

    def _refused(self, scope: CallScope, refusal: Refusal) -> Refusal:
        shortage = refusal.shortage
        data: JsonObject = {
            "limit_micros": shortage.limit,
            "spent_micros": shortage.spent,
            "reserved_micros": shortage.set_aside,
            "estimate_micros": shortage.need,
        }
        self._tell(scope, "refused", shortage.claim, data)
        return refusal

    def _priced(self, held: Reservation, result: ModelResult) -> ModelResult:
        """An answer with its cost."""
        cost = 0
        if held.need or not self._prices.is_free(result.deployment):
            cost = self._prices.price_of(
                result.usage, result.deployment, at=held.at, model=result.model, way=result.way
            )
        return replace(result, cost=cost) if cost != result.cost else result

    def _broken(self, call: ModelCall, held: Reservation, meter: Meter, error: BaseException) -> None:
        """Pays for what a request brought before it broke, and enters it if it was sent at all."""
        scope, outcome = call.scope, _outcome(error)
        if isinstance(error, ProctorError) and not (isinstance(error, ModelError) and error.sent):
            self._reserve.settle(held, 0)
            return
        usage, cost = Usage(), 0
        if not isinstance(error, ModelError) or error.produced:
            usage = meter.used(call)
            cost = self._prices.price_of(usage, call.model, at=held.at)
            if meter.usage is None:
                cost = min(cost, held.need)
        entry = request_entry(
            self._origin(scope, held.at),
            deployment=call.model,
            model=self._prices.model_of(call.model),
            usage=usage,
            cost=cost,
            outcome=outcome,
        )
        self._pay(scope, held, cost, entry)
        if cost:
            scope.event("call.wasted", {"deployment": call.model, "outcome": outcome, "cost": cost})

    def _broken_tool(self, call: ToolCall, held: Reservation, began: float, error: BaseException) -> None:
        """Pays for a call that may have been made, as far as is known."""
        settings, cost = self._tools.get(call.tool.server), 0
        if settings is not None and isinstance(error, asyncio.CancelledError | ToolServerUnavailable):
            cost = price_of(settings, seconds=(monotonic_ms() - began) / 1000, size=0)
        self._pay_tool(call, held, cost, _outcome(error), 0)

    def _waste(self, scope: CallScope, frame: Frame, result: ModelResult | None) -> None:
        """Logs answers that were paid for and don't count: another one was faster, or nobody takes them."""
        counted = None if result is None or result.cached else (result.deployment, result.cost)
        for answer in frame.answered:
            if answer == counted:
                counted = None
            elif answer[1]:
                scope.event("call.wasted", {"deployment": answer[0], "outcome": "unused", "cost": answer[1]})
        frame.answered.clear()

    def _pay_tool(self, call: ToolCall, held: Reservation, cost: Micros, outcome: str, size: int) -> None:
        if not cost:
            self._reserve.settle(held, 0)
            return
        origin = self._origin(call.scope, held.at)
        self._pay(call.scope, held, cost, tool_entry(origin, call, cost=cost, outcome=outcome, size=size))
        if outcome != "ok":
            name = f"{call.tool.server}.{call.tool.name}"
            call.scope.event("call.wasted", {"tool": name, "outcome": outcome, "cost": cost})

    def _pay(self, scope: CallScope, held: Reservation, cost: Micros, row: LedgerRow) -> None:
        self._reserve.settle(held, cost)
        self._enter(scope, cost, row)
        if cost:
            self._warn(scope, held.claims)

    def _enter(self, scope: CallScope, cost: Micros, row: LedgerRow) -> None:
        entry = Entry(row)
        scope.book(cost, entry)
        self._entries.append(entry)
        if len(self._entries) > self._many:
            self._entries = [each for each in self._entries if not each.written]
            self._many = max(TOLD, 2 * len(self._entries))

    def _warn(self, scope: CallScope, claims: Claims) -> None:
        for claim, share, _ in self._reserve.shares(scope, claims):
            if share < claim.budget.rule.at:
                continue
            mark = (claim.key, share >= 1)
            if mark not in self._told:
                if len(self._told) >= TOLD:
                    self._told.clear()
                self._told[mark] = None
                self._tell(scope, "warned", claim, {"share": round(share, 4)})

    def _tell(self, scope: CallScope, what: Happening, claim: Claim, data: JsonObject) -> None:
        named: JsonObject = {
            "budget": claim.budget.name,
            "subject": claim.subject,
            "period": claim.period.label,
            **data,
        }
        match what:
            case "refused":
                scope.event("budget.refused", named)
            case "warned":
                scope.event("budget.warned", named)
            case "degraded":
                scope.event("budget.degraded", named)
            case "wrapped_up":
                scope.event("budget.wrapped_up", named)
            case "raised":
                scope.event("budget.raised", named)
        self._listener(what, claim.budget.name)

    def _origin(self, payer: Payer, at: datetime) -> Origin:
        return Origin(payer=payer, at=at, worker=self._worker)

    # Upkeep.

    @property
    def rules(self) -> Rules:
        """The budgets that hold now."""
        return self._reserve.rules

    async def look(self) -> None:
        """Takes up what was set at run time, and sees how the budgets for all calls together stand.

        Raises:
            ConfigurationError: what was set can't be read; the former budgets hold.
        """
        at = self._clock.now()
        stored, known = await self._database.read(
            lambda connection: (stored_budgets(connection), in_force(connection))
        )
        rules = self.rules if stored == self._stored else Rules({**self._configured, **stored})
        if known != counted(rules.budgets):
            await self._database.commit(lambda connection: take_up(connection, rules.budgets, at))
        if rules is not self.rules:
            self._stored, self._reserve.rules = stored, rules
            # A limit may be lower now: nobody draws on what was taken under the former one.
            await self._purses.tidy(all_of_it=True)
        self._purses.follow(self._for_all(at), at)

    async def tidy(self) -> None:
        """Gives back what isn't used, and sees how the accounts stand."""
        await self._purses.tidy()

    async def close(self) -> None:
        """Gives everything back but what is spent. What isn't in the ledger stays until it is reconciled."""
        await self._purses.close(keeps=not all(entry.written for entry in self._entries))

    def _for_all(self, at: datetime) -> Iterator[Claim]:
        """The accounts of budgets for all calls together."""
        for budget in self.rules.budgets:
            if budget.rule.scope == "global":
                yield claim_of(budget, "", period_of(budget.rule, at))

    async def _held_of_run(self, keys: tuple[Key, ...]) -> Mapping[Key, Mapping[str, Micros]]:
        return await self._database.read(lambda connection: _holds.held_of(connection, keys))


def _outcome(error: BaseException) -> str:
    if isinstance(error, ProctorError):
        return error.code
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
