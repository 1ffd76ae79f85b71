"""The metrics, in a registry of their own, with what every call needs of them looked up once."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from proctor.core import ModelCall, ModelResult, ProctorError
from proctor.telemetry._series import ModelSeries, ToolSeries

CALL_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds; OpenTelemetry's `gen_ai.client.operation.duration` advises these."""
RUN_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
"""Seconds; a run may wait for a person."""


class Metrics:
    """What Prometheus reads. Three metrics have no prefix: operators' guides to agents name them so."""

    def __init__(self) -> None:
        self.registry = of = CollectorRegistry()
        agent = ("team", "agent")
        model = (*agent, "deployment")
        tool = (*agent, "tool")
        calls = partial(Histogram, registry=of, buckets=CALL_BUCKETS)
        count = partial(Counter, registry=of)
        self._active = Gauge("agent_active_count", "Calls in progress", agent, registry=of)
        self._completion = Gauge(
            "task_completion_rate", "Share of finished runs that completed", ["team"], registry=of
        )
        self._response = calls("response_time_seconds", "An agent's model call", agent)
        self._model_calls = count("proctor_model_calls_total", "Model calls", (*model, "outcome"))
        self._tokens = count("proctor_model_tokens_total", "Tokens", (*model, "type"))
        self._cost = count("proctor_model_cost_micros_total", "Micro-dollars", model)
        self._model_seconds = calls("proctor_model_duration_seconds", "A model call with its retries", model)
        self._retries = count("proctor_model_retries_total", "Requests sent again", model)
        self._fallbacks = count(
            "proctor_model_fallbacks_total", "Calls that went on to another deployment", (*model, "to")
        )
        self._tool_calls = count("proctor_tool_calls_total", "Tool calls", (*tool, "outcome"))
        self._tool_seconds = calls("proctor_tool_duration_seconds", "A tool call", tool)
        self._runs = count("proctor_runs_total", "Finished runs", ["team", "status"])
        self._run_seconds = Histogram(
            "proctor_run_duration_seconds", "A run", ["team"], registry=of, buckets=RUN_BUCKETS
        )
        self._agent_failures = count("proctor_agent_failures_total", "Agents that failed", (*agent, "code"))
        self._verdicts = count("proctor_policy_verdicts_total", "Policies' verdicts", ["stage", "outcome"])
        self._approvals = count("proctor_approvals_total", "People's decisions", ["decision"])
        self._level = Gauge("proctor_degradation_level", "0 is normal, 4 refuses new runs", registry=of)
        self._levels = count("proctor_degradation_changes_total", "Changes of the level", ["to", "rule"])
        self._hedges = count("proctor_model_hedges_total", "Requests that were sent a second time", model)
        self._breakers = Gauge(
            "proctor_model_breaker",
            "1 for the state that a deployment's breaker is in",
            ["deployment", "state"],
            registry=of,
        )
        self._rate_waits = calls("proctor_model_rate_wait_seconds", "Waiting for a deployment's rate", model)
        self._cached = count("proctor_model_cache_hits_total", "Calls that a cache answered", model)
        self._saved = count("proctor_model_saved_micros_total", "Micro-dollars that a cache saved", model)
        self._budgets = count("proctor_budget_events_total", "What budgets did", ["what", "budget"])
        self._differences = count(
            "proctor_ledger_differences_total", "Runs whose ledger and journal don't agree", []
        )
        self._models: dict[tuple[str, str, str], ModelSeries] = {}
        self._tools: dict[tuple[str, str, str], ToolSeries] = {}
        self._finished: dict[str, int] = {}
        self._completed: dict[str, int] = {}

    def model(self, team: str, agent: str, deployment: str) -> ModelSeries:
        """The series of one agent's calls of one deployment."""
        # `labels()` takes a lock and builds a tuple for each of seven metrics: too dear for every call.
        key = (team, agent, deployment)
        series = self._models.get(key)
        if series is None:
            series = self._models[key] = ModelSeries(
                active=self._active.labels(team, agent),
                response=self._response.labels(team, agent),
                seconds=self._model_seconds.labels(*key),
                cost=self._cost.labels(*key),
                retries=self._retries.labels(*key),
                input=self._tokens.labels(*key, "input"),
                output=self._tokens.labels(*key, "output"),
                cached=self._tokens.labels(*key, "cached_input"),
                reasoning=self._tokens.labels(*key, "reasoning"),
                calls=self._model_calls,
                labels=key,
            )
        return series

    def tool(self, team: str, agent: str, tool: str) -> ToolSeries:
        """The series of one agent's calls of one tool."""
        key = (team, agent, tool)
        series = self._tools.get(key)
        if series is None:
            series = self._tools[key] = ToolSeries(
                active=self._active.labels(team, agent),
                seconds=self._tool_seconds.labels(*key),
                calls=self._tool_calls,
                labels=key,
            )
        return series

    def model_retried(self, call: ModelCall, _error: ProctorError) -> None:
        """Counts a request that is sent again."""
        self.model(call.scope.team, call.scope.agent, call.model).retries.inc()

    def model_fell_back(self, call: ModelCall, to: str, _error: ProctorError) -> None:
        """Counts a call that another deployment is asked to answer."""
        self._fallbacks.labels(call.scope.team, call.scope.agent, call.model, to).inc()

    def model_hedged(self, call: ModelCall) -> None:
        """Counts a call that was asked for a second time, because its answer was late."""
        self._hedges.labels(call.scope.team, call.scope.agent, call.model).inc()

    def model_recalled(self, call: ModelCall, result: ModelResult) -> None:
        """Counts a call that a cache answered."""
        key = (call.scope.team, call.scope.agent, result.deployment)
        self._cached.labels(*key).inc()
        self._saved.labels(*key).inc(result.saved)

    def rate_waited(self, call: ModelCall, seconds: float) -> None:
        """Takes note of how long a call waited for its deployment's rate."""
        self._rate_waits.labels(call.scope.team, call.scope.agent, call.model).observe(seconds)

    def breaker_changed(self, deployment: str, state: str) -> None:
        """Shows the state of a deployment's breaker."""
        for one in ("closed", "open", "half_open"):
            self._breakers.labels(deployment, one).set(one == state)

    def budget_told(self, what: str, budget: str) -> None:
        """Counts what a budget did: `refused`, `warned`, `degraded`, `wrapped_up`, `raised`."""
        self._budgets.labels(what, budget).inc()

    def ledger_differs(self, runs: int) -> None:
        """Counts runs whose ledger and journal don't agree."""
        self._differences.inc(runs)

    def level_changed(self, level: int, rule: str) -> None:
        """Shows the level of degradation, and counts the rule that led there."""
        self._level.set(level)
        self._levels.labels(str(level), rule).inc()

    def run_finished(self, team: str, status: str, seconds: float) -> None:
        """Counts a run that has ended: `completed`, `failed`, `cancelled` or `refused`."""
        self._runs.labels(team, status).inc()
        self._run_seconds.labels(team).observe(seconds)
        finished = self._finished[team] = self._finished.get(team, 0) + 1
        completed = self._completed[team] = self._completed.get(team, 0) + (status == "completed")
        self._completion.labels(team).set(completed / finished)

    def agent_failed(self, team: str, agent: str, code: str) -> None:
        """Counts an agent that failed, whether or not its run goes on without it."""
        self._agent_failures.labels(team, agent, code).inc()

    def policy_said(self, stage: str, outcome: str) -> None:
        """Counts a verdict."""
        self._verdicts.labels(stage, outcome).inc()

    def approval_decided(self, decision: str) -> None:
        """Counts a person's decision."""
        self._approvals.labels(decision).inc()
