"""Model calls of runs that nobody waits for go through the provider's batch interface, at its lower price.

A run whose call is in a batch rests as a row in the database. Knows no budget and no run: what it needs of
them comes in as functions.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from proctor.core import (
    Clock,
    DeploymentSettings,
    JsonObject,
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
)
from proctor.models import _batch_sql as _sql
from proctor.models._batch_dispatch import MOST, MOST_BYTES, Dispatch
from proctor.models._batch_values import (
    BatchClient,
    BatchRequest,
    Hold,
    Release,
    Unclaimed,
    Unfinished,
    Wake,
)
from proctor.models._batch_wires import answer_of, body_of, connect, takes_part
from proctor.models._clients import Clients
from proctor.models._deployments import Deployment, Endpoints
from proctor.models._requests import refuse_impossible
from proctor.store import Database

GATHER = timedelta(minutes=1)
"""How long a request waits for others before they are sent together."""

LOOK_ROUND = timedelta(seconds=30)
"""Between looks for requests whose runs have ended."""

KEPT = timedelta(days=30)
"""How long batches that have ended are shown."""

_RUNS = 1_000
"""Runs that are looked after at a time."""


class Batches:
    """What waits for providers' batches, of all workers of one database."""

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        database: Database,
        endpoints: Endpoints,
        *,
        clock: Clock,
        hold: Hold,
        redeem: ModelMiddleware,
        release: Release,
        unclaimed: Unclaimed,
        unfinished: Unfinished,
        wake: Wake,
        gather: timedelta = GATHER,
        most: int = MOST,
    ) -> None:
        """Takes what it needs of its surroundings.

        `redeem` prices and books an answer, and gives back what was set aside for it: in the transaction that
        records the call's outcome.
        """
        known = (Deployment(name=name, settings=settings) for name, settings in deployments.items())
        self._deployments = {deployment.name: deployment for deployment in known if takes_part(deployment)}
        self._database = database
        self._clock = clock
        self._hold = hold
        self._redeem = redeem
        self._release = release
        self._unclaimed = unclaimed
        self._unfinished = unfinished
        self._wake = wake
        self._gather = gather
        self._clients: Clients[BatchClient] = Clients(endpoints, connect)
        self._dispatch = Dispatch(
            self._deployments,
            database,
            self._clients,
            clock=clock,
            gather=gather,
            most=most,
            release=release,
            unclaimed=unclaimed,
        )
        self._round_at: datetime | None = None
        self._behind = ""
        """The last run that was looked at in this round."""

    def model(self, call: ModelCall, handle: ModelHandler) -> Awaitable[ModelResult]:
        """A middleware: a patient run's call is answered by a batch, and the run rests until it is.

        What the batch doesn't answer, or not in time, goes on to `handle`, at the full price.
        """
        return handle(call) if call.scope.pace != "patient" else self._patiently(call, handle)

    async def _patiently(self, call: ModelCall, handle: ModelHandler) -> ModelResult:
        request = await self._database.read(partial(_sql.find, key=call.scope.key))
        if request is None:
            request = await self._keep(call)
        if request is None or request.deployment not in self._deployments:
            return await handle(call)
        if request.state == "new":
            request = await self._let_wait(call, request)
        if request.state in ("waiting", "sent") and request.deadline_at <= self._clock.now():
            request = await self._give_up(request)
        match request.state:
            case "answered":
                return await self._answered(call, request)
            case "failed" | "late":
                return await self._promptly(call, handle, request)
            case "new" | "waiting" | "sent":
                return await call.scope.suspend(until=request.deadline_at)

    async def work(self) -> int:
        """How many runs may go on now. It is called again and again, by one worker or by several."""
        at = self._clock.now()
        if self._round_at is None or at >= self._round_at:
            await self._look_round(at)
        await self._dispatch.work()
        return await self._tell(at)

    async def close(self) -> None:
        """Closes the connections. Batches at providers go on."""
        await self._clients.close()

    # A call and its request.

    async def _keep(self, call: ModelCall) -> BatchRequest | None:
        """The call's new request; nothing where it can't go through a batch."""
        deployment = self._deployments.get(call.model)
        if deployment is None or not deployment.settings.batch:
            return None
        refuse_impossible(call, deployment)
        # In a thread: it may be long, and the first one of Claude's imports an SDK.
        body = await asyncio.to_thread(body_of, call, deployment)
        if len(body.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            return None
        scope, at = call.scope, self._clock.now()
        request = BatchRequest(
            key=scope.key,
            run_id=scope.run_id,
            team=scope.team,
            tenant=scope.tenant,
            agent=scope.agent,
            requester=scope.requester,
            thread=scope.thread,
            deployment=call.model,
            state="new",
            answer=None,
            error="",
            created_at=at,
            deadline_at=at + deployment.settings.batch_within,
        )
        await self._database.commit(partial(_sql.add, request=request, body=body))
        return request

    async def _let_wait(self, call: ModelCall, request: BatchRequest) -> BatchRequest:
        """The request after its money is set aside. The row was there before: whoever holds money has one."""
        await self._hold(replace(call, model=request.deployment), request.holder)
        at = self._clock.now()
        deadline_at = at + self._deployments[request.deployment].settings.batch_within
        ready_at = at + self._gather
        await self._database.commit(
            partial(_sql.let_wait, key=request.key, ready_at=ready_at, deadline_at=deadline_at)
        )
        data: JsonObject = {
            "deployment": request.deployment,
            "state": "waiting",
            "until": deadline_at.isoformat(),
        }
        call.scope.event("model.batched", data)
        return replace(request, state="waiting", deadline_at=deadline_at)

    async def _give_up(self, request: BatchRequest) -> BatchRequest:
        give_up = partial(_sql.give_up, key=request.key, at=self._clock.now(), release=self._release)
        return await self._database.commit(give_up) or request

    async def _answered(self, call: ModelCall, request: BatchRequest) -> ModelResult:
        async def answer(_: ModelCall) -> ModelResult:
            return answer_of(request, self._deployments[request.deployment])

        result = await self._redeem(replace(call, model=request.deployment), answer)
        call.scope.book(0, partial(_sql.remove, key=request.key))
        return result

    async def _promptly(self, call: ModelCall, handle: ModelHandler, request: BatchRequest) -> ModelResult:
        data: JsonObject = {"deployment": request.deployment, "state": "prompt", "reason": request.error}
        call.scope.event("model.batched", data)
        result = await handle(call)
        call.scope.book(0, partial(_sql.remove, key=request.key))
        return result

    # The runs behind them.

    async def _tell(self, at: datetime) -> int:
        """Wakes each run once for each request that has come to an end: its later rests are its own."""
        runs = await self._database.read(partial(_sql.come_out, most=_RUNS))
        if not runs:
            return 0

        def wake(connection: Connection) -> int:
            woken = self._wake(connection, runs)
            _sql.set_woken(connection, woken, at)
            return len(woken)

        return await self._database.commit(wake)

    async def _look_round(self, at: datetime) -> None:
        """Drops what runs that have ended asked for, some runs at a time."""
        look = partial(_sql.owners, after=self._behind, most=_RUNS)
        runs = await self._database.read(look)
        if len(runs) < _RUNS:
            self._behind, self._round_at = "", at + LOOK_ROUND
        else:
            self._behind = runs[-1]

        def drop(connection: Connection) -> None:
            unfinished = self._unfinished(connection, runs)
            ended = [run_id for run_id in runs if run_id not in unfinished]
            _sql.abandon(
                connection,
                ended,
                at=at,
                release=self._release,
                read=self._read,
                unclaimed=self._unclaimed,
            )
            _sql.prune(connection, at - KEPT)

        if runs:
            await self._database.commit(drop)

    def _read(self, request: BatchRequest) -> ModelResult | None:
        deployment = self._deployments.get(request.deployment)
        return None if deployment is None else answer_of(request, deployment)
