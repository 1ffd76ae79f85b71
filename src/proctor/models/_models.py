"""The innermost step of the model chain: finds the deployment that a call names and has it answered."""

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches

from proctor.core import DeploymentSettings, LocalModelSettings, MissingSetting, ModelCall, ModelResult
from proctor.models._anthropic import AnthropicProvider, check_sdk
from proctor.models._deployments import Capabilities, Deployment, Provider
from proctor.models._endpoints import ConfiguredEndpoints, LocalEndpoints, configured_endpoint
from proctor.models._openai import OpenAIProvider
from proctor.models._requests import refuse_impossible


class Models:
    """The configured deployments and the providers behind them.

    Nothing is connected or started before the first call. `providers` replaces the real ones by name:
    tests do so with a scripted model.
    """

    def __init__(
        self,
        deployments: Mapping[str, DeploymentSettings],
        *,
        local: LocalModelSettings | None = None,
        environ: Mapping[str, str] = os.environ,
        providers: Mapping[str, Provider] | None = None,
    ) -> None:
        self._deployments = {
            name: Deployment(name=name, settings=settings) for name, settings in deployments.items()
        }
        self._environ = environ
        self._claude = AnthropicProvider(ConfiguredEndpoints(environ))
        self._providers: dict[str, Provider] = {
            "openai": OpenAIProvider(ConfiguredEndpoints(environ)),
            "anthropic": self._claude,
            "local": OpenAIProvider(LocalEndpoints(local or LocalModelSettings())),
            **(providers or {}),
        }

    async def complete(self, call: ModelCall) -> ModelResult:
        """The answer of the deployment that the call names, to one request.

        Raises:
            ConfigurationError: there is no such deployment, or what it needs isn't there: key or SDK.
            ModelError: the deployment can't do it, the request failed, or its answer can't be used.
            LocalModelError: the weights aren't on this machine, or their server doesn't run.
        """
        deployment = self._deployment(call.model)
        refuse_impossible(call, deployment)
        return await self._providers[deployment.settings.provider].complete(call, deployment)

    def info(self, name: str) -> Capabilities:
        """What can be asked of a deployment.

        Raises:
            MissingSetting: there is no such deployment.
        """
        settings = self._deployment(name).settings
        return Capabilities(
            model=settings.model,
            vision=settings.vision,
            context_window=settings.context_window,
            function_calling=settings.function_calling,
            structured_output=settings.structured_output,
        )

    def added(self, call: ModelCall) -> int:
        """Tokens that come to the prompt beside messages and tools, at most. A budget has to bear them.

        Raises:
            MissingSetting: there is no such deployment.
        """
        deployment = self._deployment(call.model)
        added = self._claude.added(call, deployment) if deployment.settings.provider == "anthropic" else 0
        options = {**deployment.settings.options, **call.options}
        # A format or a schema may stand there, which is a part of the prompt.
        return added + len(json.dumps(options)) if options else added

    def check(self) -> None:
        """Returns where every deployment has what it needs to be called.

        Raises:
            ConfigurationError: an API key isn't set, or a provider's SDK isn't installed.
        """
        for deployment in self._deployments.values():
            provider = deployment.settings.provider
            if provider == "anthropic":
                check_sdk()
            if provider != "local":
                configured_endpoint(deployment, self._environ)

    async def close(self) -> None:
        """Closes connections and stops local model servers."""
        for provider in self._providers.values():
            await provider.close()

    def _deployment(self, name: str) -> Deployment:
        deployment = self._deployments.get(name)
        if deployment is None:
            close = get_close_matches(name, self._deployments) or sorted(self._deployments)
            known = ", ".join(close) or "none is configured"
            raise MissingSetting(
                f"no model is named {name!r}; there is: {known}", hint=f"Add a section [models.{name}]."
            )
        return deployment
