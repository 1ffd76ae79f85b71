"""Deployments that fail again and again are left alone for a while, until a probe finds them well."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, TypeAlias

from proctor.core import (
    Clock,
    DeploymentSettings,
    ModelCall,
    ModelHandler,
    ModelRefused,
    ModelResting,
    ModelResult,
    ProctorError,
    Unavailable,
)

log = logging.getLogger("proctor.models")

LONGEST = 8
"""Times `breaker_pause`, which doubles with each probe that fails."""
PROBING_SECONDS = 1.0
"""After which to look again while another call probes."""

BreakerState = Literal["closed", "open", "half_open"]
"""`closed`: calls pass. `open`: none does. `half_open`: one at a time probes."""

Ending = Literal["answered", "failed", "void"]
"""`void` tells nothing of the provider: a spent budget, a database that is away, a cancellation."""

BreakerListener: TypeAlias = Callable[[str, BreakerState], None]
"""Is told of each change: of which deployment, and to which state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLook:
    """Where one deployment's breaker stands in this process."""

    deployment: str
    state: BreakerState
    failures: int
    """In a row."""
    rests_for: float
    """Seconds until it may be probed."""


class Breakers:
    """One breaker for each deployment, all in this process, and their link of the model chain."""

    def __init__(
        self, deployments: Mapping[str, DeploymentSettings], *, clock: Clock, on_change: BreakerListener
    ) -> None:
        self._breakers = {
            name: _Breaker(name, settings, clock, on_change) for name, settings in deployments.items()
        }

    async def model(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        """The deployment's answer, where it doesn't rest; how the call ends is taken note of.

        Raises:
            ModelResting: it rests, or is being probed; nothing was sent.
        """
        breaker = self._breakers.get(call.model)
        if breaker is None:
            return await handle(call)
        era = breaker.begin()
        ending: Ending = "void"
        try:
            result = await handle(breaker.listening(call, era))
            ending = "answered"
        except ProctorError as error:
            ending = _ending(error, call)
            raise
        finally:
            breaker.end(era, ending)
        return result

    def states(self) -> tuple[BreakerLook, ...]:
        """Where every deployment's breaker stands."""
        return tuple(breaker.look() for breaker in self._breakers.values())


def _ending(error: ProctorError, call: ModelCall) -> Ending:
    if isinstance(error, ModelRefused) and error.sent:
        return "answered"  # who refuses a request is there
    if not error.retryable or isinstance(error, Unavailable | ModelResting):
        return "void"
    # A request that was cut off by the end of its run may have been answered in time by a healthy provider.
    return "failed" if call.scope.seconds_left() > 0 else "void"


class _Breaker:
    """One deployment's breaker. Between its looks and its changes nothing is awaited."""

    def __init__(
        self, name: str, settings: DeploymentSettings, clock: Clock, on_change: BreakerListener
    ) -> None:
        self._name = name
        self._most = settings.breaker_failures
        self._shortest = settings.breaker_pause
        self._clock = clock
        self._on_change = on_change
        self._state: BreakerState = "closed"
        self._era = 0
        self._failures = 0
        self._openings = 0
        self._until = clock.now()
        self._probing = False

    def begin(self) -> int:
        """The era that a call belongs to: what it comes to counts in that one alone."""
        if self._state == "open":
            if (rest := self._rest()) > 0:
                raise self._resting(rest)
            self._turn("half_open")
        if self._state == "half_open":
            if self._probing:
                raise self._resting(PROBING_SECONDS)
            self._probing = True
        return self._era

    def listening(self, call: ModelCall, era: int) -> ModelCall:
        """The call; a probe whose answer is streamed has found the provider well at the first word."""
        tell = call.on_text
        if tell is None or self._state != "half_open":
            return call

        def hear(text: str) -> None:
            self.end(era, "answered")
            tell(text)

        return replace(call, on_text=hear)

    def end(self, era: int, ending: Ending) -> None:
        """Takes note of what a call came to."""
        if era != self._era:
            return  # it began before the last change, and tells nothing of now
        self._probing = False
        if ending == "answered":
            self._failures = self._openings = 0
            if self._state != "closed":
                self._turn("closed")
        elif ending == "failed":
            self._failures += 1
            if self._state == "half_open" or self._failures >= self._most:
                self._openings += 1
                self._until = self._clock.now() + self._pause
                self._turn("open")

    def look(self) -> BreakerLook:
        """Where it stands."""
        return BreakerLook(
            deployment=self._name,
            state=self._state,
            failures=self._failures,
            rests_for=self._rest() if self._state == "open" else 0.0,
        )

    @property
    def _pause(self) -> timedelta:
        return self._shortest * min(1 << (self._openings - 1), LONGEST)

    def _rest(self) -> float:
        left = self._until - self._clock.now()
        # A clock that was set back must not prolong it.
        return left.total_seconds() if timedelta(0) < left <= self._pause else 0.0

    def _resting(self, seconds: float) -> ModelResting:
        return ModelResting(
            f"{self._name} is not asked for now: its last {self._failures} requests failed",
            hint=f"It is probed again in {seconds:.0f} s. See what its provider says of its state.",
            retry_after=seconds,
        )

    def _turn(self, state: BreakerState) -> None:
        self._state = state
        self._era += 1
        if state == "open":
            seconds = self._pause.total_seconds()
            log.warning("%s is not asked for %g s: %d failures in a row", self._name, seconds, self._failures)
        elif state == "closed":
            log.info("%s answers again", self._name)
        self._on_change(self._name, state)
