"""Chat completions over HTTP, to any endpoint that speaks them."""

from typing import TYPE_CHECKING

from proctor.core import DeploymentSettings, JsonObject, JsonValue, ModelCall, ModelNonsense, ModelResult
from proctor.models._answer import Answer
from proctor.models._clients import Clients
from proctor.models._deployments import Deployment, Endpoint, Endpoints
from proctor.models._requests import bound_in, request_of

if TYPE_CHECKING:
    from proctor.models._chat_client import ChatClient

_OPENAI = "https://api.openai.com/"


class OpenAIProvider:
    """Sends each call once, over one connection pool a deployment, opened at its first call."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._clients: Clients[ChatClient] = Clients(endpoints, _connect)

    async def complete(self, call: ModelCall, deployment: Deployment) -> ModelResult:
        """The model's answer to one request, streamed where the call wants its text in pieces.

        Raises:
            MissingSetting: the API key isn't set.
            ModelError: the request failed, or its answer can't be used.
            LocalModelError: the weights aren't on this machine, or their server doesn't run.
        """
        client = await self._clients.of(deployment)
        body = chat_body(call, deployment)
        answer = Answer(deployment, call.on_text, call.on_usage)
        if deployment.tools_by_schema:
            answer.read(await _answer_by_schema(client, call, deployment, body))
        elif call.on_text is not None:
            await client.stream(request_of(call, deployment, body), answer.read)
        else:
            answer.read(await client.answer(request_of(call, deployment, body)))
        return answer.result()

    async def close(self) -> None:
        """Closes the connections, and the servers that were started for them."""
        await self._clients.close()


def _connect(endpoint: Endpoint, settings: DeploymentSettings) -> "ChatClient":
    from proctor.models._chat_client import ChatClient

    return ChatClient(endpoint, settings.timeout.total_seconds())


def chat_body(call: ModelCall, deployment: Deployment) -> dict[str, JsonValue]:
    """The JSON that asks for a completion. What costs money always carries a bound of its answer."""
    settings = deployment.settings
    body = {**settings.options, **call.options, "model": settings.model, "messages": call.messages}
    bound = bound_in(body)
    if not bound and not settings.is_free:
        bound = body["max_tokens"] = settings.max_output
    if bound and f"{settings.address}/".startswith(_OPENAI):
        # OpenAI's own models that think refuse the older name; other endpoints may not know the newer one.
        body.pop("max_tokens", None)
        body["max_completion_tokens"] = bound
    if call.tools:
        body["tools"] = call.tools
        if call.tool_choice is not None:
            body["tool_choice"] = call.tool_choice
    if call.response_format is not None:
        body["response_format"] = call.response_format
    return body


async def _answer_by_schema(
    client: "ChatClient", call: ModelCall, deployment: Deployment, body: JsonObject
) -> object:
    from proctor.models.local import constrain, interpret

    response = await client.answer(request_of(call, deployment, constrain(body)))
    if not isinstance(response, dict):
        raise ModelNonsense("the answer is not a JSON object")
    return interpret(response, body)
