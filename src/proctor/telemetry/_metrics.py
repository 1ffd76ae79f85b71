"""The metrics, in a registry of their own, with what every call needs of them looked up once."""

from collections.abc import Collection
from functools import partial
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from proctor.core import ModelCall, ModelResult, ProctorError
from proctor.telemetry._bounded import MOST, Bounded
from proctor.telemetry._buckets import CALL_BUCKETS, RUN_BUCKETS, WAIT_BUCKETS
from proctor.telemetry._series import CallResult, ModelSeries, ToolSeries
from proctor.telemetry._shared import Shared

ENDS = ("completed", "failed", "cancelled", "refused")
"""How runs end."""
KINDS = ("model", "tool")
BREAKER_STATES = ("closed", "open", "half_open")
BUDGET_EVENTS = ("refused", "warned", "degraded", "wrapped_up", "raised")

AGENT = ("team", "agent")
MODEL = (*AGENT, "deployment", "release")
TOOL = (*AGENT, "tool", "release")


class Metrics:
    """What Prometheus reads of this process: each process has its own, and is scraped by itself.

    Counters and histograms of all processes add up. Three metrics have no prefix: operators' guides to agents
    name them so. No label is a tenant or a person, of whom there may be any number; agents and tools, which
    teams may name while they run, are told apart in at most `most` label sets of a metric.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self.registry = of = CollectorRegistry()
        self.shared = Shared(of)
        ProcessCollector(registry=of)
        self._count = partial(Counter, registry=of)
        self._gauge = partial(Gauge, registry=of)
        self._time = partial(Histogram, registry=of)
        self._bounded = partial(Bounded, most=most)
        self._finished: dict[str, int] = {}
        self._completed: dict[str, int] = {}
        self._of_models()
        self._of_tools()
        self._of_runs()
        self._of_the_system()

    def _of_models(self) -> None:
        count, names = self._count, partial(self._bounded, folds=(1,))
        calls = partial(self._time, buckets=CALL_BUCKETS)
        self._active = self._gauge("agent_active_count", "Calls in progress in this process", AGENT)
        self._response = calls("response_time_seconds", "An agent's model call", AGENT)
        self._calls = count(
            "proctor_calls_total", "Model and tool calls, as alerts look at them", ["team", "kind", "result"]
        )
        self._model_calls = count("proctor_model_calls_total", "Model calls", (*MODEL, "outcome"))
        self._tokens = count("proctor_model_tokens_total", "Tokens", (*MODEL, "type"))
        self._cost = count("proctor_model_cost_micros_total", "Micro-dollars of answers", MODEL)
        self._model_seconds = calls("proctor_model_duration_seconds", "A model call with its retries", MODEL)
        self._first = calls(
            "proctor_model_first_token_seconds", "From a streamed model call to its first text", MODEL
        )
        self._retries = count("proctor_model_retries_total", "Requests sent again", MODEL)
        self._models: Bounded[ModelSeries] = names(self._model_series)
        self._fallbacks: Bounded[Counter] = names(
            count("proctor_model_fallbacks_total", "Calls that went on to another", (*MODEL, "to")).labels
        )
        self._hedges: Bounded[Counter] = names(
            count("proctor_model_hedges_total", "Requests that were sent a second time", MODEL).labels
        )
        self._rate_waits: Bounded[Histogram] = names(
            calls("proctor_model_rate_wait_seconds", "Waiting for a deployment's rate", MODEL).labels
        )
        self._cached: Bounded[Counter] = names(
            count("proctor_model_cache_hits_total", "Calls that a cache answered", MODEL).labels
        )
        self._saved: Bounded[Counter] = names(
            count("proctor_model_saved_micros_total", "Micro-dollars that a cache saved", MODEL).labels
        )
        self._wasted: Bounded[Counter] = names(
            count(
                "proctor_wasted_cost_micros_total",
                "Micro-dollars of requests that brought no answer, or none that counts",
                (*AGENT, "release"),
            ).labels
        )
        self._breakers = self._gauge(
            "proctor_model_breaker",
            "1 for the state that a deployment's breaker is in",
            ["deployment", "state"],
        )

    def _of_tools(self) -> None:
        self._tool_calls = self._count("proctor_tool_calls_total", "Tool calls", (*TOOL, "outcome"))
        self._tool_seconds = self._time(
            "proctor_tool_duration_seconds", "A tool call", TOOL, buckets=CALL_BUCKETS
        )
        self._tool_cost = self._count(
            "proctor_tool_cost_micros_total", "Micro-dollars of tools' answers", TOOL
        )
        self._tools: Bounded[ToolSeries] = self._bounded(self._tool_series, folds=(1, 2))

    def _of_runs(self) -> None:
        self._completion = self._gauge(
            "task_completion_rate",
            "Share of the runs finished by this process since its start that completed; of all processes and "
            "of late: proctor:task_completion_rate:ratio_5m",
            ["team"],
        )
        self._runs = self._count("proctor_runs_total", "Finished runs", ["team", "status", "release"])
        self._run_seconds = self._time(
            "proctor_run_duration_seconds",
            "A run, from its start to its end, with all waiting",
            ["team", "release"],
            buckets=RUN_BUCKETS,
        )
        self._agent_failures: Bounded[Counter] = self._bounded(
            self._count("proctor_agent_failures_total", "Agents that failed", (*AGENT, "code")).labels,
            folds=(1,),
        )
        self._verdicts = self._count(
            "proctor_policy_verdicts_total", "Verdicts", ["team", "stage", "outcome"]
        )
        self._approvals = self._count(
            "proctor_approvals_total", "Decisions that runs took", ["team", "decision"]
        )
        self._wait = self._time(
            "proctor_approval_wait_seconds",
            "From a question to the decision on it",
            ["team"],
            buckets=WAIT_BUCKETS,
        )

    def _of_the_system(self) -> None:
        self._release = self._gauge("proctor_release", "1, for the release that runs here", ["release"])
        self._level = self._gauge("proctor_degradation_level", "0 is normal, 4 refuses new runs")
        self._levels = self._count(
            "proctor_degradation_changes_total", "Changes of the level", ["to", "rule"]
        )
        self._budgets: Bounded[Counter] = self._bounded(
            self._count("proctor_budget_events_total", "What budgets did", ["what", "budget"]).labels,
            folds=(1,),
        )
        self._differences = self._count(
            "proctor_ledger_differences_total", "Runs whose ledger and journal don't agree", []
        )
        self._findings = self._count("proctor_inspection_findings_total", "What inspections found anew", [])

    def expect(
        self,
        *,
        teams: Collection[str],
        deployments: Collection[str],
        budgets: Collection[str],
        release: str,
    ) -> None:
        """Begins at 0 what is known by name: an increase is seen from the first time on."""
        self._release.labels(release).set(1)
        for team in teams:
            for status in ENDS:
                self._runs.labels(team, status, release)
            self._run_seconds.labels(team, release)
            self._wait.labels(team)
            for kind in KINDS:
                self._results(team, kind)
        for deployment in deployments:
            self.breaker_changed(deployment, "closed")
        for budget in budgets:
            for what in BUDGET_EVENTS:
                self._budgets.of(what, budget)

    def model(self, call: ModelCall, deployment: str = "") -> ModelSeries:
        """The series of the calls of one agent, of the call's deployment or of another one."""
        # `labels()` takes a lock and builds a tuple for each of eight metrics: too dear for every call.
        return self._models.of(*_of(call, deployment))

    def tool(self, team: str, agent: str, tool: str, release: str) -> ToolSeries:
        """The series of one agent's calls of one tool, named `server.tool`."""
        return self._tools.of(team, agent, tool, release)

    def _model_series(self, team: str, agent: str, deployment: str, release: str) -> ModelSeries:
        key = (team, agent, deployment, release)
        return ModelSeries(
            results=self._results(team, "model"),
            active=self._active.labels(team, agent),
            response=self._response.labels(team, agent),
            seconds=self._model_seconds.labels(*key),
            first=self._first.labels(*key),
            cost=self._cost.labels(*key),
            retries=self._retries.labels(*key),
            input=self._tokens.labels(*key, "input"),
            output=self._tokens.labels(*key, "output"),
            cached=self._tokens.labels(*key, "cached_input"),
            reasoning=self._tokens.labels(*key, "reasoning"),
            calls=self._model_calls,
            labels=key,
        )

    def _tool_series(self, team: str, agent: str, tool: str, release: str) -> ToolSeries:
        key = (team, agent, tool, release)
        return ToolSeries(
            results=self._results(team, "tool"),
            active=self._active.labels(team, agent),
            seconds=self._tool_seconds.labels(*key),
            cost=self._tool_cost.labels(*key),
            calls=self._tool_calls,
            labels=key,
        )

    def _results(self, team: str, kind: str) -> dict[CallResult, Counter]:
        return {result: self._calls.labels(team, kind, result) for result in get_args(CallResult)}

    def model_retried(self, call: ModelCall, _error: ProctorError) -> None:
        """Counts a request that is sent again."""
        self.model(call).retries.inc()

    def model_fell_back(self, call: ModelCall, to: str, _error: ProctorError) -> None:
        """Counts a call that another deployment is asked to answer."""
        self._fallbacks.of(*_of(call), to).inc()

    def model_hedged(self, call: ModelCall) -> None:
        """Counts a call that was asked for a second time, because its answer was late."""
        self._hedges.of(*_of(call)).inc()

    def model_recalled(self, call: ModelCall, result: ModelResult) -> None:
        """Counts a call that a cache answered."""
        self._cached.of(*_of(call)).inc()  # as the call itself: else it would be no share of the calls
        self._saved.of(*_of(call, result.deployment)).inc(result.saved)

    def wasted(self, team: str, agent: str, release: str, cost: int) -> None:
        """Adds what was paid for a request that brought no answer, or one that nobody takes."""
        if cost:
            self._wasted.of(team, agent, release).inc(cost)

    def rate_waited(self, call: ModelCall, seconds: float) -> None:
        """Takes note of how long a call waited for its deployment's rate."""
        self._rate_waits.of(*_of(call)).observe(seconds)

    def breaker_changed(self, deployment: str, state: str) -> None:
        """Shows the state of a deployment's breaker."""
        for one in BREAKER_STATES:
            self._breakers.labels(deployment, one).set(one == state)

    def budget_told(self, what: str, budget: str) -> None:
        """Counts what a budget did: `refused`, `warned`, `degraded`, `wrapped_up`, `raised`."""
        self._budgets.of(what, budget).inc()

    def ledger_differs(self, runs: int) -> None:
        """Counts runs whose ledger and journal don't agree."""
        self._differences.inc(runs)

    def inspection_found(self, findings: int) -> None:
        """Counts what inspections found and wasn't known before."""
        self._findings.inc(findings)

    def level_changed(self, level: int, rule: str) -> None:
        """Shows the level of degradation, and counts the rule that led there."""
        self._level.set(level)
        self._levels.labels(str(level), rule).inc()

    def run_finished(self, team: str, status: str, seconds: float, release: str = "") -> None:
        """Counts a run that has ended: `completed`, `failed`, `cancelled` or `refused`."""
        self._runs.labels(team, status, release).inc()
        self._run_seconds.labels(team, release).observe(seconds)
        finished = self._finished[team] = self._finished.get(team, 0) + 1
        completed = self._completed[team] = self._completed.get(team, 0) + (status == "completed")
        self._completion.labels(team).set(completed / finished)

    def agent_failed(self, team: str, agent: str, code: str) -> None:
        """Counts an agent that failed, whether or not its run goes on without it."""
        self._agent_failures.of(team, agent, code).inc()

    def policy_said(self, team: str, stage: str, outcome: str) -> None:
        """Counts a verdict. Documents belong to no team."""
        self._verdicts.labels(team, stage, outcome).inc()

    def approval_decided(self, team: str, decision: str, waited: float) -> None:
        """Counts a decision that a run took, whoever or whatever decided, and the seconds it took."""
        self._approvals.labels(team, decision).inc()
        self._wait.labels(team).observe(max(0.0, waited))


def _of(call: ModelCall, deployment: str = "") -> tuple[str, str, str, str]:
    scope = call.scope
    return scope.team, scope.agent, deployment or call.model, scope.release
