"""Where a deployment's requests go: the address in its settings, or a server of our own for local weights."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from proctor.core import LocalModelSettings, MissingSetting
from proctor.models._deployments import Deployment, Endpoint

if TYPE_CHECKING:
    from proctor.models.local import LocalServer

_OWN_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def configured_endpoint(deployment: Deployment, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint that a deployment's settings name.

    A provider's usual variable, such as `OPENAI_API_KEY`, is used for the provider's own address alone, so
    that it never reaches somebody else's.

    Raises:
        MissingSetting: the environment doesn't hold the API key.
    """
    settings = deployment.settings
    address = settings.address
    if settings.api_key is not None:
        return Endpoint(base_url=address, api_key=settings.api_key.get_secret_value())
    variable = settings.api_key_env or (
        _OWN_KEYS.get(settings.provider) if settings.base_url is None else None
    )
    if variable is None:
        return Endpoint(base_url=address, api_key=None)
    key = environ.get(variable, "").strip()
    if not key:
        raise MissingSetting(
            f"[models.{deployment.name}] needs an API key, and {variable} is not set",
            hint=f"Set {variable}, or name another variable in `api_key_env`.",
        )
    return Endpoint(base_url=address, api_key=key)


class ConfiguredEndpoints:
    """The endpoints that the settings name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def locate(self, deployment: Deployment) -> Endpoint:
        """The deployment's endpoint.

        Raises:
            MissingSetting: the environment doesn't hold the API key.
        """
        return configured_endpoint(deployment, self._environ)

    async def close(self) -> None:
        """Nothing was started."""


class LocalEndpoints:
    """Servers of our own, one for each model whose weights are asked for, started at the first call."""

    def __init__(self, settings: LocalModelSettings) -> None:
        self._settings = settings
        self._servers: dict[str, LocalServer] = {}
        self._running = AsyncExitStack()
        self._starting = asyncio.Lock()

    async def locate(self, deployment: Deployment) -> Endpoint:
        """The endpoint of the deployment's weights, once their server answers.

        Raises:
            LocalModelError: the weights aren't there, or their server doesn't start.
        """
        from proctor.models.local import LocalServer, ServerOptions

        model = deployment.settings.model
        async with self._starting:
            server = self._servers.get(model)
            if server is None:
                options = ServerOptions(context_tokens=self._settings.context, threads=self._settings.threads)
                folder = self._settings.folder.expanduser()
                server = LocalServer(model, folder=folder, options=options)
                await self._running.enter_async_context(server)
                self._servers[model] = server
        return Endpoint(base_url=server.base_url, api_key=server.api_key)

    async def close(self) -> None:
        """Stops the servers."""
        self._servers.clear()
        await self._running.aclose()
