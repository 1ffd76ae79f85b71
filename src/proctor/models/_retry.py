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
    ModelResult,
    ProctorError,
)

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
"""A provider that asks for a longer pause than this fails the call."""

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
    time, at most 30 s. Once a piece of the answer has reached the caller nothing is sent again. Each
    repetition is an event of the run.
    """

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        listened = Listened(call.on_text)
        heard = call if call.on_text is None else replace(call, on_text=listened)
        settings = deployments.get(call.model)
        retries = settings.retries if settings else 0
        attempt = 1
        while True:
            try:
                result = await handle(heard)
            except ProctorError as error:
                wait = _wait(error, attempt, rng)
                if not error.retryable or listened.spoken or attempt > retries or wait > PATIENCE_SECONDS:
                    raise
                data: JsonObject = {
                    "attempt": attempt,
                    "deployment": call.model,
                    "error": error.code,
                    "wait_s": round(wait, 3),
                }
                call.scope.event("model.retried", data)
                on_retry(call, error)
            else:
                return result if attempt == 1 else replace(result, attempts=attempt)
            await clock.sleep(wait)
            attempt += 1

    return middleware


def _wait(error: ProctorError, attempt: int, rng: Random) -> float:
    if isinstance(error, ModelError) and error.retry_after is not None:
        return error.retry_after
    # The jitter spreads requests that failed together; it needs no secrecy.
    return rng.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 2 ** (attempt - 1)))


class Listened:
    """Passes text on and remembers that there was some."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self.spoken = False
        self._on_text = on_text

    def __call__(self, text: str) -> None:
        self.spoken = True
        if self._on_text is not None:
            self._on_text(text)
