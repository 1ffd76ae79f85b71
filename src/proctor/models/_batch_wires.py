"""What requests in batches say and what their answers mean, in the words of each provider's wire."""

import json
from dataclasses import replace

from proctor.core import DeploymentSettings, JsonObject, ModelCall, ModelError, ModelResult, Usage
from proctor.models._answer import Answer
from proctor.models._anthropic import check_sdk
from proctor.models._batch_values import BatchClient, BatchRequest, Line, Received
from proctor.models._claude_answer import ClaudeAnswer
from proctor.models._claude_request import claude_body
from proctor.models._claude_thoughts import Thoughts
from proctor.models._deployments import Deployment, Endpoint
from proctor.models._openai import chat_body


def takes_part(deployment: Deployment) -> bool:
    """Whether calls of the deployment can go through a batch at all."""
    return deployment.settings.provider != "local" and not deployment.tools_by_schema


def connect(endpoint: Endpoint, settings: DeploymentSettings) -> BatchClient:
    """A client for the batches of an endpoint.

    Raises:
        ConfigurationError: Anthropic's SDK isn't installed.
    """
    if settings.provider == "anthropic":
        check_sdk()
        from proctor.models._claude_batches import ClaudeBatches

        return ClaudeBatches(endpoint)
    from proctor.models._batch_files import FileBatches

    return FileBatches(endpoint)


def body_of(call: ModelCall, deployment: Deployment) -> str:
    """The JSON of a request. What Claude thought before isn't known here: it thinks anew, or not.

    Raises:
        ConfigurationError: Anthropic's SDK isn't installed.
        ModelRefused: the call holds what can't be said to the provider.
    """
    if deployment.settings.provider == "anthropic":
        check_sdk()
        body = claude_body(call, deployment, Thoughts())
    else:
        body = chat_body(call, deployment)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def received_from(line: "Line", deployment: Deployment) -> Received:
    """What a line of the provider's file means."""
    if line.body is None:
        return Received(key=line.key, answer="", result=None, error=line.error)
    counted: list[Usage] = []
    answer = Answer(deployment, on_usage=counted.append)
    try:
        result = _read(answer, line.body, deployment)
    except ModelError as error:
        paid = _nonsense(deployment, counted[-1]) if counted else None
        return Received(key=line.key, answer="", result=paid, error=error.message)
    answered = replace(result, way="batch")
    return Received(key=line.key, answer=json.dumps(line.body), result=answered, error="")


def answer_of(request: BatchRequest, deployment: Deployment) -> ModelResult:
    """The answer that came for a request."""
    assert request.answer is not None
    return replace(_read(Answer(deployment), json.loads(request.answer), deployment), way="batch")


def _read(answer: Answer, body: JsonObject, deployment: Deployment) -> ModelResult:
    if deployment.settings.provider == "anthropic":
        ClaudeAnswer(answer).read_message(body)
    else:
        answer.read(body)
    return answer.result()


def _nonsense(deployment: Deployment, usage: Usage) -> ModelResult:
    """What is paid for an answer that can't be used."""
    return ModelResult(
        message={"role": "assistant", "content": ""},
        finish_reason="stop",
        usage=usage,
        deployment=deployment.name,
        model=deployment.settings.model,
        way="batch",
    )
