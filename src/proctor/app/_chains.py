"""The two chains. Their order is policy, so it stands here once, outermost first."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TypeVar

from proctor.app._asks import asks_by
from proctor.app._guards import Guards
from proctor.app._judge import judge_by
from proctor.app._links import Links
from proctor.app._tokens import Tokens
from proctor.approvals import ApprovalGate
from proctor.core import (
    Clock,
    DataSettings,
    DeploymentSettings,
    Marking,
    ModelCall,
    ModelMiddleware,
    ProctorError,
    Span,
    TeamSettings,
    ToolMiddleware,
    Verdict,
)
from proctor.degradation import Degradation
from proctor.models import Models, fallback, hedge, retry
from proctor.policies import Policy
from proctor.runs import Chains, begin_before_acting, journal_model, journal_tool, refuse_repetition
from proctor.telemetry import Metrics, Spans, measure_model, measure_tool, note, span_model, span_tool
from proctor.tools import (
    Toolbox,
    allow_list,
    check_arguments,
    check_output,
    guard_access,
    guard_flow,
    guard_places,
    limit_calls,
    limit_time,
    mark_untrusted,
    suspect,
)

C = TypeVar("C")
R = TypeVar("R")


MAX_OUTPUT = 1_000_000
"""Characters of any tool's result; a server's own `max_output` is lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of a chain, for people."""

    name: str
    does: str


MODEL_CHAIN: tuple[Link, ...] = (
    Link(name="journal", does="answers recorded calls, records new ones with their cost and events"),
    Link(name="trace", does="measures the call"),
    Link(name="mark", does="marks what untrusted tools returned as data"),
    Link(name="route", does="chooses a deployment for `auto`, and takes the one that is set for the agent"),
    Link(name="thrift", does="asks in a cheaper way where a budget nears its end"),
    Link(name="cache", does="gives an answer again that the same request was given"),
    Link(name="batch", does="lets calls of patient runs rest until the provider's batch answers them"),
    Link(name="fallback", does="asks the deployment's stand-ins where it fails for good"),
    Link(name="degrade", does="lets deployments with a fallback rest while the system is degraded"),
    Link(name="retry", does="sends again what may be sent again"),
    Link(name="breaker", does="asks no deployment that has failed again and again, but for a probe"),
    Link(name="hedge", does="asks a second time where the first answer is late"),
    Link(name="rate", does="waits for the deployment's rate of requests and tokens"),
    Link(name="spend", does="sets aside what the request may cost, or refuses; prices and enters it"),
    Link(name="provider", does="asks the deployment's model"),
)

TOOL_CHAIN: tuple[Link, ...] = (
    Link(name="journal", does="answers recorded calls, records new ones with their cost and events"),
    Link(name="trace", does="measures the call"),
    Link(name="allow", does="refuses what neither team nor agent was given, and what runs commands"),
    Link(name="pins", does="refuses tools that have changed since they were accepted"),
    Link(name="limits", does="refuses calls beyond what a run, an answer or a minute may hold"),
    Link(name="arguments", does="refuses arguments that the tool's schema doesn't take"),
    Link(name="places", does="refuses paths and addresses that lead outside of named folders and hosts"),
    Link(name="suspect", does="labels what others wrote and what seems to give orders"),
    Link(name="access", does="keeps kinds of data from who isn't cleared for them; labels what comes back"),
    Link(name="degrade", does="refuses tools with side effects while the system may only read"),
    Link(name="repetition", does="refuses a call that its agent makes again and again, for the same answer"),
    Link(name="flow", does="asks or refuses where untrusted text may speak, or data would go too far"),
    Link(name="approval", does="waits for people where a rule names the tool, or it has side effects"),
    Link(name="spend", does="sets aside what the tool may cost, or refuses; enters what it did"),
    Link(name="output", does="cleans and limits what the tool returns; sets aside what isn't as promised"),
    Link(name="begin", does="notes durably that a tool with side effects is about to act"),
    Link(name="vault", does="gives the tool what stands behind tokens in its arguments"),
    Link(name="time", does="ends a call that takes longer than its tool may"),
    Link(name="tool", does="calls the tool"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the chains of one team are made of."""

    degradation: Degradation
    metrics: Metrics
    spans: Spans
    measures: bool
    """Whether each call is measured for Prometheus."""
    links: Links
    guards: Guards
    data: DataSettings
    policy: Policy
    tokens: Tokens
    marking: Marking
    name: str
    """The team's."""
    models: Models
    toolbox: Toolbox
    deployments: Mapping[str, DeploymentSettings]
    team: TeamSettings
    declared: frozenset[tuple[str, str]]
    """The tools, as (server, name), that the team declared."""
    clock: Clock
    rng: Random


def build_chains(parts: Parts) -> Chains:
    """Both chains of a team, ready to take calls."""
    links, rules = parts.links, parts.guards.rules

    def repeated(call: ModelCall, error: ProctorError) -> None:
        parts.metrics.model_retried(call, error)
        note("retry", {"error.type": error.code})
        parts.degradation.held_up(error)

    def orders(text: str) -> Verdict:
        verdict = parts.policy.judge_orders(text, "tool_result", team=parts.name)
        parts.metrics.policy_said(parts.name, "tool_result", verdict.outcome)
        return verdict

    def hidden(text: str) -> Sequence[Span]:
        spans = parts.policy.spans_to_hide(text, "tool_result", team=parts.name)
        if spans:
            parts.metrics.policy_said(parts.name, "tool_result", "redact")
        return spans

    model: dict[str, ModelMiddleware] = {
        "journal": journal_model,
        "trace": span_model(parts.spans, measure_model(parts.metrics) if parts.measures else None),
        "mark": mark_untrusted(parts.marking),
        "route": links.router.route,
        "thrift": links.budgets.thrift,
        "cache": links.cache.model,
        "batch": links.batches.model,
        "fallback": fallback(parts.deployments, on_fallback=parts.metrics.model_fell_back),
        "degrade": parts.degradation.model,
        "retry": retry(parts.deployments, clock=parts.clock, rng=parts.rng, on_retry=repeated),
        "breaker": links.breakers.model,
        "hedge": hedge(parts.deployments, clock=parts.clock, on_hedge=parts.metrics.model_hedged),
        "rate": links.rates.model,
        "spend": links.budgets.model,
    }
    ask = _compose([model[link.name] for link in MODEL_CHAIN[:-1]], parts.models.complete)
    tool: dict[str, ToolMiddleware] = {
        "journal": journal_tool,
        "trace": span_tool(parts.spans, measure_tool(parts.metrics) if parts.measures else None),
        "allow": allow_list(parts.declared, agents=parts.team.agents, rules=rules),
        "pins": parts.guards.pins.middleware,
        "limits": limit_calls(parts.team, parts.guards.rates),
        "arguments": check_arguments(),
        "places": guard_places(rules),
        "suspect": suspect(orders),
        "access": guard_access(rules, parts.team, parts.data),
        "degrade": parts.degradation.tool,
        "repetition": refuse_repetition(parts.team),
        "flow": guard_flow(rules, parts.team),
        "approval": ApprovalGate(parts.team, judge=judge_by(ask)),
        "spend": links.budgets.tool,
        "output": check_output(
            MAX_OUTPUT,
            rules=rules,
            find=hidden,
        ),
        "begin": begin_before_acting,
        "vault": parts.tokens.tool,
        "time": limit_time(rules),
    }
    return Chains(
        model=ask,
        tool=_compose(
            [tool[link.name] for link in TOOL_CHAIN[:-1]],
            partial(parts.toolbox.call, asks=asks_by(ask, parts.team)),
        ),
    )


def _compose(
    links: Sequence[Callable[[C, Callable[[C], Awaitable[R]]], Awaitable[R]]],
    last: Callable[[C], Awaitable[R]],
) -> Callable[[C], Awaitable[R]]:
    handler = last
    for link in reversed(links):
        handler = partial(_call, link, handler)
    return handler


def _call(
    link: Callable[[C, Callable[[C], Awaitable[R]]], Awaitable[R]],
    proceed: Callable[[C], Awaitable[R]],
    call: C,
) -> Awaitable[R]:
    return link(call, proceed)
