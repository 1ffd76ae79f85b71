"""Answers that are given again: to the same request, and where that is wanted to nearly the same question.

The database holds them for all workers. It knows no price and no ledger: whoever books a hit is told of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection

from proctor.core import (
    CacheSettings,
    Clock,
    ConfigurationError,
    DatabaseUnavailable,
    DeploymentSettings,
    JsonObject,
    ModelCall,
    ModelHandler,
    ModelResult,
    Pace,
)
from proctor.models import _cache_sql as sql
from proctor.models._cache_key import family_of, key_of, shape_of
from proctor.models._kept import Front, Kept, result_of, text_of
from proctor.models._semantic import Embed, Question, nearest, question_of
from proctor.store import Database

FRONT_BYTES = 16_000_000
"""Of answers that a process has at hand without asking the database."""
LOOK_SECONDS = 1.0
"""A database that takes longer has no answer: the model is asked instead."""
_PAGE = 500
"""Answers that are pruned in one transaction: others' records wait for it."""
_KEPT = frozenset(("stop", "tool_calls"))
"""How an answer ends that is given again; one that was cut off may turn out better the next time."""

Allowed: TypeAlias = Callable[[str, str], bool]
"""Whether an agent of a team, by its place, may be answered from a cache."""
HitListener: TypeAlias = Callable[[ModelCall, ModelResult], None]
"""Is told of each answer that was given again."""

T = TypeVar("T")

_log = logging.getLogger("proctor.models")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cached:
    """A deployment that answers again."""

    settings: CacheSettings
    shape: JsonObject


class Cache:
    """The cache of all deployments that have one; `model` is its link of the chain.

    Identical calls that one process makes at the same time share one request. The first of them leads; where
    it fails or is cancelled, the next one takes its place.

    Raises:
        ConfigurationError: similar questions shall be answered and nothing here can compare them.
    """

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        *,
        database: Database,
        clock: Clock,
        allowed: Allowed,
        on_hit: HitListener,
        embed: Embed | None = None,
        front_bytes: int = FRONT_BYTES,
    ) -> None:
        self._cached = {
            name: _Cached(settings=settings.cache, shape=shape_of(settings))
            for name, settings in deployments.items()
            if settings.cache is not None
        }
        for name, cached in self._cached.items():
            if cached.settings.similarity is not None and embed is None:
                raise ConfigurationError(
                    f"models.{name}.cache.similarity compares embeddings, and there are none here",
                    hint="Install proctor-runtime[embeddings], or take `similarity` out.",
                )
        self._database = database
        self._clock = clock
        self._allowed = allowed
        self._on_hit = on_hit
        self._embed = embed
        self._front = Front(front_bytes)
        self._flights: dict[tuple[str, Pace], asyncio.Future[str | None]] = {}
        self._writing: set[asyncio.Future[None]] = set()

    @property
    def is_used(self) -> bool:
        """Whether any deployment has a cache."""
        return bool(self._cached)

    def model(self, call: ModelCall, proceed: ModelHandler) -> Awaitable[ModelResult]:
        """A model's answer: one that was given before to the same request, or a new one, which is kept."""
        cached = self._cached.get(call.model)
        if cached is None or not self._allowed(call.scope.team, call.scope.agent):
            return proceed(call)
        return self._recalled(call, proceed, cached)

    async def _recalled(self, call: ModelCall, proceed: ModelHandler, cached: _Cached) -> ModelResult:
        key = key_of(call, cached.shape)
        # Who can't wait doesn't wait for who can.
        place = (key, call.scope.pace)
        while True:
            if (text := self._front.get(key, self._clock.now())) is not None:
                return self._hit(call, text)
            flight = self._flights.get(place)
            if flight is None:
                break
            # Shielded: who stops waiting must not end the others' flight.
            if (text := await asyncio.shield(flight)) is not None:
                return self._hit(call, text)
        flight = self._flights[place] = asyncio.get_running_loop().create_future()
        try:
            result, text = await self._lead(call, proceed, key, cached)
            flight.set_result(text)
        finally:
            del self._flights[place]
            if not flight.done():
                flight.set_result(None)  # all wake up, and the first of them leads
        return result

    async def prune(self) -> None:
        """Deletes the answers whose time is over, page by page."""
        now = self._clock.now()
        while await self._database.commit(lambda connection: sql.prune(connection, now, limit=_PAGE)):
            pass

    def forget(self) -> None:
        """Drops what this process has at hand: some of it was erased from the database."""
        self._front.clear()

    async def _lead(
        self, call: ModelCall, proceed: ModelHandler, key: str, cached: _Cached
    ) -> tuple[ModelResult, str]:
        """The answer, and its text for those who wait for it."""
        text = await self._look(key, cached.settings)
        if text is not None:
            return self._hit(call, text), text
        question = await self._question(call, cached)
        if question is not None:
            text = await self._look_near(call, question, cached.settings)
            if text is not None:
                return self._hit(call, text), text
        result = await proceed(call)
        text = text_of(result)
        # A stand-in's answer isn't what was asked for: the next call shall try again.
        if result.finish_reason in _KEPT and result.deployment == call.model:
            self._keep(call, key, text, cached.settings, question if result.finish_reason == "stop" else None)
        return result, text

    async def _look(self, key: str, settings: CacheSettings) -> str | None:
        kept = await self._read(partial(sql.find, key=key, now=self._clock.now(), ttl=settings.ttl))
        if kept is None:
            return None
        self._front.put(key, kept)
        return kept.text

    async def _question(self, call: ModelCall, cached: _Cached) -> Question | None:
        """The question of a call that may be answered as one like it was."""
        if cached.settings.similarity is None or self._embed is None:
            return None
        text = question_of(call)
        if text is None:
            return None
        [vector] = await self._embed([text])
        return Question(text=text, vector=vector, family=family_of(call, cached.shape))

    async def _look_near(self, call: ModelCall, question: Question, settings: CacheSettings) -> str | None:
        assert settings.similarity is not None
        query = partial(sql.candidates, family=question.family, now=self._clock.now(), ttl=settings.ttl)
        near = nearest(question, await self._read(query) or (), at_least=settings.similarity)
        if near is None:
            return None
        data: JsonObject = {
            "deployment": call.model,
            "question": near.candidate.question,
            "similarity": round(near.similarity, 3),
        }
        call.scope.event("model.recalled", data)
        return near.candidate.answer

    async def _read(self, query: Callable[[Connection], T]) -> T | None:
        """What a query finds; nothing where the database is slow or away."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._database.read(query)
        except (TimeoutError, DatabaseUnavailable):
            return None

    def _keep(
        self, call: ModelCall, key: str, text: str, settings: CacheSettings, question: Question | None
    ) -> None:
        now = self._clock.now()
        row = sql.Row(
            key=key,
            family="" if question is None else question.family,
            tenant=call.scope.tenant,
            deployment=call.model,
            at=now,
            expires_at=now + settings.ttl,
            answer=text,
            question="" if question is None else question.text,
            vector=None if question is None else question.packed,
            run_id=call.scope.run_id,
        )
        self._front.put(key, Kept(text=text, until=row.expires_at))
        # Nobody waits for it: it takes the next commit of this process along.
        writing = self._database.commit(lambda connection: sql.put(connection, row))
        self._writing.add(writing)
        writing.add_done_callback(self._written)

    def _written(self, writing: "asyncio.Future[None]") -> None:
        self._writing.discard(writing)
        if not writing.cancelled() and (error := writing.exception()) is not None:
            _log.warning("an answer could not be kept for others: %s", error)

    def _hit(self, call: ModelCall, text: str) -> ModelResult:
        result = result_of(text, call.scope.key)
        content = result.message.get("content")
        if call.on_text is not None and isinstance(content, str) and content:
            call.on_text(content)
        self._on_hit(call, result)
        return result
