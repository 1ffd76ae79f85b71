"""What is needed to execute each team: its factory, its tools, its models and its chains."""

from functools import partial
from random import Random

from proctor.agents import ModelFeatures
from proctor.app._chains import Parts, build_chains
from proctor.app._guards import Guards
from proctor.app._judge import answer_judge
from proctor.app._links import Links
from proctor.app._settings import Settings
from proctor.app._teams import App
from proctor.app._tokens import Tokens
from proctor.approvals import Approval, check_patterns, names_tool
from proctor.core import Clock, NotFound, ReviewSettings, Verdict
from proctor.degradation import Degradation
from proctor.models import Models
from proctor.models.router import AUTO, common_capabilities
from proctor.policies import Policy, Prices, redact
from proctor.runs import Chains, OutputReview, Run, TeamPlan
from proctor.telemetry import Metrics, Spans
from proctor.tools import Toolbox, check_agent_tools


class Plans:
    """The plans of an application's teams, each made when its first run is executed."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        degradation: Degradation,
        metrics: Metrics,
        links: Links,
        models: Models,
        toolbox: Toolbox,
        guards: Guards,
        clock: Clock,
        policy: Policy,
        tokens: Tokens,
        spans: Spans,
    ) -> None:
        self._app = app
        self._settings = settings
        self._degradation = degradation
        self._metrics = metrics
        self._links = links
        self._models = models
        self._toolbox = toolbox
        self._guards = guards
        self._clock = clock
        self._policy = policy
        self._tokens = tokens
        self._spans = spans
        self._plans: dict[tuple[str, bool], TeamPlan] = {}
        self._generation = 0
        """Counts how often all was forgotten: what was begun before may rest on what has changed since."""

    async def of(self, run: Run) -> TeamPlan:
        """The plan of a run.

        Raises:
            NotFound: this process doesn't know the team, or not in the form that the run began in.
            ToolServerUnavailable: a tool server doesn't tell its tools.
        """
        key = (run.team, run.simple)
        while key not in self._plans:
            generation = self._generation
            plan = await self._make(*key)
            if generation == self._generation:
                self._plans[key] = plan
        return self._plans[key]

    def forget(self) -> None:
        """Lets each plan be made anew: what tools are like has changed."""
        self._generation += 1
        self._plans.clear()

    async def _make(self, name: str, simple: bool) -> TeamPlan:  # noqa: FBT001 - as the run's row says
        team = self._app.find(name)
        factory = team.simple if simple else team.factory
        if factory is None:
            # Going on as the whole team would not meet the journal again.
            raise NotFound(
                f"a run of team {name} began in its simple form, which there is no longer",
                hint=f'Register it again: @app.team("{name}", simple=…).',
            )
        limits = self._settings.team(name)
        tools = {declared: await self._toolbox.specs([declared]) for declared in team.tools}
        declared = frozenset((spec.server, spec.name) for specs in tools.values() for spec in specs)
        check_patterns(name, limits, declared)
        check_agent_tools(name, limits, declared)
        parts = Parts(
            degradation=self._degradation,
            metrics=self._metrics,
            links=self._links,
            guards=self._guards,
            data=self._settings.data,
            policy=self._policy,
            tokens=self._tokens,
            spans=self._spans,
            measures=self._settings.telemetry.metrics,
            marking=self._settings.policies.marking,
            name=name,
            models=self._models,
            toolbox=self._toolbox,
            deployments=self._settings.models,
            team=limits,
            declared=declared,
            clock=self._clock,
            rng=Random(),  # noqa: S311 - spreads retries; it needs no secrecy
        )
        chains = build_chains(parts)
        return TeamPlan(
            name=name,
            factory=factory,
            tools=tools,
            models=self._features(),
            chains=chains,
            settings=limits,
            review=self._review(name, limits.review, chains),
            remembers=partial(self._policy.read, stage="memory", team=name),
            on_memory=partial(self._metrics.policy_said, name, "memory"),
            redact=redact,
            on_agent_failure=partial(self._metrics.agent_failed, name),
            on_decision=self._decided,
            on_waste=partial(self._metrics.wasted, name),
        )

    def _review(self, team: str, settings: ReviewSettings, chains: Chains) -> OutputReview:
        if settings.mode is None and self._settings.production:
            settings = settings.model_copy(update={"mode": "manual"})
        policies = self._settings.policies
        # While nothing depends on it nobody waits for a reviewer whom nobody has named.
        asked_for = {
            *policies.input.model_fields_set,
            *policies.output.model_fields_set,
            *policies.licensed,
            *(("price_mismatch",) if policies.catalogue else ()),
            *(name for rule in policies.rules for name in (rule.id, *rule.finds)),
        }
        told = policies.ai_disclosure
        discloses = self._settings.production if told is None else told
        return OutputReview(
            settings=settings,
            read=partial(self._read_answer, team),
            on_verdict=partial(self._metrics.policy_said, team, "output"),
            catalogue=partial(names_tool, policies.catalogue),
            finish=self._introduced if discloses else str,
            holds=lambda kind: settings.mode is not None or kind in asked_for,
            licensed=policies.licensed,
            judge=answer_judge(chains.model, settings),
        )

    def _introduced(self, answer: str) -> str:
        return f"{self._policy.tell('ai', answer)}\n\n{answer}"

    def _read_answer(self, team: str, answer: str, prices: Prices) -> Verdict:
        return self._policy.read(answer, "output", team=team, catalogue=prices)

    def _decided(self, approval: Approval) -> None:
        decision, at = approval.decision, approval.decided_at
        assert decision is not None
        waited = 0.0 if at is None else (at - approval.requested_at).total_seconds()
        self._metrics.approval_decided(approval.team, decision.kind, waited)

    def _features(self) -> dict[str, ModelFeatures]:
        """What teams may ask of each deployment, and of the router where it has any to choose from."""
        deployments = self._settings.models
        known = {name: self._models.info(name) for name in deployments}
        if any(one.tier is not None for one in deployments.values()):
            known[AUTO] = common_capabilities(deployments)
        return {
            name: ModelFeatures(
                vision=one.vision,
                function_calling=one.function_calling,
                structured_output=one.structured_output,
                context_window=one.context_window,
            )
            for name, one in known.items()
        }
