"""One connection pool for each deployment, opened at its first call."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from proctor.core import DeploymentSettings
from proctor.models._deployments import Deployment, Endpoint, Endpoints


class Closable(Protocol):
    """What holds connections."""

    async def close(self) -> None:
        """Closes them."""


C = TypeVar("C", bound=Closable)


class Clients(Generic[C]):
    """The clients of a provider's deployments."""

    def __init__(self, endpoints: Endpoints, connect: Callable[[Endpoint, DeploymentSettings], C]) -> None:
        self._endpoints = endpoints
        self._connect = connect
        self._clients: dict[str, C] = {}
        self._opening = asyncio.Lock()

    async def of(self, deployment: Deployment) -> C:
        """The deployment's client.

        Raises:
            MissingSetting: the API key isn't set.
            LocalModelError: the weights aren't on this machine, or their server doesn't run.
        """
        return self._clients.get(deployment.name) or await self._open(deployment)

    async def close(self) -> None:
        """Closes the connections, and the servers that were started for them."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.close()
        await self._endpoints.close()

    async def _open(self, deployment: Deployment) -> C:
        async with self._opening:
            client = self._clients.get(deployment.name)
            if client is None:
                endpoint = await self._endpoints.locate(deployment)
                # In a thread: importing the SDK and reading the certificates takes most of a second.
                client = await asyncio.to_thread(self._connect, endpoint, deployment.settings)
                self._clients[deployment.name] = client
            return client
