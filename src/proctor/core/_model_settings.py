"""`[models.NAME]` and `[router]`: which models there are, what they cost, and who chooses among them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue, PositiveInt, SecretStr, model_validator

from proctor.core._section import Duration, Name, Section

Usd: TypeAlias = Annotated[Decimal, Field(ge=0, le=1_000_000_000)]
"""No more than a database's integers hold as micro-dollars, and sums of it as well."""
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]

Tier: TypeAlias = Annotated[str, Field(pattern=r"^(small|large|special:[a-z][a-z0-9_-]{0,31})$")]
"""What a deployment is for: `small` work, `large` work, or a special domain such as `special:legal`."""

PRICED_OPTIONS = frozenset(
    (
        *("service_tier", "modalities", "web_search_options"),  # OpenAI's
        *("cache_control", "inference_geo", "speed"),  # Claude's
    )
)
"""Options of a request by which it costs other than the published price, or other kinds of things."""

_ADDRESSES = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


class RateSettings(Section):
    """Dollars for a million tokens of each kind."""

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    """Read from the provider's prompt cache. Absent: as `input`."""
    cache_write: Usd | None = None
    """Written into the provider's prompt cache. Absent: as `input`."""
    reasoning: Usd | None = None
    """Absent: as `output`."""


class LongContextSettings(RateSettings):
    """The rates of a whole request whose prompt is longer than `above`."""

    above: PositiveInt
    """Tokens of the prompt."""


class PriceSettings(RateSettings):
    """A deployment's own price, in dollars for a million tokens."""

    long: tuple[LongContextSettings, ...] = ()
    """Tiers by the length of the prompt, shortest first."""
    batch: Share = 0.5
    """Of the price, for what goes through the provider's batch interface."""
    since: date | None = None
    """The UTC day from which the price holds. Absent: ever since."""


class CacheSettings(Section):
    """`[models.NAME.cache]`: answers that are given again to the same request."""

    ttl: Duration = timedelta(hours=1)
    similarity: Share | None = None
    """Also answers a request whose last question is as near as this (cosine) to one that was answered, where
    all else is the same. Absent: only the very same request."""


class DeploymentSettings(Section):
    """One model behind one endpoint: `[models.NAME]`."""

    provider: Literal["openai", "anthropic", "local"] = "openai"
    """`openai` is any endpoint that speaks chat completions; `anthropic` speaks Claude's own messages;
    `local` runs the weights on this machine."""
    model: str
    base_url: str | None = None
    """Absent: the provider's own."""
    api_key: SecretStr | None = None
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    tier: Tier | None = None
    """What the router `auto` takes it for. Absent: it is only asked by its name."""
    timeout: Duration = timedelta(seconds=120)
    """For one request, from sending it to its last byte. A run's own deadline may shorten it."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further requests after a failed one that may be sent again."""
    fallback: tuple[Name, ...] = ()
    """The deployments that stand in, in this order, where this one fails for good. Each may have its own."""
    hedge_after: Duration | None = None
    """Where a request that isn't streamed has no answer after this time, a second one is sent, and the first
    answer counts. Both are paid for."""
    requests_per_minute: PositiveInt | None = None
    """Of all workers together. Absent: no limit."""
    tokens_per_minute: PositiveInt | None = None
    """Prompt and answer, of all workers together. Absent: no limit."""
    breaker_failures: PositiveInt = 5
    """Requests in a row that the provider fails, after which it isn't asked for `breaker_pause`."""
    breaker_pause: Duration = timedelta(seconds=15)
    """Then one request probes whether it answers again."""
    repeats: Literal["billed", "free"] = "billed"
    """`free`: the provider answers a repeated `Idempotency-Key` without billing it again."""
    cache: CacheSettings | None = None
    """Absent: nothing is answered from a cache."""
    prompt_cache: bool = True
    """Whether the provider's own cache of prompt beginnings is asked for, where it has to be."""
    batch: bool = False
    """Whether calls of runs that aren't urgent go through the provider's batch interface."""
    batch_within: Duration = timedelta(hours=24)
    """How long such a call waits for its answer. Then it is made at once, at the full price."""
    tools: Literal["native", "schema"] = "native"
    """`schema`: tools are offered as one JSON schema, for models whose own tool calling doesn't work."""
    options: dict[str, JsonValue] = Field(default={})
    """What goes into each request beside what the agent asks for: `{ temperature = 0, max_tokens = 400 }`.
    What changes the price (`service_tier`, …) needs a `price` of its own."""
    vision: bool = False
    function_calling: bool = True
    structured_output: bool = True
    price: Literal["free"] | PriceSettings | tuple[PriceSettings, ...] | None = None
    """Several are dated by `since`. Absent: the published price; where none is known the call is refused."""
    context_window: PositiveInt = 32_768
    """Tokens of prompt and answer together."""
    max_output: PositiveInt = 4096
    """Tokens of an answer, where the call doesn't bound it: without a bound no budget could hold."""

    @property
    def address(self) -> str:
        """The endpoint that requests go to, unless the weights run on this machine."""
        return self.base_url or _ADDRESSES.get(self.provider, "")

    @property
    def is_free(self) -> bool:
        """Whether calls cost nothing, whatever they use. Weights on this machine do, unless priced."""
        return self.price == "free" or (self.provider == "local" and self.price is None)

    @model_validator(mode="after")
    def _prices_its_options(self) -> "DeploymentSettings":
        priced = sorted(PRICED_OPTIONS & self.options.keys())
        if priced and self.price is None and not self.is_free:
            raise ValueError(f"options.{priced[0]} changes what calls cost: give the `price` that holds then")
        return self


class TargetSettings(Section):
    """What the router expects of the deployments of a tier."""

    latency: Duration
    """What half of a deployment's recent calls don't exceed; slower ones are passed over."""
    error_rate: Share = 0.01
    """Share of recent calls that may fail; worse deployments are passed over."""


class RouterSettings(Section):
    """`[router]`: how `auto` chooses a deployment for each call."""

    weights: str = "builtin"
    """`builtin`, or the path of a file of weights as the training script writes it."""
    caution: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """A call is small work where the chance that it needs more is below this."""
    shadow: bool = False
    """Whether calls that name their deployment are shown what `auto` would have chosen, and at what cost."""
    small: TargetSettings = TargetSettings(latency=timedelta(seconds=1))
    large: TargetSettings = TargetSettings(latency=timedelta(seconds=5))
    special: TargetSettings = TargetSettings(latency=timedelta(seconds=5))
    window: Duration = timedelta(minutes=5)
    """Calls of this time tell latency and error rate."""
    prompt_cache_life: Duration = timedelta(minutes=5)
    """For how long a provider is taken to remember the beginning of a prompt."""
