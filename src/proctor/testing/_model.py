"""A model that answers from a script, in the place of any provider."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import TypeAlias

from proctor.core import (
    JsonObject,
    JsonValue,
    ModelCall,
    ModelRefused,
    ModelResult,
    Usage,
    canonical_json,
    digest,
)
from proctor.models import Deployment

Reply: TypeAlias = str | Sequence[JsonObject] | ModelResult | BaseException
"""A text, tool calls made with `tool_call`, a whole result, or an error to raise."""
Script: TypeAlias = Callable[[ModelCall], Reply | Awaitable[Reply]] | Sequence[Reply]
"""A function that answers each call, or the answers in order."""


def tool_call(name: str, /, **arguments: JsonValue) -> JsonObject:
    """A tool call for a script; its id is made from the request, the same at every run."""
    function: JsonObject = {"name": name, "arguments": canonical_json(arguments)}
    return {"type": "function", "function": function}


class ScriptedModel:
    """Answers from a script, streams word by word where asked to, and keeps the calls that it saw.

        model = ScriptedModel([[tool_call("look_up", order=7)], "Your order is on its way."])
        models = Models(deployments, providers={"openai": model})

    Tokens are counted as a quarter of the characters.
    """

    def __init__(self, script: Script) -> None:
        self.calls: list[ModelCall] = []
        """Every call, in the order in which they came."""
        self.closed = False
        self._answer = script if callable(script) else None
        self._answers: Iterator[Reply] = iter(() if callable(script) else script)

    async def complete(self, call: ModelCall, deployment: Deployment) -> ModelResult:
        """The script's next answer.

        Raises:
            ModelRefused: the script has no answer left.
        """
        self.calls.append(call)
        reply = await self._next(call)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, ModelResult):
            return replace(reply, deployment=deployment.name)
        if call.on_text is not None and isinstance(reply, str):
            for piece in re.findall(r"\S+\s*|\s+", reply):
                call.on_text(piece)
        message = _message(reply, call)
        return ModelResult(
            message=message,
            finish_reason="tool_calls" if "tool_calls" in message else "stop",
            usage=Usage(input=_tokens(call.messages), output=_tokens([message])),
            deployment=deployment.name,
            model=deployment.settings.model,
        )

    async def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True

    async def _next(self, call: ModelCall) -> Reply:
        if self._answer is not None:
            reply = self._answer(call)
            return await reply if isawaitable(reply) else reply
        for reply in self._answers:
            return reply
        raise ModelRefused(f"the script has no answer left for call {len(self.calls)}")


def _message(reply: str | Sequence[JsonObject], call: ModelCall) -> JsonObject:
    if isinstance(reply, str):
        return {"role": "assistant", "content": reply}
    request = digest(call.request())[:12]
    calls = [{"id": f"call_{request}_{place}", **wanted} for place, wanted in enumerate(reply)]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _tokens(messages: Sequence[JsonObject]) -> int:
    return sum(len(canonical_json(message)) for message in messages) // 4
