"""What tokens cost: the deployment's own price, else the published one that ships with `genai-prices`.

Nothing is ever downloaded: a published price is as new as the installed package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from proctor.core import DeploymentSettings, JsonValue, Micros, PriceSettings, PriceUnknown, Usage, to_micros

_SCALE = 10**9
"""Own prices are kept as billionths of a micro-dollar for a token, so that sums are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rates:
    input: int
    cached_input: int
    output: int

    def cost(self, usage: Usage) -> Micros:
        cached = min(usage.cached_input, usage.input)
        total = (usage.input - cached) * self.input + cached * self.cached_input + usage.output * self.output
        return (2 * total + _SCALE) // (2 * _SCALE)


class Prices:
    """The prices of the configured deployments."""

    def __init__(self, deployments: Mapping[str, DeploymentSettings]) -> None:
        self._deployments = deployments
        self._own = {
            name: _rates(settings.price)
            for name, settings in deployments.items()
            if isinstance(settings.price, PriceSettings)
        }

    def options_of(self, name: str) -> dict[str, JsonValue]:
        """The options that every request to a deployment has."""
        settings = self._deployments.get(name)
        return dict(settings.options) if settings is not None else {}

    def is_free(self, deployment: str) -> bool:
        """Whether calls of the deployment cost nothing."""
        settings = self._deployments.get(deployment)
        return settings is not None and settings.is_free

    def has_price(self, deployment: str) -> bool:
        """Whether calls of the deployment can be priced. The first use loads the published prices: 0.5 s."""
        if self.is_free(deployment) or deployment in self._own:
            return True
        settings = self._deployments.get(deployment)
        return settings is not None and _is_published(settings.address, settings.model)

    def price_of(self, usage: Usage, deployment: str, *, at: datetime, model: str = "") -> Micros:
        """What the tokens cost, rounded half up to the micro-dollar.

        Cached input is priced apart. A published price is that of `model`, which answered, at that time and
        for that length of input; where it isn't listed, that of the model which the deployment asks for.

        Raises:
            PriceUnknown: the deployment has no price of its own and none is published.
        """
        if self.is_free(deployment):
            return 0
        if own := self._own.get(deployment):
            return own.cost(usage)
        settings = self._deployments.get(deployment)
        if settings is None:
            raise PriceUnknown(
                f"no model is named {deployment!r}", hint=f"Add a section [models.{deployment}]."
            )
        for name in (model, settings.model):
            if name and _is_published(settings.address, name):
                return to_micros(_published(usage, settings.address, name, at))
        raise PriceUnknown(
            f"what {settings.model} costs at {settings.address} isn't known",
            hint=f"In [models.{deployment}], set `price = {{ input = …, output = … }}`, in dollars for a "
            'million tokens, or `price = "free"`.',
        )


def _rates(price: PriceSettings) -> _Rates:
    cached = price.input if price.cached_input is None else price.cached_input
    # Dollars for a million tokens are micro-dollars for one.
    input, cached_input, output = (
        int((dollars * _SCALE).to_integral_value(ROUND_HALF_UP))
        for dollars in (price.input, cached, price.output)
    )
    return _Rates(input=input, cached_input=cached_input, output=output)


def _published(usage: Usage, address: str, model: str, at: datetime) -> Decimal:
    import genai_prices  # 0.5 s with its data, and many a deployment has a price of its own

    tokens = genai_prices.Usage(
        input_tokens=usage.input,
        cache_read_tokens=min(usage.cached_input, usage.input),
        output_tokens=usage.output,
    )
    return genai_prices.calc_price(
        tokens, model, provider_api_url=address, genai_request_timestamp=at
    ).total_price


@lru_cache(maxsize=1024)
def _is_published(address: str, model: str) -> bool:
    """Whether the list holds the model. Remembered, because a miss searches the whole list."""
    some = Usage(input=1_000_000, output=1_000_000)
    try:
        return _published(some, address, model, datetime.now(UTC)) > 0
    except LookupError:
        return False
