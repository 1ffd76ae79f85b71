"""A running Proctor: the rooms wired together by one configuration."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from random import Random

from sqlalchemy import Connection

from proctor import ledger, policies
from proctor.agents import ModelFeatures
from proctor.app._chains import Parts, build_chains
from proctor.app._settings import Settings, load_settings
from proctor.app._teams import App
from proctor.approvals import Approval, State
from proctor.approvals import get as get_approval
from proctor.approvals import page as page_of_approvals
from proctor.core import (
    Clock,
    Decision,
    Event,
    ModelCall,
    ModelResult,
    RunError,
    SystemClock,
    TeamSettings,
    Token,
    ToolCall,
    ToolResult,
    Verdict,
    new_id,
    to_micros,
)
from proctor.engine import EmbeddedEngine
from proctor.models import Models, Provider
from proctor.runs import ENDED, Hooks, Journaling, Run, Runs, TeamPlan
from proctor.store import Database, Job
from proctor.telemetry import Metrics
from proctor.tools import Toolbox, ToolServer

STOPPED = ENDED | {"waiting"}

POLL = 0.2
"""Seconds between looks at a run that another process executes."""

GRACE = timedelta(seconds=2)
"""What calls in progress have to end when the process stops (DESIGN 8)."""

CONCURRENCY = 64
"""Runs that one process executes at a time."""


class Proctor:
    """An application with its models, tools and database, ready to execute runs. Made by `proctor.open`."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        database: Database,
        *,
        target: str,
        clock: Clock,
        models: Models,
        toolbox: Toolbox,
        budget: ledger.DailyBudget,
        prices: ledger.Prices,
    ) -> None:
        self.app = app
        self.settings = settings
        self.database = database
        self.metrics = Metrics()
        self.toolbox = toolbox
        self._target = target
        self._clock = clock
        self._models = models
        self._budget = budget
        self._prices = prices
        self._plans: dict[str, TeamPlan] = {}
        self._journaling = Journaling(self._entry)
        self.runs = Runs(
            database,
            clock=clock,
            linger=settings.database.linger,
            hooks=Hooks(plan=self._plan, screen=self._screen, finished=self._finished),
        )
        self.engine = EmbeddedEngine(
            lock=database.lock(),
            due=lambda: self.runs.queued(app.teams),
            recover=lambda: self.runs.recover(app.teams),
            execute=self.runs.execute,
            suspend=self.runs.suspend_all,
            concurrency=CONCURRENCY,
        )

    async def run(self, team: str, task: str, *, tenant: str = "default") -> Run:
        """A run after it has ended, or come to wait for a person.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the text can't be taken at all.
        """
        run = await self.start(team, task, tenant=tenant)
        return await self.wait(run.id) if run.state not in ENDED else run

    async def start(self, team: str, task: str, *, tenant: str = "default") -> Run:
        """A durable run that goes on by itself.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the text can't be taken at all.
        """
        self.app.find(team)
        # A caller who gives up must not leave a stored run behind that nobody executes.
        return await asyncio.shield(self._start(team, task, tenant))

    async def _start(self, team: str, task: str, tenant: str) -> Run:
        executes = self.engine.running
        run = await self.runs.start(team, task, target=self._target, tenant=tenant, executes=executes)
        if run.state == "running":
            self.engine.submit(run.id, run)
        return run

    async def wait(self, run_id: str) -> Run:
        """A run after it has ended, or come to wait for a person.

        Raises:
            RunError: its execution broke, or this process is stopping; the next start takes it up.
        """
        lost = False
        while True:
            run = await self.engine.done(run_id)
            if run is not None and run.state in STOPPED:
                return run
            run = await self.runs.get(run_id)
            if run.state in STOPPED:
                return run
            if not self.engine.executing(run_id):
                if lost and run.state == "running":
                    raise RunError(
                        f"nobody executes run {run_id} any more",
                        hint="The log tells why. It goes on when Proctor is started again.",
                    )
                lost = self.engine.running and run.state == "running"
                await asyncio.sleep(POLL)

    async def stream(self, team: str, task: str, *, tenant: str = "default") -> AsyncIterator[Event | Token]:
        """A new run's events and tokens as they come, until it has ended or waits for a person."""
        run = await self.start(team, task, tenant=tenant)
        async for item in self.runs.watch(run.id, until_wait=True):
            yield item

    async def decide(self, approval_id: str, decision: Decision) -> Approval:
        """A decided approval; its run goes on.

        Raises:
            NotFound: there is no such approval.
            Conflict: it is decided already.
        """
        approval = await self.runs.decide(approval_id, decision)
        self.metrics.approval_decided(decision.kind)
        if self.engine.running:
            self.engine.submit(approval.run_id)
        return approval

    async def approval(self, approval_id: str) -> Approval:
        """One approval.

        Raises:
            NotFound: there is no such approval.
        """
        return await self.database.read(lambda connection: get_approval(connection, approval_id))

    async def approvals(
        self, *, state: State | None = "pending", after: str = "", limit: int = 50
    ) -> tuple[Approval, ...]:
        """A page of approvals, oldest first."""

        def query(connection: Connection) -> tuple[Approval, ...]:
            return page_of_approvals(connection, state=state, after=after, limit=limit)

        return await self.database.read(query)

    async def resume(self, run_id: str) -> Run:
        """A failed run, queued again: it goes on where it stood."""
        run = await self.runs.resume(run_id)
        if self.engine.running and run.state == "queued":
            self.engine.submit(run.id)
        return run

    async def _plan(self, run: Run) -> TeamPlan:
        if run.team not in self._plans:
            self._plans[run.team] = await self._make_plan(run.team)
        return self._plans[run.team]

    async def _make_plan(self, name: str) -> TeamPlan:
        team = self.app.find(name)
        limits = self.settings.teams.get(name, TeamSettings())
        tools = {declared: await self.toolbox.specs([declared]) for declared in team.tools}
        parts = Parts(
            journaling=self._journaling,
            metrics=self.metrics,
            budget=self._budget,
            prices=self._prices,
            models=self._models,
            toolbox=self.toolbox,
            deployments=self.settings.models,
            team=limits,
            declared=frozenset((spec.server, spec.name) for specs in tools.values() for spec in specs),
            clock=self._clock,
            rng=Random(),  # noqa: S311 - spreads retries; it needs no secrecy
        )
        features = {
            deployment: ModelFeatures(vision=settings.vision, context_window=settings.context_window)
            for deployment, settings in self.settings.models.items()
        }
        return TeamPlan(
            name=name,
            factory=team.factory,
            tools=tools,
            models=features,
            chains=build_chains(parts),
            deadline=limits.deadline,
            max_tool_iterations=limits.max_tool_iterations,
            max_calls=limits.max_calls,
        )

    def _screen(self, task: str) -> Verdict:
        verdict = policies.screen(task, self.settings.policies.input)
        self.metrics.policy_said("input", verdict.outcome)
        return verdict

    def _finished(self, run: Run, seconds: float) -> None:
        self.metrics.run_finished(run.team, run.state, seconds)

    def _entry(self, call: ModelCall | ToolCall, result: ModelResult | ToolResult) -> Sequence[Job[None]]:
        """The ledger's row for a call that was paid for."""
        id, at = new_id("led"), self._clock.now()
        if isinstance(call, ModelCall) and isinstance(result, ModelResult):
            row = ledger.model_entry(call, result, id=id, at=at)
        elif isinstance(call, ToolCall) and isinstance(result, ToolResult) and result.cost:
            row = ledger.tool_entry(call, result, id=id, at=at)
        else:
            return ()
        return (lambda connection: ledger.record(connection, row),)


@asynccontextmanager
async def open_proctor(
    app: App,
    *,
    settings: Settings | None = None,
    target: str = "",
    executes: bool = True,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
    grace: timedelta = GRACE,
) -> AsyncIterator[Proctor]:
    """An application ready to execute runs; with `executes=False` only to start and read them.

    `settings` default to `proctor.toml` and the environment. `target` is where the application is, so that
    other processes find it again. `providers` and `clock` are the seams for tests (`proctor.testing`).

    Raises:
        ConfigurationError: the configuration can't be used.
        DatabaseInUse: another process executes runs on this database.
    """
    settings = settings or load_settings(environ=environ).settings
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(await Database.open(settings.database.url))
        models = Models(settings.models, local=settings.local, environ=environ, providers=providers)
        stack.push_async_callback(models.close)
        servers = {name: ToolServer(name, server, clock) for name, server in settings.tools.items()}
        for server in servers.values():
            stack.push_async_callback(server.close)
        prices = ledger.Prices(settings.models)
        budget = ledger.DailyBudget(
            to_micros(settings.budget.daily_usd),
            prices=prices,
            clock=clock,
            spent=lambda day: database.read(lambda connection: ledger.spent(connection, day)),
        )
        running = Proctor(
            app,
            settings,
            database,
            target=target,
            clock=clock,
            models=models,
            toolbox=Toolbox(servers, app.functions),
            budget=budget,
            prices=prices,
        )
        if app.lifespan is not None:
            await stack.enter_async_context(app.lifespan(running))
        if executes:
            await running.engine.start()
            stack.push_async_callback(running.engine.stop, grace)
        yield running
