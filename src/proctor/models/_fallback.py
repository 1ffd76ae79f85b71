"""Who stands in for a deployment that doesn't answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeAlias

from proctor.core import (
    ConfigurationError,
    DeploymentSettings,
    JsonObject,
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ProctorError,
    Unavailable,
)
from proctor.models._retry import Listened

FallbackListener: TypeAlias = Callable[[ModelCall, str, ProctorError], None]
"""Is told of each call that goes on to another deployment, with that one's name and what failed before."""


def stand_ins(deployments: Mapping[str, DeploymentSettings]) -> dict[str, tuple[str, ...]]:
    """The deployments that stand in for each one that has any, in order: each followed by its own.

    Raises:
        ConfigurationError: one that is named isn't configured, or they name each other in a circle.
    """
    return {
        name: _following(name, deployments, (name,))
        for name, settings in deployments.items()
        if settings.fallback
    }


def _following(
    name: str, deployments: Mapping[str, DeploymentSettings], above: tuple[str, ...]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for next_one in deployments[name].fallback:
        if next_one not in deployments:
            near = get_close_matches(next_one, deployments, n=1)
            raise ConfigurationError(
                f"models.{name}.fallback names {next_one!r}, which is no deployment",
                hint=f"Did you mean {near[0]}?" if near else f"Add a section [models.{next_one}].",
            )
        if next_one in above:
            circle = " → ".join((*above[above.index(next_one) :], next_one))
            raise ConfigurationError(
                f"models.{name}.fallback leads back to where it came from: {circle}",
                hint="Take one of these names out.",
            )
        found |= dict.fromkeys((next_one, *_following(next_one, deployments, (*above, next_one))))
    return tuple(found)


def fallback(
    deployments: Mapping[str, DeploymentSettings], *, on_fallback: FallbackListener
) -> ModelMiddleware:
    """A middleware that asks a deployment's stand-ins, one after the other, where it fails for good.

    It stands outside of breaker, rate, retries and money: each deployment has its own. Only what the
    provider is to blame for makes it ask the next one, and only while no piece of an answer has reached the
    caller and the run's attempt has time left. Each step is an event of the run.

    Raises:
        ConfigurationError: a stand-in isn't configured, or they name each other in a circle.
    """
    following = stand_ins(deployments)

    def middleware(call: ModelCall, handle: ModelHandler) -> Awaitable[ModelResult]:
        left = following.get(call.model)
        return handle(call) if left is None else stood_in_for(call, handle, left)

    async def stood_in_for(call: ModelCall, handle: ModelHandler, left: tuple[str, ...]) -> ModelResult:
        listened = Listened(call.on_text)
        heard = call if call.on_text is None else replace(call, on_text=listened)

        async def ask(name: str, left: tuple[str, ...]) -> ModelResult:
            try:
                return await handle(heard if name == heard.model else replace(heard, model=name))
            except ProctorError as error:
                # What isn't the provider's fault would meet the next one too, or must be seen: a spent
                # budget, a request that is refused, a database that is away.
                blameless = not error.retryable or isinstance(error, Unavailable)
                if blameless or not left or listened.spoken or call.scope.seconds_left() <= 0:
                    raise
                data: JsonObject = {"from": name, "to": left[0], "error": error.code}
                call.scope.event("model.fell_back", data)
                on_fallback(call, left[0], error)
                return await ask(left[0], left[1:])

        return await ask(call.model, left)

    return middleware
