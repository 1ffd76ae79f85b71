"""Rates that a provider allows, kept by all workers together: who is too fast waits for its turn."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import TypeAlias

from proctor.core import (
    Clock,
    DeploymentSettings,
    ModelCall,
    ModelError,
    ModelHandler,
    ModelResting,
    ModelResult,
    ProctorError,
)
from proctor.models._bucket import HOLD_SECONDS, Amounts, Bucket, Measure
from proctor.models._hedge import TAG
from proctor.models._rate_sql import Wish, take
from proctor.models._requests import bound_in
from proctor.models._retry import PATIENCE_SECONDS
from proctor.store import Database

MOST_AT_ONCE = 64
"""Calls for which one transaction takes a turn, at most."""
FAIR_SECONDS = 0.1
"""Workers that wait for the same moment come back to it spread over this, so that none is always first."""
MOMENT_SECONDS = 0.5
"""What a second request of a hedged call waits: it takes what is free, and nobody else's turn."""

BYTES_PER_TOKEN = 3
"""Fewer than any usual tokenizer puts in a token, in English and (at three bytes a character) in Chinese."""
IMAGE_BYTES = 6000
"""An image counts as 2,000 tokens, whatever its bytes."""
FIRST_ANSWER = 1024
"""Tokens of an answer, as long as none of a deployment's was seen."""
MEMORY = 8
"""Answers over which the typical length of the next one is averaged, more or less."""

WaitListener: TypeAlias = Callable[[ModelCall, float], None]
"""Is told of each call that had to wait for its turn, and of the seconds."""


class Rates:
    """The turns of all deployments with a limit, and their link of the model chain.

    Others cost nothing. A turn is taken in the database, for several calls at once where the limit is high
    and calls are many, so that not each of them pays for a commit.
    """

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        *,
        database: Database,
        clock: Clock,
        rng: Random,
        on_wait: WaitListener,
    ) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self._gates: dict[str, _Gate] = {}
        for name, settings in deployments.items():
            if settings.requests_per_minute or settings.tokens_per_minute:
                self._gates[name] = _Gate(name, settings, database=database, clock=clock, rng=rng)

    def model(self, call: ModelCall, handle: ModelHandler) -> Awaitable[ModelResult]:
        """The answer to a request that was sent when its turn had come.

        Raises:
            ModelResting: its turn would come too late; nothing was sent.
        """
        gate = self._gates.get(call.model)
        return handle(call) if gate is None else self._in_turn(gate, call, handle)

    async def _in_turn(self, gate: "_Gate", call: ModelCall, handle: ModelHandler) -> ModelResult:
        need = gate.need_of(call)
        began = self._clock.now()
        await gate.enter(need, patience=gate.patience_of(call))
        waited = (self._clock.now() - began).total_seconds()
        if waited > FAIR_SECONDS:
            self._on_wait(call, waited)
        try:
            result = await handle(call)
        except ProctorError as error:
            gate.give_back(need, error)
            raise
        gate.correct(need, result)
        return result


class _Gate:
    """One deployment's turns in this process: first come, first served."""

    def __init__(
        self, name: str, settings: DeploymentSettings, *, database: Database, clock: Clock, rng: Random
    ) -> None:
        limits: dict[Measure, int | None] = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
        }
        self._name = name
        self._settings = settings
        self._database = database
        self._clock = clock
        self._rng = rng
        self._buckets = {measure: Bucket(limit=limit) for measure, limit in limits.items() if limit}
        self._answers = float(min(settings.max_output, FIRST_ANSWER))
        self._turn = asyncio.Lock()
        self._line: dict[Measure, int] = dict.fromkeys(self._buckets, 0)
        self._back: dict[Measure, int] = dict.fromkeys(self._buckets, 0)
        self._held: dict[Measure, int] = dict.fromkeys(self._buckets, 0)
        self._from = self._until = clock.now()
        self._worth = 1

    def need_of(self, call: ModelCall) -> Amounts:
        """What a call takes of each rate; its tokens by an estimate."""
        need: dict[Measure, int] = dict.fromkeys(self._buckets, 1)
        bucket = self._buckets.get("tokens")
        if bucket is not None:
            size = _size(call.messages) + _size(call.tools)
            bound = bound_in({**self._settings.options, **call.options})
            most = bound if isinstance(bound, int) else self._settings.max_output
            tokens = size // BYTES_PER_TOKEN + min(most, round(self._answers))
            need["tokens"] = max(1, min(tokens, bucket.limit))  # more would hold up all others for longer
        return need

    def patience_of(self, call: ModelCall) -> float:
        """Seconds that a call waits for its turn, at most: not for long where another can answer it."""
        if call.attempt_tag == TAG:
            return MOMENT_SECONDS
        left = call.scope.seconds_left()
        return min(left, PATIENCE_SECONDS) if self._settings.fallback else left

    async def enter(self, need: Amounts, *, patience: float) -> None:
        """Returns when a call may be sent.

        Raises:
            ModelResting: that would be later than its patience allows.
        """
        if not any(self._line.values()) and self._draw(need):
            return
        ahead = max(
            (self._line[each] + min(need[each], bucket.burst) - bucket.burst) * bucket.interval
            for each, bucket in self._buckets.items()
        )
        if ahead > patience:
            raise self._too_late(ahead)
        with self._in_line(need):
            try:
                async with asyncio.timeout(patience), self._turn:
                    await self._take_turn(need, patience)
            except TimeoutError:
                raise self._too_late(max(ahead, FAIR_SECONDS)) from None

    def give_back(self, need: Amounts, error: ProctorError) -> None:
        """Takes note of a request that failed: what it can't have used is free again."""
        if not isinstance(error, ModelError) or not error.sent:
            self._return(need)
        elif not error.produced and "tokens" in need:
            self._return({"tokens": need["tokens"]})

    def correct(self, need: Amounts, result: ModelResult) -> None:
        """Takes note of what an answer has really used."""
        if "tokens" in need:
            usage = result.usage
            self._answers += (usage.output - self._answers) / MEMORY
            self._return({"tokens": need["tokens"] - usage.input - usage.output})

    def _return(self, amounts: Amounts) -> None:
        for measure, amount in amounts.items():
            self._back[measure] += amount

    def _draw(self, need: Amounts) -> bool:
        """Whether this process holds what a call needs; then it is the call's own."""
        if not self._from <= self._clock.now() < self._until:
            return False
        if any(self._held[each] < amount for each, amount in need.items()):
            return False
        for each, amount in need.items():
            self._held[each] -= amount
        return True

    async def _take_turn(self, need: Amounts, patience: float) -> None:
        while not self._draw(need):
            now = self._clock.now()
            wait = (self._from - now).total_seconds() if now < self._from else await self._take(need)
            if wait > patience:
                raise self._too_late(wait)
            if wait > 0:
                await self._clock.sleep(wait)

    async def _take(self, need: Amounts) -> float:
        """Takes a turn in the database; gives the seconds after which to look again."""
        soon = self._clock.now() < self._until
        self._worth = min(2 * self._worth, MOST_AT_ONCE) if soon else max(1, self._worth // 2)
        wish = Wish(
            deployment=self._name,
            buckets=self._buckets,
            need=need,
            worth=self._worth,
            back={each: self._back[each] + self._held[each] for each in self._buckets},
        )
        for each in self._buckets:
            self._back[each] = self._held[each] = 0
        turn = await self._database.apart(lambda connection: take(connection, wish, self._clock.now))
        if turn.taken is None:
            return turn.wait + self._rng.uniform(0, FAIR_SECONDS)
        self._held.update(turn.taken)
        self._from = self._clock.now() + timedelta(seconds=turn.wait)
        self._until = self._from + timedelta(seconds=HOLD_SECONDS)
        return turn.wait

    @contextmanager
    def _in_line(self, need: Amounts) -> Iterator[None]:
        for each, amount in need.items():
            self._line[each] += amount
        try:
            yield
        finally:
            for each, amount in need.items():
                self._line[each] -= amount

    def _too_late(self, seconds: float) -> ModelResting:
        return ModelResting(
            f"the rate of {self._name} is taken: a turn comes in {seconds:.1f} s, which is too late",
            hint=f"Raise the limits in [models.{self._name}], or name a fallback.",
            retry_after=seconds,
        )


def _size(value: object) -> int:
    """The bytes of the texts in a value, and a flat number for each image."""
    if isinstance(value, str):
        return IMAGE_BYTES if value.startswith("data:") else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, Sequence):
        return sum(map(_size, value))
    return 4
