"""What one call is on its way to a provider: its body, its time, its key, and what is refused beforehand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proctor.core import (
    PRICED_OPTIONS,
    JsonObject,
    JsonValue,
    ModelCall,
    ModelRefused,
    ModelUnreachable,
)
from proctor.models._deployments import Deployment
from proctor.telemetry import outgoing

CHARACTERS_PER_TOKEN = 16
"""More than any vocabulary puts into a token, on the average of a long text."""
_COUNTS = ("max_completion_tokens", "max_tokens", "n")
"""Options by which an answer's cost is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a provider."""

    body: JsonObject
    seconds: float
    """For all of it, from sending it to its last byte."""
    key: str
    """The same at each attempt at a call, so that a provider can tell a repetition from a new request."""
    trace: str = ""
    """The span that it is a part of, as W3C's `traceparent`; empty where the provider isn't told."""

    @property
    def headers(self) -> dict[str, str]:
        """What it says beside its body."""
        key = {"Idempotency-Key": self.key}
        return {**key, "traceparent": self.trace} if self.trace else key


def request_of(call: ModelCall, deployment: Deployment, body: JsonObject) -> Request:
    """The request that asks the deployment.

    Raises:
        ModelUnreachable: the run has no time left for it.
    """
    seconds = min(deployment.settings.timeout.total_seconds(), call.scope.seconds_left())
    if seconds <= 0:
        late = ModelUnreachable(f"the run has no time left to ask {deployment.name}")
        late.sent = False
        raise late
    # A stand-in is sent another body: under the same key a provider would take it for a mistake.
    parts = (call.scope.key, deployment.name, call.attempt_tag)
    key = "-".join(part for part in parts if part)
    return Request(body=body, seconds=seconds, key=key, trace=outgoing())


def bound_in(options: JsonObject) -> JsonValue:
    """The tokens to which a request's options bound its answer, by either name; nothing where none does."""
    return options.get("max_completion_tokens") or options.get("max_tokens")


def refuse_impossible(call: ModelCall, deployment: Deployment) -> None:
    """Returns where the deployment can do what the call needs, at a cost that a budget can bear.

    Raises:
        ModelRefused: it can't. No request has left.
    """
    settings = deployment.settings
    if call.tools and not settings.function_calling and not deployment.tools_by_schema:
        raise _refusal(deployment, "takes no tools", "function_calling = true")
    if not settings.structured_output and _is_structured(call.response_format):
        raise _refusal(deployment, "gives no structured output", "structured_output = true")
    characters, images = _extent(call.messages)
    if images and not settings.vision:
        raise _refusal(deployment, "takes no images", "vision = true")
    if characters > CHARACTERS_PER_TOKEN * settings.context_window:
        window = f"has a context window of {settings.context_window} tokens: the prompt is longer"
        raise _refusal(deployment, window, "context_window = …")
    if (settings.options or call.options) and not settings.is_free:
        _refuse_unpriced(call.options, deployment)


def _refuse_unpriced(asked: JsonObject, deployment: Deployment) -> None:
    """Returns where options leave the price as it is known, and the answer bounded."""
    given = deployment.settings.options
    for name in sorted(PRICED_OPTIONS & asked.keys()):
        if name not in given or asked[name] != given[name]:
            raise _unsent(
                f"the option {name!r} changes what {deployment.name} costs, so an agent can't set it",
                hint=f"Set it with its `price` in the `options` of a deployment: [models.{deployment.name}].",
            )
    for name in _COUNTS:
        value = asked.get(name, given.get(name))
        if value is not None and (type(value) is not int or value < 1):
            raise _unsent(
                f"the option {name!r} bounds what a call costs: it is a whole number above 0, not {value!r}",
                hint="Write it as a number, without quotation marks.",
            )


def _refusal(deployment: Deployment, lacks: str, setting: str) -> ModelRefused:
    name = deployment.name
    return _unsent(
        f"{name} {lacks}",
        hint=f"Ask another deployment; or, where the model can do it, set `{setting}` in [models.{name}].",
    )


def _unsent(message: str, *, hint: str) -> ModelRefused:
    refused = ModelRefused(message, hint=hint)
    refused.sent = False
    return refused


def _is_structured(response_format: JsonObject | None) -> bool:
    return response_format is not None and response_format.get("type") != "text"


def _extent(messages: Iterable[JsonObject]) -> tuple[int, int]:
    """The characters of all text, and how many images there are. What else messages hold only adds to it."""
    characters = images = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            characters += len(content)
        elif isinstance(content, list):
            for part in content:
                text = part.get("text") if isinstance(part, Mapping) else None
                characters += len(text) if isinstance(text, str) else 0
                images += isinstance(part, Mapping) and part.get("type") == "image_url"
    return characters, images
