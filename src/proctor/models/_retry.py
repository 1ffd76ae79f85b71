"""Sends a request again where that can help, and never where the caller would notice."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import TypeAlias

from proctor.core import (
    Clock,
    DeploymentSettings,
    JsonObject,
    ModelCall,
    ModelError,
    ModelHandler,
    ModelMiddleware,
    ModelResting,
    ModelResult,
    ProctorError,
    Unavailable,
)

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
"""Who asks for a longer pause than this fails the call, be it a provider or a deployment that rests."""

RetryListener: TypeAlias = Callable[[ModelCall, ProctorError], None]
"""Is told of each failure after which the request is sent again."""


def retry(
    deployments: Mapping[str, DeploymentSettings],
    *,
    clock: Clock,
    rng: Random,
    on_retry: RetryListener,
) -> ModelMiddleware:
    """A middleware that repeats retryable failures as often as the deployment's `retries` allow.

    It waits as long as the provider asks, else a random part ("full jitter") of 0.5 s doubled each
    time, at most 30 s; what would have to wait beyond the end of the run's attempt fails at once. A
    deployment that rests is waited for where nobody stands in for it; nothing was sent then, so that is no
    retry. Once a piece of the answer has reached the caller nothing is sent again. Each repetition is an
    event of the run.
    """

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        listened = Listened(call.on_text)
        heard = call if call.on_text is None else replace(call, on_text=listened)
        tries: _Tries | None = None
        while True:
            try:
                result = await handle(heard)
            except ProctorError as error:
                tries = tries or _Tries(call, deployments.get(call.model), rng)
                wait = None if listened.spoken else tries.wait_after(error)
                if wait is None:
                    raise
                data: JsonObject = {
                    "attempt": tries.attempt,
                    "deployment": call.model,
                    "error": error.code,
                    "wait_s": round(wait, 3),
                }
                call.scope.event("model.retried", data)
                on_retry(call, error)
            else:
                failed = 0 if tries is None else tries.failed
                return replace(result, attempts=failed + result.attempts) if failed else result
            await clock.sleep(wait)

    return middleware


class _Tries:
    """What became of one call's requests so far, and whether another one is worth its wait."""

    def __init__(self, call: ModelCall, settings: DeploymentSettings | None, rng: Random) -> None:
        self._call = call
        self._retries = settings.retries if settings else 0
        self._stood_in_for = bool(settings and settings.fallback)
        self._rng = rng
        self.failed = 0
        """Requests that were sent."""
        self.attempt = 0
        """The one that failed last."""
        self._rests = 0

    def wait_after(self, error: ProctorError) -> float | None:
        """Seconds until the request is sent again; none where it isn't."""
        if not error.retryable or isinstance(error, Unavailable):
            return None  # who waits for a database that is away is the database's own concern
        self.attempt = self.failed + 1
        wait = self._rest(error) if isinstance(error, ModelResting) else self._pause(error)
        if wait is None or wait > PATIENCE_SECONDS or wait >= self._call.scope.seconds_left():
            return None
        return wait

    def _pause(self, error: ProctorError) -> float | None:
        self.failed += 1
        if self.failed > self._retries:
            return None
        if isinstance(error, ModelError) and error.retry_after is not None:
            return error.retry_after
        return self._jitter(self.failed)

    def _rest(self, error: ModelResting) -> float | None:
        if self._stood_in_for:
            return None
        self._rests += 1
        # Those who waited for the same moment must not all come back at it.
        return (error.retry_after or 0.0) + self._jitter(self._rests)

    def _jitter(self, time: int) -> float:
        # It spreads requests that failed together, and needs no secrecy.
        return self._rng.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 2 ** (time - 1)))


class Listened:
    """Passes text on and remembers that there was some."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self.spoken = False
        self._on_text = on_text

    def __call__(self, text: str) -> None:
        self.spoken = True
        if self._on_text is not None:
            self._on_text(text)
