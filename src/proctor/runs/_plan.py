"""What the wiring gives to runs: how teams are executed, and whom to ask and to tell."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor import approvals
from proctor.agents import ModelFeatures, TeamFactory
from proctor.core import ModelHandler, Parts, TeamSettings, ToolHandler, ToolSpec, Verdict
from proctor.runs._review import OutputReview
from proctor.runs._values import Run
from proctor.telemetry import Spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """The two chains, from the journal to the provider and to the tool."""

    model: ModelHandler
    tool: ToolHandler


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """All that is needed to execute a team."""

    name: str
    factory: TeamFactory
    tools: Mapping[str, tuple[ToolSpec, ...]]
    """What the team declared, by the name it declared."""
    models: Mapping[str, ModelFeatures]
    chains: Chains
    settings: TeamSettings
    on_agent_failure: Callable[[str, str], None]
    """Told of each agent that failed, with the error's code."""
    on_decision: Callable[[approvals.Approval], None]
    """Told of each decision that a run takes, by whom or what it ever was made."""
    on_waste: Callable[[str, str, int], None]
    """Told of what was paid for requests that brought nothing: the agent, the run's release, the cost."""
    review: OutputReview
    """Who looks at the team's answers."""
    remembers: Callable[[str], Verdict]
    """What the policy says about a text that is to be kept beyond a run."""
    on_memory: Callable[[str], None]
    """Told of the outcome, once for a text, however often the run goes on."""
    redact: Callable[[str], str]
    """A text without what those who decide on approvals needn't see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the wiring puts into runs."""

    plan: Callable[[Run], Coroutine[Any, Any, TeamPlan]]
    """The team of a run.

    Raises:
        NotFound: this process doesn't know the team.
    """
    screen: Callable[[str, str, Parts], Verdict]
    """What the input policy says about a task for a team, and the texts that it was put together from."""
    finished: Callable[[Run, float], None]
    """Told of each run that ended, with the seconds since it was started."""
    segment: Callable[[Run], None]
    """Told of each run as a segment of it has left it."""
    simplifies: Callable[[str], bool]
    """Whether a run that starts now takes its team's simple form."""
    team: Callable[[str], TeamSettings]
    """The settings of a team, by its name."""
    roles: approvals.Roles
    """The members of each role that decides on approvals."""
    release: str = ""
    """The version of the application: runs that start bear it."""
    spans: Spans = field(default_factory=Spans)
    """What is told of runs to a collector, where one is named."""
