"""The Temporal engine: any number of processes execute segments, and Temporal sees which of them live.

Knows neither teams nor the journal, as the embedded engine. Temporal's package is imported when an engine
starts, never before.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic

from proctor.core import (
    ConfigurationError,
    DatabaseInUse,
    EngineSettings,
    EngineUnavailable,
    MissingSetting,
    to_its_end,
)
from proctor.engine._chores import Routine
from proctor.engine._duties import Chore, Done, Duties, Work
from proctor.engine._executions import Executions
from proctor.store import Lock

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.runtime import Runtime
    from temporalio.worker import Worker

log = logging.getLogger("proctor.engine")

POLL = timedelta(seconds=0.5)
"""Between looks for work that stands in the database and is not handed over."""

ORPHANS = timedelta(seconds=60)
"""Between looks for work whose workflow may be lost."""

HEALTH = timedelta(seconds=5)
"""Between looks whether Temporal answers and this process's worker works."""

BEAT = timedelta(seconds=1)
"""Between a segment's heartbeats: two may get lost before its lease ends."""

PATIENCE = timedelta(seconds=5)
"""For one answer of Temporal."""

GOODBYE = timedelta(seconds=2)
"""For telling Temporal that this worker goes: a moment, unless Temporal is away."""

WORKFLOW_TASK = timedelta(seconds=3)
"""How long a worker may think about a workflow: milliseconds, unless it died meanwhile."""

REMEMBERED = 30.0
"""Seconds for which work that was handed over counts as not idle unless it begins here."""

BATCH = 32
"""Pieces of work that are handed over side by side."""

POLLS = 1
"""Open questions for work of each kind. Temporal answers a frozen worker's too, at a lease for each."""

WORKFLOW_TASKS = 16
"""Workflows that one worker thinks about at a time, each in a thread for a moment."""

_NO_LIMIT = timedelta(days=1)


class TemporalEngine(Generic[Work, Done]):
    """Hands due work over to Temporal, and executes what Temporal gives to this process."""

    def __init__(self, duties: Duties[Work, Done], settings: EngineSettings, *, lock: Lock) -> None:
        self._duties = duties
        self._lock = lock
        self._settings = settings
        self._executions: Executions[Done] = Executions(ended=self._freed)
        self._routine = Routine()
        self._sweeping = asyncio.Lock()
        self._sweep_now = asyncio.Event()
        self._more = False
        self._unsent: dict[str, None] = {}
        self._handed: dict[str, float] = {}
        self._client: Client | None = None
        self._worker: Worker | None = None
        self._serving: asyncio.Task[None] | None = None
        self._stopping = False
        self._barred = False
        """Whether a process with the embedded engine has taken the sole right to execute."""

    @property
    def running(self) -> bool:
        """Whether this process takes part in executing."""
        return self._client is not None

    @property
    def direct(self) -> bool:
        """Never: which process executes is Temporal's choice."""
        return False

    async def start(self) -> None:
        """Takes part from now on.

        Raises:
            DatabaseInUse: a process with the embedded engine has the sole right to execute.
            EngineUnavailable: Temporal can't be reached.
            ConfigurationError: Temporal's package isn't installed.
        """
        client = await _connect(self._settings)
        with ExitStack() as failing:
            failing.callback(self._lock.release)
            await to_its_end(asyncio.to_thread(self._lock.acquire))
            self._serve(client)
            failing.pop_all()
        self._client, self._stopping = client, False
        own = (
            Chore(name="the right to execute", every=POLL, work=self._guard),
            Chore(name="Temporal", every=HEALTH, work=self._check),
            Chore(name="look after orphans", every=ORPHANS, work=self._look_after_orphans),
        )
        for chore in (*own, *self._duties.chores):
            self._routine.begin(chore)
        sweep = Chore(name="hand work over to Temporal", every=POLL, work=self._sweep)
        self._routine.begin(sweep, sooner=self._sweep_now)

    def submit(self, id: str, work: Work | None = None) -> None:  # noqa: ARG002 - of the port
        """Has a piece of work handed over at once; what can't be is kept and tried again."""
        self._unsent[id] = None
        self._sweep_now.set()

    def wake(self) -> None:
        """Looks for due work at once."""
        self._sweep_now.set()

    def executing(self, id: str) -> bool:
        """Whether this process executes the work at this moment."""
        return self._executions.get(id) is not None

    async def done(self, id: str) -> Done | None:
        """What the execution under way here comes to; nothing where another process has it."""
        return await self._executions.done(id)

    async def idle(self) -> None:
        """Returns when nothing is executed here, nothing is due and what was handed over has come to rest."""
        while (client := self._client) is not None:
            await self._sweep()
            if not self._executions and not self._handed:
                return
            handed = tuple(self._handed)
            results = (client.get_workflow_handle(id).result() for id in handed)
            await asyncio.gather(*results, return_exceptions=True)
            for id in handed:
                self._handed.pop(id, None)
            await self._executions.ended()

    async def stop(self, grace: timedelta) -> None:
        """Takes no more work, and ends what is executed here.

        Executions come to a call boundary by themselves where that takes no longer than `grace`; Temporal
        gives what is cut off to another worker.
        """
        self._stopping = True
        await self._routine.end()
        self._duties.suspend()
        closing = None if self._worker is None else asyncio.create_task(self._worker.shutdown())
        await self._executions.end(grace)
        if closing is not None and self._serving is not None:
            await asyncio.wait({closing, self._serving}, timeout=GOODBYE.total_seconds())
            closing.cancel()
            self._serving.cancel()
            await asyncio.gather(closing, self._serving, return_exceptions=True)
        await to_its_end(asyncio.to_thread(self._lock.release))
        self._client = self._worker = self._serving = None

    def _serve(self, client: "Client") -> None:
        self._worker = _worker(client, self._settings, self._segment)
        self._serving = asyncio.create_task(self._worker.run())

    async def _segment(self, run_id: str) -> None:
        """One segment as Temporal's activity."""
        self._handed.pop(run_id, None)
        while (older := self._executions.get(run_id)) is not None:
            await _outlast(older)  # Temporal gave it up, so it ends at its next call boundary
        if self._stopping or self._barred:
            raise _broken("this worker stops")
        task = self._executions.begin(run_id, self._execute(run_id))
        try:
            await _outlast(task)
        except asyncio.CancelledError:
            # This process was frozen or cut off from Temporal, so other segments have lost their leases too.
            # Calls in progress end by themselves: cut off, their effects would be in doubt.
            log.warning("Temporal gives %s to another worker; the segments here are suspended", run_id)
            self._duties.suspend()
            await asyncio.wait({task})
            raise
        if task.cancelled():
            raise _broken("this worker stops")
        if (error := task.exception()) is not None:
            raise _broken(type(error).__name__)

    async def _execute(self, run_id: str) -> Done:
        return await self._duties.execute(run_id)

    def _freed(self) -> None:
        if self._more:
            self._sweep_now.set()

    async def _sweep(self) -> None:
        async with self._sweeping:
            await self._send()
            free = 0 if self._barred else self._settings.concurrency - len(self._executions)
            due = await self._duties.due(free) if free > 0 else ()
            self._more = len(due) >= free
            self._unsent.update(dict.fromkeys(due))
            await self._send()
            now = time.monotonic()
            self._handed = {id: at for id, at in self._handed.items() if now - at < REMEMBERED}

    async def _send(self) -> None:
        while batch := tuple(islice(self._unsent, BATCH)):
            for id in batch:
                del self._unsent[id]
            outcomes = await asyncio.gather(*map(self._hand_over, batch), return_exceptions=True)
            failed = {id: outcome for id, outcome in zip(batch, outcomes, strict=True) if outcome is not None}
            self._unsent.update(dict.fromkeys(failed))
            for error in failed.values():
                raise error

    async def _hand_over(self, id: str) -> None:
        from proctor.engine import _workflow

        self._handed[id] = time.monotonic()
        await self._start_workflow(id, start_signal=_workflow.DUE)

    async def _look_after_orphans(self) -> None:
        from temporalio.common import WorkflowIDConflictPolicy

        for id in await self._duties.orphans():
            if not self.executing(id):
                await self._start_workflow(id, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)

    async def _start_workflow(self, id: str, **more: Any) -> None:
        from temporalio.common import WorkflowIDReusePolicy

        from proctor.engine import _workflow

        assert self._client is not None
        await self._client.start_workflow(
            _workflow.WORKFLOW,
            id,
            id=id,
            task_queue=self._settings.queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=WORKFLOW_TASK,
            rpc_timeout=PATIENCE,
            **more,
        )

    async def _guard(self) -> None:
        """Takes its share of the right to execute again: a database's restart ends its locks."""
        if await to_its_end(asyncio.to_thread(self._lock.held)):
            return
        try:
            await to_its_end(asyncio.to_thread(self._lock.acquire))
        except DatabaseInUse:
            self._barred = True
            self._duties.suspend()
            raise
        self._barred = False

    async def _check(self) -> None:
        """Fails when Temporal doesn't answer; replaces a worker that broke."""
        assert self._client is not None
        await self._client.service_client.check_health(timeout=PATIENCE)
        broken = self._serving
        if broken is not None and broken.done():
            self._serve(self._client)
            await broken


async def _outlast(task: "asyncio.Task[Done]") -> None:
    """Returns when the task has ended; until then Temporal sees that this worker lives."""
    from temporalio import activity

    while (await asyncio.wait({task}, timeout=BEAT.total_seconds()))[1]:
        activity.heartbeat()


def _broken(reason: str) -> Exception:
    """What tells Temporal to give the segment to another worker. The journal's texts stay in the journal."""
    from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

    return ApplicationError(reason, category=ApplicationErrorCategory.BENIGN)


@cache
def _runtime() -> "Runtime":
    """Temporal's threads, shared by the engines of this process."""
    from temporalio.runtime import Runtime, TelemetryConfig

    # Its own log repeats each failed poll; a chore tells once that Temporal is away.
    return Runtime(telemetry=TelemetryConfig(logging=None), worker_heartbeat_interval=None)


def _key(settings: EngineSettings) -> str | None:
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise MissingSetting(
            f"the variable {settings.api_key_env} holds no key to Temporal", hint="Set it for this process."
        )
    return key


async def _connect(settings: EngineSettings) -> "Client":
    try:
        from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
        from temporalio.client import Client
        from temporalio.service import RPCError
    except ImportError:
        raise ConfigurationError(
            "the engine `temporal` needs Temporal's package", hint="pip install 'proctor-runtime[temporal]'"
        ) from None
    try:
        client = await Client.connect(
            settings.address,
            namespace=settings.namespace,
            identity=f"{socket.gethostname()}:{os.getpid()}",
            connect_timeout=PATIENCE,
            tls=settings.tls,
            api_key=_key(settings),
            runtime=_runtime(),
        )
        request = DescribeNamespaceRequest(namespace=settings.namespace)
        await client.workflow_service.describe_namespace(request, timeout=PATIENCE)
    except (RuntimeError, RPCError) as error:
        raise EngineUnavailable(
            f"Temporal at {settings.address} can't be used: {error}",
            hint=f"Is it running, and does it have the namespace {settings.namespace!r}?",
        ) from error
    return client


def _worker(
    client: "Client", settings: EngineSettings, segment: Callable[[str], Awaitable[None]]
) -> "Worker":
    from temporalio import activity
    from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

    from proctor.engine import _workflow

    @activity.defn(name=_workflow.SEGMENT)
    async def execute(run_id: str) -> None:
        await segment(run_id)

    polls = PollerBehaviorSimpleMaximum(POLLS)
    return Worker(
        client,
        task_queue=settings.queue,
        workflows=[_workflow.RunWorkflow],
        activities=[execute],
        workflow_runner=UnsandboxedWorkflowRunner(),
        build_id="proctor",  # the default would be a hash over every module that is loaded
        max_concurrent_activities=settings.concurrency,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        workflow_task_poller_behavior=polls,
        activity_task_poller_behavior=polls,
        max_cached_workflows=0,  # a cache ties a workflow to one worker: if that dies, its next step waits
        max_heartbeat_throttle_interval=BEAT / 2,
        graceful_shutdown_timeout=_NO_LIMIT,
    )
