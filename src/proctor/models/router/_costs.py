"""What a call would cost at a deployment, about: from rates that are asked for once, not at each call."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple, TypeAlias

from proctor.core import Clock, DeploymentSettings, Micros, ModelCall, Usage
from proctor.models.router._features import Features
from proctor.models.router._health import Health
from proctor.models.router._warm import LEAST_TOKENS, WarmPrompts

Price: TypeAlias = Callable[[str, Usage], Micros | None]
"""What tokens cost at a deployment; None where that isn't known."""

USUAL_ANSWER = 300
"""Tokens of an answer, where no recent one tells."""
LEAST_ASKED = 4_096
"""Tokens by which rates are asked for: of fewer, rounding would be seen."""
MOST_RATES = 1_024


class _Rates(NamedTuple):
    """Micro-dollars for one token."""

    input: float
    cached: float
    output: float


class Costs:
    """Expected costs, with what providers remember of a prompt."""

    def __init__(
        self,
        price: Price,
        deployments: Mapping[str, DeploymentSettings],
        health: Health,
        warm: WarmPrompts,
        clock: Clock,
    ) -> None:
        self.price = price
        self._deployments = deployments
        self._health = health
        self._warm = warm
        self._clock = clock
        self._rates: dict[tuple[str, int, date], _Rates | None] = {}

    def warm(self, call: ModelCall, read: Features, deployment: str) -> int:
        """Tokens of the prompt that the deployment's provider is taken to remember."""
        settings = self._deployments.get(deployment)
        if settings is None or not settings.prompt_cache:
            return 0
        shared = self._warm.shared(call, deployment)
        if shared < 0:
            return 0
        tokens = read.tokens_of(shared)
        return tokens if tokens >= LEAST_TOKENS else 0

    def of(
        self, call: ModelCall, read: Features, deployment: str, *, warm: int | None = None
    ) -> Micros | None:
        """What the call would cost, about; None where the price isn't known."""
        rates = self._rates_of(deployment, read.tokens)
        if rates is None:
            return None
        if warm is None:
            warm = self.warm(call, read, deployment)
        output = self._health.of(deployment).output or USUAL_ANSWER
        return round((read.tokens - warm) * rates.input + warm * rates.cached + output * rates.output)

    def _rates_of(self, deployment: str, tokens: int) -> _Rates | None:
        """The rates of a deployment for about such a prompt: prices go by length, and change by the day."""
        asked = max(LEAST_ASKED, 1 << max(0, tokens.bit_length() - 1))
        key = deployment, asked, self._clock.now().date()
        if key not in self._rates:
            if len(self._rates) >= MOST_RATES:
                self._rates.clear()
            self._rates[key] = self._ask(deployment, asked)
        return self._rates[key]

    def _ask(self, deployment: str, tokens: int) -> _Rates | None:
        fresh = self.price(deployment, Usage(input=tokens))
        cached = self.price(deployment, Usage(input=tokens, cached_input=tokens))
        both = self.price(deployment, Usage(input=tokens, output=tokens))
        if fresh is None or cached is None or both is None:
            return None
        return _Rates(fresh / tokens, cached / tokens, (both - fresh) / tokens)
