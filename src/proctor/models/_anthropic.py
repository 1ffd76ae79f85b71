"""Claude over HTTP, in its own messages."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from proctor.core import ConfigurationError, DeploymentSettings, ModelCall, ModelResult
from proctor.models._answer import Answer
from proctor.models._claude_answer import ClaudeAnswer
from proctor.models._claude_request import claude_body
from proctor.models._claude_thoughts import Thoughts
from proctor.models._clients import Clients
from proctor.models._deployments import Deployment, Endpoint, Endpoints
from proctor.models._requests import request_of

if TYPE_CHECKING:
    from proctor.models._claude_client import ClaudeClient

_PROMPT_TOKENS = 1500
"""More than Claude's interface adds to a prompt for tools and for a schema of the answer."""
_MESSAGE_TOKENS = 64
"""More than we add to a message: marks of who speaks, and words that take turns."""


class AnthropicProvider:
    """Sends each call once, over one connection pool a deployment, opened at its first call.

    What Claude thought before a tool call is sent back to it while the tools answer, as it demands. It is
    kept in this process alone: where it is gone, after a restart, the call is made without a thinking budget.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._clients: Clients[ClaudeClient] = Clients(endpoints, _connect)
        self._thoughts = Thoughts()

    async def complete(self, call: ModelCall, deployment: Deployment) -> ModelResult:
        """Claude's answer to one request, streamed where the call wants its text in pieces.

        Raises:
            ConfigurationError: the API key isn't set, or Anthropic's SDK isn't installed.
            ModelError: the request failed, or its answer can't be used.
        """
        client = await self._clients.of(deployment)
        request = request_of(call, deployment, claude_body(call, deployment, self._thoughts))
        answer = Answer(deployment, call.on_text, call.on_usage)
        reader = ClaudeAnswer(answer)
        if call.on_text is not None:
            await client.stream(request, reader.read_event)
        else:
            reader.read_message(await client.answer(request))
        result = answer.result()
        if result.finish_reason == "tool_calls":
            self._thoughts.keep(deployment.settings.model, reader.blocks(), tokens=result.usage.output)
        return result

    def added(self, call: ModelCall, deployment: Deployment) -> int:
        """The tokens of the prompt that aren't in the call, at most: a budget has to bear them as well."""
        thoughts = self._thoughts.tokens(deployment.settings.model, call.messages)
        return _PROMPT_TOKENS + _MESSAGE_TOKENS * len(call.messages) + thoughts

    async def close(self) -> None:
        """Closes the connections."""
        await self._clients.close()


def check_sdk() -> None:
    """Returns where Anthropic's SDK is installed.

    Raises:
        ConfigurationError: it isn't.
    """
    if find_spec("anthropic") is None:
        raise ConfigurationError(
            'a model has provider = "anthropic", whose SDK isn\'t installed',
            hint="Install it: pip install 'proctor-runtime[anthropic]'",
        )


def _connect(endpoint: Endpoint, settings: DeploymentSettings) -> "ClaudeClient":
    check_sdk()
    from proctor.models._claude_client import ClaudeClient

    return ClaudeClient(endpoint, settings.timeout.total_seconds())
