"""What is done to the workers and to what they depend on, and when: drawn from one seed."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, assert_never, get_args

from proctor.core import ModelCall, ModelNonsense, ModelOverloaded, ModelUnreachable

EngineKind = Literal["embedded", "temporal"]
Aim = Literal["model call", "before effect", "after effect", "anywhere", "start"]
Blow = Literal["kill", "freeze", "drain", "store kill", "database restart"]
ProviderFault = Literal["rate limit", "overloaded", "unreachable", "cut off", "nonsense", "hang"]

AIMS: tuple[Aim, ...] = get_args(Aim)
PROVIDER_FAULTS: tuple[ProviderFault, ...] = get_args(ProviderFault)

LAST_STRIKE = 0.9
"""Of all model calls: behind it there may be too little left to strike at."""
HELD_UP = 0.2
"""Seconds for which a provider asks to wait."""
TIME_OUT = 1.0
"""Seconds after which a provider that hangs is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    engine: EngineKind
    workers: int
    window: int
    """Runs at a time."""
    kills: int
    store_kills: int
    freezes: int
    drains: int
    database_restarts: int
    provider_faults: float
    """The share of model calls that fail."""
    seed: int

    @property
    def strikes(self) -> Mapping[Blow, int]:
        """How often each thing happens to processes."""
        return {
            "kill": self.kills,
            "freeze": self.freezes,
            "drain": self.drains,
            "store kill": self.store_kills,
            "database restart": self.database_restarts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """Something bad that is to come."""

    at: float
    """Model calls after which it is due."""
    blow: Blow
    aim: Aim = "anywhere"
    """Of a kill: where the worker stands then."""


def plan(sizes: Sizes, model_calls: int, rng: Random) -> Iterator[Strike]:
    """Every strike, in order, spread over the whole work; what strikes takes turns in an order of chance."""
    rounds = -(-sizes.kills // len(AIMS))
    strikes: list[tuple[Blow, Aim]] = [("kill", aim) for _ in range(rounds) for aim in AIMS][: sizes.kills]
    others = ((blow, count) for blow, count in sizes.strikes.items() if blow != "kill")
    strikes += [(blow, "anywhere") for blow, count in others for _ in range(count)]
    rng.shuffle(strikes)
    moments = sorted(rng.uniform(0, LAST_STRIKE * model_calls) for _ in strikes)
    for at, (blow, aim) in zip(moments, strikes, strict=True):
        yield Strike(at=at, blow=blow, aim=aim)


async def fail_as_a_provider(fault: ProviderFault, call: ModelCall) -> None:
    """Never returns: raises what a provider's fault becomes.

    Raises:
        ModelError: always, and one that may pass.
    """
    match fault:
        case "rate limit":
            raise ModelOverloaded("429: too many requests", retry_after=HELD_UP)
        case "overloaded":
            raise ModelOverloaded("503: overloaded")
        case "unreachable":
            raise ModelUnreachable("connection refused")
        case "cut off":
            if call.on_text is not None:
                call.on_text("The customer of ca")
            raise ModelUnreachable("the connection broke in the middle of the answer")
        case "nonsense":
            raise ModelNonsense("the answer is no JSON")
        case "hang":
            await asyncio.sleep(TIME_OUT)
            raise ModelUnreachable(f"no answer within {TIME_OUT:g} s")
        case _:
            assert_never(fault)
