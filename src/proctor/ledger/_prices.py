"""What tokens cost: the deployment's own price, else the published one that ships with `genai-prices`.

Nothing is ever downloaded: a published price is as new as the installed package.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from proctor.core import DeploymentSettings, Micros, ModelCall, PriceSettings, PriceUnknown, Usage
from proctor.ledger._bounds import most_input, most_output
from proctor.ledger._rates import Tariff, Way, own_tariff

_EVER = date.min


def _nothing_added(_call: ModelCall) -> int:
    return 0


class Prices:
    """The prices of the configured deployments."""

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        *,
        added: Callable[[ModelCall], int] = _nothing_added,
    ) -> None:
        """`added` are the tokens that a provider's adapter may put into the prompt beside the call's own."""
        self._deployments = deployments
        self._added = added
        self._free = frozenset(name for name, settings in deployments.items() if settings.is_free)
        self._own = {
            name: _dated(settings.price)
            for name, settings in deployments.items()
            if isinstance(settings.price, PriceSettings | tuple)
        }

    @property
    def repeats_are_free(self) -> bool:
        """Whether no provider that is paid bills a repeated request twice."""
        paid = (settings for settings in self._deployments.values() if not settings.is_free)
        return all(settings.repeats == "free" for settings in paid)

    def model_of(self, deployment: str) -> str:
        """The model's name as a deployment asks for it; empty where there is no such deployment."""
        settings = self._deployments.get(deployment)
        return "" if settings is None else settings.model

    def is_free(self, deployment: str) -> bool:
        """Whether calls of the deployment cost nothing."""
        return deployment in self._free

    def has_price(self, deployment: str) -> bool:
        """Whether calls of the deployment can be priced. The first use loads the published prices: 0.5 s."""
        if self.is_free(deployment):
            return True
        try:
            self._tariff(deployment, at=datetime.now(UTC), model="", way="prompt")
        except PriceUnknown:
            return False
        return True

    def price_of(
        self, usage: Usage, deployment: str, *, at: datetime, model: str = "", way: Way = "prompt"
    ) -> Micros:
        """What the tokens cost, rounded half up to the micro-dollar.

        Each kind of token has its own price, a long prompt its own prices for all of them. A published price
        is that of `model`, which answered, at that time; where it isn't listed, that of the model which the
        deployment asks for.

        Raises:
            PriceUnknown: the deployment has no price of its own that holds then, and none is published.
        """
        if self.is_free(deployment):
            return 0
        return self._tariff(deployment, at=at, model=model, way=way).cost(usage, way=way)

    def bound_of(self, call: ModelCall, *, at: datetime, way: Way = "prompt") -> Micros:
        """What a call costs at most, whatever is answered, at the deployment that it names.

        A token of a prompt is at least one byte of it, and every byte counts as the dearest kind. That is
        about four times what calls usually cost, and it is only set aside until the answer is there.

        Raises:
            PriceUnknown: as for `price_of`.
        """
        if self.is_free(call.model):
            return 0
        tariff = self._tariff(call.model, at=at, model="", way=way)
        output = most_output(call, self._deployments[call.model])
        return tariff.most(most_input(call) + self._added(call), output, way=way)

    def _tariff(self, deployment: str, *, at: datetime, model: str, way: Way) -> Tariff:
        settings = self._deployments.get(deployment)
        if settings is None:
            raise PriceUnknown(
                f"no model is named {deployment!r}", hint=f"Add a section [models.{deployment}]."
            )
        if (own := self._own.get(deployment)) is not None:
            return _in_force(own, deployment, at)
        from proctor.ledger._published import published_tariff

        for name in (model, settings.model):
            if name and (found := published_tariff(settings.address, name, at=at, way=way)) is not None:
                return found
        raise PriceUnknown(
            f"what {settings.model} costs at {settings.address} isn't known",
            hint=f"In [models.{deployment}], set `price = {{ input = …, output = … }}`, in dollars for a "
            'million tokens, or `price = "free"`.',
        )


def _dated(price: PriceSettings | tuple[PriceSettings, ...]) -> tuple[tuple[date, Tariff], ...]:
    """The tariffs with the days from which they hold, newest first."""
    prices = price if isinstance(price, tuple) else (price,)
    dated = ((each.since or _EVER, own_tariff(each)) for each in prices)
    return tuple(sorted(dated, key=lambda pair: pair[0], reverse=True))


def _in_force(own: tuple[tuple[date, Tariff], ...], deployment: str, at: datetime) -> Tariff:
    if len(own) == 1 and own[0][0] is _EVER:
        return own[0][1]
    today = at.astimezone(UTC).date()
    for since, tariff in own:
        if since <= today:
            return tariff
    raise PriceUnknown(
        f"no price of [models.{deployment}] holds on {today.isoformat()}",
        hint="Give one without `since`, or with an earlier day.",
    )
