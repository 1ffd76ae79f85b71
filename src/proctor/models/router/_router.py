"""The router `auto`: reads a call, judges what it needs, and takes the cheapest deployment that will do."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from proctor.core import (
    Clock,
    DeploymentSettings,
    Micros,
    MissingSetting,
    ModelCall,
    ModelHandler,
    ModelResult,
    ProctorError,
    RouterSettings,
    TargetSettings,
    Unavailable,
)
from proctor.models.router._choice import Candidate, Choice
from proctor.models.router._costs import Costs, Price
from proctor.models.router._features import Features, features
from proctor.models.router._health import Health
from proctor.models.router._warm import WarmPrompts
from proctor.models.router._weights import Judgement, load_weights

AUTO = "auto"
"""The name that leaves the choice to the router. No deployment may have it."""

SURE = 0.5
"""From this chance on a call belongs to a special domain."""
LOW_BUDGET = 0.25
"""From this share of the budget downwards the router saves, the more the less is left."""
THRIFT = 0.8
"""How far an empty budget moves caution towards 1."""
STEPPED_DOWN = 0.5
"""How far a system that has stepped down moves it."""

Override: TypeAlias = Callable[[str, str], str | None]
"""The deployment that is set for an agent of a team, by their names."""


def _no_override(_team: str, _agent: str) -> None:
    """Lets code decide."""


def _at_ease() -> int:
    return 0


def _all_left() -> float:
    return 1.0


class _Seen(NamedTuple):
    """A deployment as it stands for a call."""

    name: str
    tier: str
    cost: Micros | None
    warm: int
    lack: str
    """Why it can't be asked; empty where it can."""


class Router:
    """Chooses for calls to `auto`, and watches how every deployment answers.

    `price` tells what tokens cost, or None where that isn't known. `level` is the level of degradation: above
    0 the router saves. `budget_share` is the share of the budget that is left. `override` names the
    deployment that is set for an agent, whatever its code asks for; `auto` lets the router choose.

    Raises:
        ConfigurationError: the weights can't be read.
    """

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        settings: RouterSettings,
        *,
        clock: Clock,
        price: Price,
        level: Callable[[], int] = _at_ease,
        budget_share: Callable[[], float] = _all_left,
        override: Override = _no_override,
    ) -> None:
        self._deployments = deployments
        self._tiers = {name: one.tier for name, one in deployments.items() if one.tier is not None}
        self._kinds = frozenset(self._tiers.values())
        self._settings = settings
        self._clock = clock
        self._level = level
        self._budget_share = budget_share
        self._override = override
        self._weights = load_weights(settings.weights)
        self._health = Health(clock, settings.window)
        self._warm = WarmPrompts(clock, settings.prompt_cache_life)
        self._costs = Costs(price, deployments, self._health, self._warm, clock)

    async def route(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        """The answer of the deployment that the router, the agent's setting or the caller names."""
        name = self._override(call.scope.team, call.scope.agent) or call.model
        if name == AUTO:
            choice = self.choose(call)
            call.scope.event("model.routed", choice.as_event())
            return await self._watched(replace(call, model=choice.to), handle)
        named = call if name == call.model else replace(call, model=name)
        if not self._tiers:  # there never is anything to choose
            return await handle(named)
        if not self._settings.shadow:
            return await self._watched(named, handle)
        choice = self.choose(named)
        result = await self._watched(named, handle)
        self._tell_shadow(choice, named, result)
        return result

    def choose(self, call: ModelCall) -> Choice:
        """Which deployment would be asked now.

        Raises:
            MissingSetting: no deployment that has a tier can do what the call needs.
        """
        read = features(call)
        return self._decide(call, read, self._weights.judge(read))

    def explain(self, call: ModelCall) -> Choice:
        """The same, with what the judgement rests on.

        Raises:
            MissingSetting: no deployment that has a tier can do what the call needs.
        """
        read = features(call)
        choice = self._decide(call, read, self._weights.judge(read))
        return replace(choice, contributions=self._weights.contributions(read))

    def cheaper(self, call: ModelCall) -> str | None:
        """The next cheaper deployment with a tier that can do what the call needs; None where none is."""
        read = features(call)
        now = self._costs.of(call, read, call.model)
        costs = {
            name: cost
            for name in self._tiers
            if name != call.model
            and not _lack(call, read, self._deployments[name])
            and (cost := self._costs.of(call, read, name)) is not None
            and (now is None or cost < now)
        }
        return max(costs, key=lambda name: costs[name], default=None)

    def caution(self) -> float:
        """From which chance on a call is work for a large model, as budget and system stand now."""
        caution = self._settings.caution
        left = max(0.0, min(1.0, self._budget_share()))
        if left < LOW_BUDGET:
            caution += (1 - caution) * THRIFT * (1 - left / LOW_BUDGET)
        if self._level() > 0:
            caution += (1 - caution) * STEPPED_DOWN
        return caution

    def _decide(self, call: ModelCall, read: Features, judged: Judgement) -> Choice:
        caution = self.caution()
        required, why = self._required(judged, caution)
        seen = [self._look(call, read, name, tier) for name, tier in self._tiers.items()]
        able = [one for one in seen if not one.lack]
        if not able:
            raise _nobody(seen)
        fitting = [one for one in able if _serves(one.tier, required)]
        if not fitting:
            # A weaker model that tries is worth more than no answer.
            fitting = [one for one in able if one.tier == "large"] or able
            why += f"; no deployment for {required} work can do it"
        faults = {one.name: self._health.of(one.name).fault(self._target(one.tier)) for one in able}
        sound = [one for one in fitting if not faults[one.name]]
        if not sound:  # a large one that is well stands in for a special one that isn't
            sound = [one for one in able if one.tier == "large" and not faults[one.name]] or fitting
        to = min(sound, key=_cost)
        if to.tier != required and to.warm:
            why += f"; {to.name} costs less now: it remembers {to.warm:,} tokens"
        refused = {one.name: faults[one.name] or "it costs more" for one in fitting} | {to.name: ""}
        return Choice(
            to=to.name,
            tier=to.tier,
            required=required,
            chance=judged.chance,
            caution=caution,
            domains=judged.domains,
            why=why,
            candidates=tuple(
                Candidate(
                    name=one.name,
                    tier=one.tier,
                    cost=one.cost,
                    warm=one.warm,
                    passed_over=one.lack
                    or refused.get(one.name, f"it is for {one.tier} work, not for {required}"),
                )
                for one in seen
            ),
            figures=read.figures,
        )

    def _required(self, judged: Judgement, caution: float) -> tuple[str, str]:
        """The tier that a call is work for, and why."""
        domain, chance = judged.domain
        special = f"special:{domain}"
        if chance >= SURE and special in self._kinds:
            return special, f"{domain}: {chance:.2f}"
        if judged.chance >= caution:
            return "large", f"needs more: {judged.chance:.2f} of {caution:.2f}"
        return "small", f"small work: {judged.chance:.2f} is below {caution:.2f}"

    def _look(self, call: ModelCall, read: Features, name: str, tier: str) -> _Seen:
        if lack := _lack(call, read, self._deployments[name]):
            return _Seen(name, tier, None, 0, lack)
        warm = self._costs.warm(call, read, name)
        cost = self._costs.of(call, read, name, warm=warm)
        return _Seen(name, tier, cost, warm, "its price isn't known" if cost is None else "")

    def _target(self, tier: str) -> TargetSettings:
        settings = self._settings
        return settings.small if tier == "small" else settings.large if tier == "large" else settings.special

    async def _watched(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        """The answer, after what it took was noted."""
        begun = self._clock.now()
        try:
            result = await handle(call)
        except ProctorError as error:
            # As with stand-ins: only what the provider is to blame for tells of a deployment.
            if error.retryable and not isinstance(error, Unavailable):
                self._health.failed(call.model, self._clock.now())
            raise
        if result.cached or result.way == "batch":
            return result
        at = self._clock.now()
        if result.deployment == call.model:
            self._health.answered(call.model, at, (at - begun).total_seconds(), result.usage.output)
        else:
            self._health.failed(call.model, at)
        self._warm.remember(call, result.deployment, at)
        return result

    def _tell_shadow(self, choice: Choice, call: ModelCall, result: ModelResult) -> None:
        """Logs what would have been chosen, and what it would have cost with the tokens of the answer."""
        warm = next(one.warm for one in choice.candidates if one.name == choice.to)
        usage = replace(result.usage, cached_input=min(warm, result.usage.input), cache_write=0)
        call.scope.event(
            "model.routed",
            {
                **choice.as_event(),
                "shadow": True,
                "asked": call.model,
                "cost": self._costs.price(choice.to, usage),
                "paid": result.cost,
            },
        )


def _serves(tier: str, required: str) -> bool:
    """Whether a deployment of a tier is for such work: a large one also for small work, if it costs less."""
    return tier == required or (required == "small" and tier == "large")


def _cost(one: _Seen) -> Micros:
    return one.cost or 0


def _lack(call: ModelCall, read: Features, settings: DeploymentSettings) -> str:
    """What a deployment lacks for a call; empty where it can do it."""
    if call.tools and not settings.function_calling:
        return "it takes no tools"
    if read.images and not settings.vision:
        return "it sees no images"
    if call.response_format is not None and not settings.structured_output:
        return "it keeps no format"
    if read.tokens > settings.context_window:
        return f"about {read.tokens:,} tokens are more than its {settings.context_window:,}"
    return ""


def no_tiers() -> MissingSetting:
    """The error of a configuration in which `auto` has nothing to choose from."""
    return MissingSetting(
        f"{AUTO} has no deployment to choose from", hint='Give a section [models.NAME] a `tier = "small"`.'
    )


def _nobody(seen: list[_Seen]) -> MissingSetting:
    if not seen:
        return no_tiers()
    reasons = "; ".join(f"{one.name}: {one.lack}" for one in seen)
    return MissingSetting(
        f"no deployment with a tier can do what the call needs: {reasons}",
        hint="Give a deployment a tier that can.",
    )
