"""A configured model, what can be asked of it, and the two seams behind it."""

from dataclasses import dataclass, field
from typing import Protocol

from proctor.core import DeploymentSettings, ModelCall, ModelResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One model behind one endpoint, under its name in the configuration."""

    name: str
    settings: DeploymentSettings

    @property
    def tools_by_schema(self) -> bool:
        """Whether tools are offered as one JSON schema instead of natively."""
        return self.settings.tools == "schema" or self.settings.provider == "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a caller may ask of a deployment."""

    model: str
    vision: bool
    context_window: int
    """Tokens of prompt and answer together."""
    function_calling: bool
    structured_output: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go and what opens the door."""

    base_url: str
    api_key: str | None = field(repr=False)
    """None sends no `Authorization` header."""


class Provider(Protocol):
    """Sends one request and reads the answer: OpenAI's and Claude's here, a script in `proctor.testing`."""

    async def complete(self, call: ModelCall, deployment: Deployment) -> ModelResult:
        """The model's answer to one request; nothing is sent twice."""

    async def close(self) -> None:
        """Gives connections back. No call may follow."""


class Endpoints(Protocol):
    """Finds endpoints: the configured ones, or those of weights that run on this machine."""

    async def locate(self, deployment: Deployment) -> Endpoint:
        """The deployment's endpoint, ready to answer."""

    async def close(self) -> None:
        """Ends what was started."""
