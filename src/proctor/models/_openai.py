"""Chat completions over HTTP, to any endpoint that speaks them."""

import asyncio
from typing import TYPE_CHECKING

from proctor.core import JsonValue, ModelCall, ModelNonsense, ModelResult
from proctor.models._answer import Answer
from proctor.models._deployments import Deployment, Endpoint, Endpoints

if TYPE_CHECKING:
    from proctor.models._chat_client import ChatClient


class OpenAIProvider:
    """Sends each call once, over one connection pool a deployment, opened at its first call."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._clients: dict[str, ChatClient] = {}
        self._opening = asyncio.Lock()

    async def complete(self, call: ModelCall, deployment: Deployment) -> ModelResult:
        """The model's answer to one request, streamed where the call wants its text in pieces.

        Raises:
            MissingSetting: the API key isn't set.
            ModelError: the request failed, or its answer can't be used.
            LocalModelError: the weights aren't on this machine, or their server doesn't run.
        """
        client = self._clients.get(deployment.name) or await self._open(deployment)
        body = _body(call, deployment)
        answer = Answer(deployment, call.on_text)
        if deployment.tools_by_schema:
            answer.read(await _answer_by_schema(client, body))
        elif call.on_text is not None:
            await client.stream(body, answer.read)
        else:
            answer.read(await client.answer(body))
        return answer.result()

    async def close(self) -> None:
        """Closes the connections, and the servers that were started for them."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.close()
        await self._endpoints.close()

    async def _open(self, deployment: Deployment) -> "ChatClient":
        async with self._opening:
            client = self._clients.get(deployment.name)
            if client is None:
                endpoint = await self._endpoints.locate(deployment)
                seconds = deployment.settings.timeout.total_seconds()
                # In a thread: importing the SDK and reading the certificates takes most of a second.
                client = await asyncio.to_thread(_connect, endpoint, seconds)
                self._clients[deployment.name] = client
            return client


def _connect(endpoint: Endpoint, seconds: float) -> "ChatClient":
    from proctor.models._chat_client import ChatClient

    return ChatClient(endpoint, seconds=seconds)


def _body(call: ModelCall, deployment: Deployment) -> dict[str, JsonValue]:
    settings = deployment.settings
    body = {**settings.options, **call.options, "model": settings.model, "messages": call.messages}
    if call.tools:
        body["tools"] = call.tools
        if call.tool_choice is not None:
            body["tool_choice"] = call.tool_choice
    if call.response_format is not None:
        body["response_format"] = call.response_format
    return body


async def _answer_by_schema(client: "ChatClient", body: dict[str, JsonValue]) -> object:
    from proctor.models.local import constrain, interpret

    response = await client.answer(constrain(body))
    if not isinstance(response, dict):
        raise ModelNonsense("the answer is not a JSON object")
    return interpret(response, body)
