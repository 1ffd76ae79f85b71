"""The teams of all cases, with Proctor: their application and their configuration."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from autogen_agentchat.teams import GraphFlow

import proctor
from benchmarks._faults._agents import WIRE, build, expert_tool, look, make_book
from benchmarks._faults._cases import CASES, HASTY, LADDER, PATIENT, Case
from benchmarks._faults._traces import Traces
from proctor import Settings

ROOT = Path(__file__).parents[2]
TURN = 1.5
"""Seconds for a turn of an agent that hangs."""
SHORT = {"window": 3, "min_calls": 5, "hold": 1, "recover_after": 2, "probe_every": 0.5}
"""Seconds and calls in which the system finds out that it must step down, or may climb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where one part of the benchmark happens: what its processes must know."""

    folder: Path
    url: str
    """The model endpoint's address."""
    database: str
    patience: float = 300
    """Seconds that runs wait for a database that is away."""
    temporal: str = ""
    """The address of Temporal, where it distributes the runs."""
    queue: str = "faults"
    desks: bool = False
    """Whether its tool servers are started before its first run, so that no run waits for that."""
    mended: bool = False
    """Whether the limits are widened that a run was parked for."""
    slack: float = 1
    """How many times longer than usual it takes until what hangs is given up, and a database is away."""

    @property
    def traces(self) -> Traces:
        """What its processes leave behind."""
        return Traces(self.folder)


def application(site: Site) -> proctor.App:
    """A team for each case, and the one of the third level."""
    app = proctor.App()
    app.tool(effect="consequential")(make_book(site.traces))
    app.tool(effect="read_only")(look)
    for case in CASES.values():
        tools = list(dict.fromkeys(filter(None, ("book", expert_tool(case)))))
        app.team(case.name, tools=tools)(_Factory(case, site.traces))

    def alone(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("backed"),
            system_message="You are clerk.",
            workbench=ctx.tools("book"),
            max_tool_iterations=3,
        )

    ladder = Case(fault=LADDER, family="provider", mechanism="fallback")
    app.team(LADDER, tools=["book"], simple=alone)(_Factory(ladder, site.traces))
    return app


class _Factory:
    """Builds the team of a case."""

    def __init__(self, case: Case, traces: Traces) -> None:
        self._case = case
        self._traces = traces

    def __call__(self, ctx: proctor.TeamContext) -> GraphFlow:
        built = build(self._case, self._traces, ctx.model, ctx.tools)
        if self._case.mechanism == "stand_in":
            ctx.stand_in(built.expert, built.deputy)
        return built.team


def settings(site: Site) -> Settings:
    """The configuration of a site."""
    engine: dict[str, Any] = {"concurrency": 1000}
    if site.temporal:
        engine |= {"kind": "temporal", "address": site.temporal, "queue": site.queue, "concurrency": 100}
    return Settings.model_validate(
        {
            "database": {"url": site.database, "patience": site.patience},
            "engine": engine,
            "models": {name: _deployment(name, site) for name in WIRE},
            "tools": dict(_tool_servers(site, CASES.values())),
            "teams": {LADDER: {"approval": "never", "untrusted": "allow", "retries": 20, "retry_pause": 0.5}}
            | {case.name: _limits(case, site) for case in CASES.values()},
            "policies": {"marking": "off"},  # the endpoint goes by what the tools said
            "degradation": {**SHORT, "enabled": site.folder.name == LADDER},
        }
    )


def _deployment(name: str, site: Site) -> dict[str, Any]:
    return {
        "model": WIRE[name],
        "base_url": site.url,
        "api_key": "none",
        "price": "free",
        "retries": 3 if name.startswith(("retried", "steady")) else 0,
        "timeout": HASTY * site.slack if name.endswith("-hasty") else PATIENT,
        "fallback": ["spare"] if name.startswith("backed") else [],
        # Faults strike single runs, and no case's are to keep another from its deployment; an outage does.
        **({"breaker_pause": 1} if site.folder.name == LADDER else {"breaker_failures": 100_000}),
    }


def _limits(case: Case, site: Site) -> dict[str, Any]:
    states = case.mechanism == "refusal"
    return {
        "approval": "never",
        "untrusted": "allow",
        "on_failure": "state" if states else "fail",
        "agent_timeout": 60,
        "agents": {"expert": {"timeout": TURN * site.slack}} if case.fault == "agent_hangs" else {},
        "max_tool_iterations": 50,
        "retries": 1 if case.mechanism == "by_hand" else 5,
        "retry_pause": 0.2,
        "repetition": {"same_call": 50 if site.mended else 5},
    }


def _tool_servers(site: Site, cases: Iterable[Case]) -> Iterable[tuple[str, dict[str, Any]]]:
    for case in cases:
        if case.family == "tool server":
            command = [sys.executable, "-m", "benchmarks._faults._desk_server", str(site.folder), case.name]
            limit = HASTY * site.slack if case.fault == "tools_stalls" else PATIENT
            environ = {"PYTHONPATH": str(ROOT)}
            yield (
                expert_tool(case),
                {"command": command, "cwd": ROOT, "env": environ, "call_timeout": limit},
            )
