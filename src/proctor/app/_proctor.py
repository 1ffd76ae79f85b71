"""A running Proctor: the rooms wired together by one configuration."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import Connection
from typing_extensions import Unpack

from proctor import ledger, policies
from proctor.access import Keys
from proctor.app._alerts import ALERT_LOOK, make_alerts
from proctor.app._analysis import MOST, Analysis, analyze
from proctor.app._audit import Record
from proctor.app._engine import make_engine
from proctor.app._guards import Guards
from proctor.app._links import Ground, Links
from proctor.app._notices import NOTICE_LOOK
from proctor.app._plans import Plans
from proctor.app._settings import Settings, limits_of
from proctor.app._shared import read_shared
from proctor.app._teams import App
from proctor.app._tokens import Tokens
from proctor.approvals import Approval, Filter, roles_from
from proctor.core import (
    Clock,
    DatabaseUnavailable,
    Decision,
    Event,
    Pace,
    Parts,
    RunError,
    Token,
    Verdict,
)
from proctor.degradation import Degradation
from proctor.engine import BEAT, Chore, Workers
from proctor.models import Models, stand_ins
from proctor.notices import Notices
from proctor.privacy import Privacy
from proctor.runs import ENDED, STOPPED, Hooks, Once, Prepared, Run, Runs, Share, TeamPlan, Thread, Threads
from proctor.schedules import Schedules
from proctor.store import Database
from proctor.telemetry import Metrics, MetricsPage, Spans
from proctor.tools import Toolbox, check_packages

if TYPE_CHECKING:
    from proctor.knowledge import Knowledge

GRACE = timedelta(seconds=2)
"""What calls in progress have to end when the process stops (DESIGN 8)."""

LONGEST_HOST = 64
"""Characters of this machine's name by which operators find it."""

CLOSING = 2.0
"""Seconds that money which is set aside has to be given back."""

LEVEL_LOOK = timedelta(seconds=1)
"""Between looks for what would change the level of degradation."""

CANCEL_LOOK = timedelta(seconds=0.5)
"""Between looks for runs that are asked to stop."""

EXPIRY_LOOK = timedelta(seconds=2)
"""Between looks for questions that nobody has answered in time."""

PINS_LOOK = timedelta(seconds=2)
"""Between looks for tools that people have accepted."""

PRIVACY_LOOK = timedelta(minutes=5)
"""Between looks for what is too old, and for what others have erased."""

SCHEDULE_LOOK = timedelta(seconds=1)
"""Between looks for schedules that are due."""


class StartOptions(TypedDict, total=False):
    """What may be said of a run beside its team and its task."""

    tenant: str
    requester: str
    """Who asks for the run: an approval rule may keep that person from deciding on it."""
    by: str
    """Who starts it. Where that isn't the requester, it is an entry in the record."""
    parts: Parts
    """Where in the task the texts stand that it was put together from: the policy reads each by itself."""
    priority: int
    """The greater, the sooner; 0 where nothing is said."""
    at: datetime
    """When the run may begin at the earliest."""
    thread: str
    """The conversation that the task belongs to, as `open_thread` names it."""
    subject: str
    """The person whom the run is about; else whoever the team's settings say."""
    pace: Pace
    """`patient` where nobody waits for the run: it may take the cheap way."""
    trace: str
    """The trace that the run is a part of, as W3C's `traceparent`."""
    once: Once
    """What tells a request that is sent again: the run of the first one is given back."""


class Proctor:
    """An application with its models, tools and database, ready to execute runs. Made by `proctor.open`."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        database: Database,
        *,
        target: str,
        share: Share,
        on_segment: Callable[[Run], None],
        clock: Clock,
        models: Models,
        toolbox: Toolbox,
        guards: Guards,
        notices: Notices,
        spans: Spans,
        environ: Mapping[str, str],
    ) -> None:
        self.app = app
        self.settings = settings
        self.database = database
        self.metrics = Metrics(most=settings.telemetry.label_sets)
        self.toolbox = toolbox
        self._target = target
        self._spans = spans
        self.clock = clock
        self._limits = limits_of(settings)
        self.policy = policies.Policy(settings.policies)
        self._on_segment = on_segment
        worker = f"{socket.gethostname()[:LONGEST_HOST]}:{os.getpid()}:{secrets.token_hex(3)}"
        self.degradation = self._make_degradation(worker)
        self.workers = Workers(
            database,
            clock=clock,
            id=worker,
            engine=settings.engine.kind,
            teams=app.teams,
            running=lambda: len(self.runs.execution),
        )
        self.links = Links(
            Ground(
                settings=settings,
                database=database,
                models=models,
                workers=self.workers,
                metrics=self.metrics,
                clock=clock,
                environ=environ,
                level=lambda: self.degradation.level,
                wake=self._wake,
            )
        )
        self._guards = guards
        self._tokens = Tokens(settings.policies, self.policy, lambda: self.privacy)
        self._plans = self._make_plans(models, guards)
        self.runs = Runs(
            database,
            clock=clock,
            linger=settings.database.linger,
            hooks=self._hooks(self._plans),
            share=share,
            limits=self._limits,
            worker=worker,
        )
        self.privacy = self._make_privacy(environ)
        self.notices = notices
        self.alerts = make_alerts(database, settings, clock=clock)
        self.schedules = Schedules(
            database, self.runs, clock=clock, target=target, find=app.find, admit=self._admit
        )
        self.threads = Threads(database, clock=clock)
        self.record = self._make_record(environ)
        self.engine = make_engine(settings.engine, database, self.runs.execution, self._chores())
        self.metrics_page = self._make_metrics_page()

    def _make_degradation(self, worker: str) -> Degradation:
        return Degradation(
            self.settings.degradation,
            resting=stand_ins(self.settings.models),
            database=self.database,
            worker=worker,
            clock=self.clock,
            budget_share=lambda: self.links.budgets.share,
            on_level=lambda change: self.metrics.level_changed(change.level, change.rule),
        )

    def _make_metrics_page(self) -> MetricsPage:
        """What `/metrics` answers."""
        settings = self.settings
        budgets = ledger.configured(settings.budget, settings.budgets, settings.teams)
        self.metrics.expect(
            teams=self.app.teams, deployments=settings.models, budgets=budgets, release=settings.release
        )
        look = partial(
            read_shared,
            self.database,
            self.workers,
            clock=self.clock,
            teams=self.app.teams,
            budgets=budgets,
        )
        return MetricsPage(self.metrics, look)

    def _make_record(self, environ: Mapping[str, str]) -> Record:
        return Record(
            self.settings,
            self.database,
            clock=self.clock,
            environ=environ,
            workers=self.workers,
            policy=lambda: self.policy.version,
            on_found=self.metrics.inspection_found,
        )

    def _make_privacy(self, environ: Mapping[str, str]) -> Privacy:
        return Privacy(
            self.database,
            self.settings.privacy,
            self.runs,
            clock=self.clock,
            environ=environ,
            on_erased=self.links.cache.forget,
        )

    def _make_plans(self, models: Models, guards: Guards) -> Plans:
        return Plans(
            self.app,
            self.settings,
            guards=guards,
            degradation=self.degradation,
            metrics=self.metrics,
            links=self.links,
            models=models,
            toolbox=self.toolbox,
            clock=self.clock,
            policy=self.policy,
            tokens=self._tokens,
            spans=self._spans,
        )

    def _hooks(self, plans: Plans) -> Hooks:
        async def plan(run: Run) -> TeamPlan:
            await self.privacy.admit(run)  # before each segment: a consent may have been withdrawn
            return await plans.of(run)

        return Hooks(
            plan=plan,
            screen=self._screen,
            finished=self._finished,
            segment=self._left,
            simplifies=self._simplifies,
            team=self.settings.team,
            roles=roles_from(self.settings.roles),
            release=self.settings.release,
            spans=self._spans,
        )

    async def run(self, team: str, task: str, **options: Unpack[StartOptions]) -> Run:
        """A run after it has ended, or come to wait for a person. Takes what `start` takes.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the text can't be taken at all.
        """
        run = await self.start(team, task, **options)
        return await self.wait(run.id) if run.state not in ENDED else run

    async def answer(self, run: Run) -> str | None:
        """What a run has answered, with what stands behind its tokens: for whoever asked, and nobody else.

        In a thread in which several have asked, tokens stay: nobody knows whose they are.
        """
        if run.thread_id is not None and await self.threads.is_shared(run):
            return run.result
        return await self._tokens.answer(run)

    async def start(self, team: str, task: str, **options: Unpack[StartOptions]) -> Run:
        """A durable run that goes on by itself.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the text can't be taken at all.
            Forbidden: the subject doesn't consent (`ConsentMissing`), or their data is `Restricted`.
            Degraded: the system takes no new runs for now.
            NotFound: the tenant has no such thread.
            Conflict: the thread belongs to another team.
            ThreadBusy: a run of the thread goes on, and the team takes no message meanwhile.
            KeyReused: another request was sent with the same key.
        """
        self.app.find(team)
        once = options.get("once")
        if once is not None and (earlier := await self.runs.started(once)) is not None:
            return earlier
        await self._admit()
        # A caller who gives up must not leave a stored run behind that nobody executes.
        return await asyncio.shield(self._start(team, task, options))

    async def _admit(self) -> None:
        """Returns where the system takes new runs."""
        if not self.engine.running:
            await self.degradation.look()
        self.degradation.admit()

    async def _start(self, team: str, task: str, options: StartOptions) -> Run:
        prepared = self.prepare(team, task, **options)
        await self.privacy.admit(prepared.run)
        hidden = await self._tokens.hide(prepared, task, options.get("parts", ()))
        run = await self.runs.start(hidden, once=options.get("once"))
        if run.id != prepared.run.id:
            return run  # of an earlier sending, and under way
        if run.state == "running":
            executing = self.engine.submit(run.id, run)
            if executing is not None:  # where it is cut off before it begins, nobody else takes note of that
                executing.add_done_callback(self.runs.execution.letting_go(run.id))
        elif run.state == "queued" and run.due_at is None:
            self.engine.wake()
        return run

    def prepare(self, team: str, task: str, **options: Unpack[StartOptions]) -> Prepared:
        """A run that is ready to be stored."""
        tenant, at = options.get("tenant", "default"), options.get("at")
        waits_for_its_turn = at is not None or self._limits.touch(team, tenant)
        return self.runs.intake.prepare(
            team,
            task,
            parts=options.get("parts", ()),
            target=self._target,
            tenant=tenant,
            requester=options.get("requester", ""),
            by=options.get("by", ""),
            priority=options.get("priority", 0),
            due_at=at,
            thread_id=options.get("thread"),
            pace=options.get("pace", "prompt"),
            subject=options.get("subject", ""),
            trace=options.get("trace", ""),
            executes=self.engine.direct and not waits_for_its_turn,
        )

    async def open_thread(self, team: str, *, tenant: str = "default", once: Once | None = None) -> Thread:
        """A new conversation of a tenant with a team. Its messages are runs: `start(…, thread=thread.id)`.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the tenant's name can't be taken.
        """
        self.app.find(team)
        return await self.threads.open(team, tenant=tenant, once=once)

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
                await self.runs.noticed(run_id)

    async def stream(
        self, team: str, task: str, **options: Unpack[StartOptions]
    ) -> AsyncIterator[Event | Token]:
        """A new run's events and tokens as they come, until it has ended or waits for a person."""
        run = await self.start(team, task, **options)
        async for item in self.runs.watch(run.id, until_wait=True):
            yield item

    async def decide(
        self,
        approval_id: str,
        decision: Decision,
        *,
        also: Callable[[Connection], None] | None = None,
        link_of: str = "",
    ) -> Approval:
        """An approval after a person's answer. Where that decides it, its run goes on.

        `also` is done before, in the same transaction: what it refuses isn't decided. `link_of` is the role
        whose link was used: only who has checked the link may say so.

        Raises:
            NotFound: there is no such approval.
            Conflict: it is decided already, or about another action by now; or this person has voted.
            Forbidden: this person doesn't decide it.
            InvalidInput: the answer doesn't fit the question.
        """
        approval = await self.runs.desk.decide(approval_id, decision, also=also, link_of=link_of)
        if approval.state == "decided" and self.engine.running:
            self.engine.wake()
        return approval

    def take_only(self, run_id: str) -> None:
        """Lets this process execute one run alone, once its engine is started."""
        self.runs.execution.share = Share(only=run_id)

    async def approval(self, approval_id: str, *, tenant: str | None = None) -> Approval:
        """One approval, of one tenant where it is named.

        Raises:
            NotFound: there is no such approval.
        """
        return await self.runs.desk.get(approval_id, tenant=tenant)

    async def approvals(
        self, wanted: Filter | None = None, *, after: str = "", limit: int = 50
    ) -> tuple[Approval, ...]:
        """A page of approvals, oldest first: pending ones, where nothing else is wanted."""
        return await self.runs.desk.page(wanted, after=after, limit=limit)

    async def resume(self, run_id: str, *, by: str = "", tenant: str | None = None) -> Run:
        """A failed run, queued again: it goes on where it stood."""
        await self.privacy.admit(await self.runs.get(run_id, tenant=tenant))
        run = await self.runs.resume(run_id, by=by, tenant=tenant)
        if self.engine.running and run.state == "queued":
            self.engine.wake()
        return run

    async def analyze(
        self, since: datetime, until: datetime, *, team: str = "", tenant: str = "", most: int = MOST
    ) -> Analysis:
        """What failed and was refused from `since` to before `until`, as patterns with what may be behind.

        Of one team or tenant, if named; out of the newest `most` entries of the log that tell of such.
        """
        return await analyze(self.database, since=since, until=until, team=team, tenant=tenant, most=most)

    @cached_property
    def keys(self) -> Keys:
        """The keys by which programs use the server."""
        return Keys(self.database, clock=self.clock)

    @cached_property
    def knowledge(self) -> "Knowledge":
        """The documents that agents look things up in, kept as the policy says."""
        from proctor.knowledge import Knowledge  # here, because it brings numpy along

        return Knowledge(
            self.database,
            self.settings.knowledge,
            clock=self.clock,
            screen=self._screen_document,
        )

    async def start_executing(self) -> None:
        """Takes part in executing from now on, under the budgets that were set.

        Raises:
            ConfigurationError: such a budget can't be read, or packages are frozen and one isn't fixed.
            DatabaseInUse: another process executes runs on this database.
        """
        check_packages(self.settings.tools, self.settings.trust)
        await self.links.budgets.look()
        self.record.check()
        at = self.clock.now()
        async with AsyncExitStack() as failing:
            await self.engine.start()
            failing.push_async_callback(self.engine.stop, GRACE)
            await self.record.begin(at)
            failing.pop_all()

    async def stop_executing(self, grace: timedelta = GRACE) -> None:
        """Takes part in executing no more; what didn't finish is taken up later, or elsewhere."""
        await self.workers.stop()
        await self.engine.stop(grace)
        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(CLOSING):
                await self.links.close()
        await self.workers.leave()
        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(CLOSING):
                await self.record.end()

    def _wake(self) -> None:
        self.engine.wake()

    def _simplifies(self, team: str) -> bool:
        registered = self.app.teams.get(team)
        return self.degradation.simplifies and registered is not None and registered.simple is not None

    async def _fire_schedules(self) -> None:
        """Starts what is due by the clock. While no runs are taken it stays due, and is caught up once."""
        if not self.degradation.closed:
            await self.schedules.fire()

    async def _look_at_pins(self) -> None:
        if await self._guards.pins.look():
            self._plans.forget()  # runs that begin from here on are shown what was accepted

    async def _expire_approvals(self) -> None:
        if await self.runs.desk.expire():
            self.engine.wake()

    def _chores(self) -> tuple[Chore, ...]:
        chores = (
            Chore(name="cancelled runs", every=CANCEL_LOOK, work=self.runs.execution.stop_cancelled),
            Chore(name="approvals that expire", every=EXPIRY_LOOK, work=self._expire_approvals),
            Chore(name="schedules", every=SCHEDULE_LOOK, work=self._fire_schedules),
            Chore(name="degradation", every=LEVEL_LOOK, work=self.degradation.tick),
            Chore(name="a sign of life", every=BEAT, work=self.workers.beat),
            *self.links.chores(),
            Chore(name="tools that people accept", every=PINS_LOOK, work=self._look_at_pins),
            Chore(name="what is too old", every=PRIVACY_LOOK, work=self.privacy.tick),
            *self.record.chores(),
        )
        if self.settings.alerts.enabled:
            chores += (Chore(name="alerts", every=ALERT_LOOK, work=self.alerts.tick),)
        notices = Chore(name="notices", every=NOTICE_LOOK, work=self.notices.work)
        return (*chores, notices) if self.notices.tells else chores

    def _screen_document(self, text: str) -> Verdict:
        verdict = self.policy.read(text, "knowledge")
        self.metrics.policy_said("", "knowledge", verdict.outcome)
        return verdict

    def _screen(self, task: str, team: str, parts: Parts) -> Verdict:
        verdict = self.policy.read(task, "input", team=team, parts=parts)
        self.metrics.policy_said(team, "input", verdict.outcome)
        return verdict

    def _finished(self, run: Run, seconds: float) -> None:
        self.metrics.run_finished(run.team, run.state, seconds, run.release)
        if run.thread_id is not None:
            self.engine.wake()  # the next message of the conversation may wait for this

    def _left(self, run: Run) -> None:
        self._on_segment(run)
        if self._limits.touch(run.team, run.tenant):
            self.engine.wake()  # another run of the team or tenant may wait for its turn
