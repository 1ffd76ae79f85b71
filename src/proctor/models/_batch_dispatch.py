"""Takes requests to a provider in batches and brings the answers back, whatever breaks on the way.

Where a batch stands is known from the database alone: any worker goes on where another one stopped.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from proctor.core import Clock, ConfigurationError, ModelError, ModelRefused, new_id
from proctor.models import _batch_sql as _sql
from proctor.models._batch_values import Batch, BatchClient, Progress, Received, Release, Unclaimed
from proctor.models._batch_wires import received_from
from proctor.models._clients import Clients
from proctor.models._deployments import Deployment
from proctor.store import Database

MOST = 5_000
MOST_BYTES = 50_000_000
"""Of one batch. Providers take ten times as many requests and four times as much; a worker holds all of one
in its memory."""

LEASE = timedelta(minutes=15)
"""How long a batch is a worker's own to look after: longer than its longest requests take."""

SOONEST, LATEST = timedelta(seconds=30), timedelta(minutes=5)
"""Between looks at a batch: a tenth of its age, within these."""

FULL = timedelta(minutes=10)
"""What was refused because the provider has too much to do waits so long for another batch."""

SKEW = timedelta(hours=1)
"""By which a provider's clock may be behind ours."""

_TOGETHER = 100
"""Answers that are read and committed at a time."""

log = logging.getLogger("proctor.models")


class Dispatch:
    """The batches of one database on their way."""

    def __init__(
        self,
        deployments: Mapping[str, Deployment],
        database: Database,
        clients: Clients[BatchClient],
        *,
        clock: Clock,
        gather: timedelta,
        most: int,
        release: Release,
        unclaimed: Unclaimed,
    ) -> None:
        self._deployments = deployments
        self._database = database
        self._clients = clients
        self._clock = clock
        self._most = most
        self._gather = gather
        self._release = release
        self._unclaimed = unclaimed

    async def work(self) -> None:
        """Makes batches of what has waited long enough, and looks after those whose time it is."""
        at, names = self._clock.now(), self._deployments.keys()
        ready = await self._database.read(partial(_sql.ready, deployments=names, at=at, enough=self._most))
        for name in ready:
            while await self._database.commit(partial(self._make, name=name, at=at)):
                pass
        for batch in await self._database.read(partial(_sql.due, deployments=names, at=at)):
            if await self._database.commit(partial(_sql.claim, batch=batch, until=at + LEASE)):
                await self._advance(batch)

    def _make(self, connection: Connection, name: str, at: datetime) -> int:
        return _sql.make(
            connection,
            name,
            id=new_id("bat"),
            at=at,
            gather=self._gather,
            most=self._most,
            most_bytes=MOST_BYTES,
        )

    async def _advance(self, batch: Batch) -> None:
        try:
            client = await self._clients.of(self._deployments[batch.deployment])
            if batch.state == "submitted":
                await self._look_after(batch, client)
            else:
                await self._submit(batch, client)
        except (ModelError, ConfigurationError) as error:
            if batch.state == "made" and isinstance(error, ConfigurationError):
                await self._end(batch, error.message)
                return
            # Its requests give up by themselves: what the provider has may come, and is paid for.
            log.warning("batch %s: it is tried again: %s", batch.id, error)
            await self._later(batch)

    async def _submit(self, batch: Batch, client: BatchClient) -> None:
        """Gives a batch to the provider; where it may have it already, only if it hasn't."""
        found: Progress | None = None
        if batch.state == "submitting":
            known = await self._database.read(partial(_sql.provider_ids, deployment=batch.deployment))
            found = await client.find(batch.id, since=batch.created_at - SKEW, known=known)
        if found is None:
            requests = await self._database.read(partial(_sql.requests_of, id=batch.id))
            if not requests:
                await self._end(batch, "nobody waited for it any more")
                return
            await self._database.commit(partial(_sql.set_submitting, id=batch.id))
            try:
                found = await client.submit(requests, id=batch.id)
            except ModelRefused as error:
                await self._end(batch, error.message)
                return
        next_at = self._clock.now() + SOONEST
        first = await self._database.commit(
            partial(_sql.set_submitted, id=batch.id, provider_id=found.id, next_at=next_at)
        )
        if first != found.id:  # a worker that was taken for dead had given it to the provider meanwhile
            await client.stop(found.id)

    async def _look_after(self, batch: Batch, client: BatchClient) -> None:
        progress = await client.look(batch.provider_id)
        if progress.state == "ended":
            await self._collect(batch, client, progress)
            return
        if progress.state == "working" and not await self._database.read(partial(_sql.wanted, id=batch.id)):
            await client.stop(batch.provider_id)
        await self._later(batch)

    async def _collect(self, batch: Batch, client: BatchClient, progress: Progress) -> None:
        deployment = self._deployments[batch.deployment]
        for file in progress.files:
            lines = await client.read(file)
            for start in range(0, len(lines), _TOGETHER):
                received = [received_from(line, deployment) for line in lines[start : start + _TOGETHER]]
                await self._database.commit(partial(self._receive, id=batch.id, received=received))
        await self._end(batch, progress.error, again=progress.over_limit)
        for file in filter(None, (*progress.files, progress.sent)):
            with suppress(ModelError):  # what is left there harms nobody
                await client.forget(file)

    def _receive(self, connection: Connection, id: str, received: list[Received]) -> None:
        at, release, unclaimed = self._clock.now(), self._release, self._unclaimed
        _sql.receive(connection, id, received, at=at, release=release, unclaimed=unclaimed)

    async def _end(self, batch: Batch, error: str, *, again: bool = False) -> None:
        if error:
            log.warning("batch %s for %s: %s", batch.id, batch.deployment, error)
        at = self._clock.now()
        again_at = at + FULL if again else None
        await self._database.commit(
            partial(_sql.end, id=batch.id, at=at, error=error, release=self._release, again_at=again_at)
        )

    async def _later(self, batch: Batch) -> None:
        at = self._clock.now()
        pause = min(max((at - batch.created_at) / 10, SOONEST), LATEST)
        await self._database.commit(partial(_sql.set_next, id=batch.id, next_at=at + pause))
