"""Reads chat-completion answers from plain JSON, whole or in chunks, and refuses what it can't be sure of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, get_args

from proctor.core import FinishReason, JsonObject, JsonValue, ModelNonsense, ModelResult, PriceUnknown, Usage
from proctor.models._deployments import Deployment

_FINISH_REASONS = frozenset(get_args(FinishReason))


MOST_TOKENS = 2**40
"""No answer has more; a count beyond it would be paid for."""

LONGEST_NAME = 255
"""Characters of a model's name that the ledger holds."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""

    def wire(self) -> dict[str, JsonValue]:
        if not self.id or not self.name:
            raise ModelNonsense("the answer holds a tool call without id or name")
        function: dict[str, JsonValue] = {"name": self.name, "arguments": self.arguments.strip() or "{}"}
        return {"id": self.id, "type": "function", "function": function}


class Answer:
    """One answer being put together. A whole completion is read as a stream of one chunk."""

    def __init__(
        self,
        deployment: Deployment,
        on_text: Callable[[str], None] | None = None,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> None:
        self._deployment = deployment
        self._on_text = on_text
        self._on_usage = on_usage
        self._model = ""
        self._texts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
        self._calls: list[_Call] = []
        self._open: dict[object, _Call] = {}
        self._finish_reason: object = None
        self._usage: Usage | None = None

    def read(self, body: object) -> None:
        """Takes a completion, or the next chunk of one.

        Raises:
            ModelNonsense: it has not the shape of a chat completion.
        """
        if not _is_object(body):
            raise ModelNonsense("the answer is not a JSON object")
        if _is_object(error := body.get("error")):
            raise ModelNonsense(f"the answer is an error: {str(error.get('message'))[:300]}")
        if isinstance(model := body.get("model"), str):
            self._model = model.replace("\0", "")[:LONGEST_NAME]
        if (usage := _usage(body.get("usage"))) is not None:
            self._usage = usage
            if self._on_usage is not None:
                self._on_usage(usage)
        for choice in _array(body, "choices"):
            if not _is_object(choice):
                raise ModelNonsense("the answer's choices are not JSON objects")
            if choice.get("index", 0) == 0:
                self._read_choice(choice)

    def _read_choice(self, choice: JsonObject) -> None:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        part = choice.get("delta") or choice.get("message") or {}
        if not _is_object(part):
            raise ModelNonsense("the answer's message is not a JSON object")
        for name, pieces in self._texts.items():
            piece = part.get(name)
            if piece is None or piece == "":
                continue
            if not isinstance(piece, str):
                raise ModelNonsense(f"the answer's {name} is not text")
            pieces.append(piece)
            if name == "content" and self._on_text is not None:
                self._on_text(piece)
        for position, call in enumerate(_array(part, "tool_calls")):
            self._read_call(call, position)

    def _read_call(self, piece: JsonValue, position: int) -> None:
        function = piece.get("function") if _is_object(piece) else None
        if not _is_object(piece) or not _is_object(function):
            raise ModelNonsense("the answer holds a tool call that is no function call")
        index = piece.get("index", position)
        call = self._open.get(index)
        id = _text(piece, "id")
        # Some providers give each of several calls the index 0: a new id is a new call.
        if call is None or (id and call.id and id != call.id):
            call = self._open[index] = _Call()
            self._calls.append(call)
        call.id = call.id or id
        call.name = call.name or _text(function, "name")
        call.arguments += _text(function, "arguments")

    def result(self) -> ModelResult:
        """The whole answer.

        Raises:
            ModelNonsense: it ended without a known reason, or says that it holds calls and doesn't.
            PriceUnknown: it counts no tokens, although they cost money.
        """
        if not _is_finish_reason(self._finish_reason):
            raise ModelNonsense(f"the answer ended with the finish reason {self._finish_reason!r}")
        reason: FinishReason = self._finish_reason
        if reason == "stop" and self._calls:
            reason = "tool_calls"  # OpenAI itself says `stop` where the request named the tool
        if reason == "tool_calls" and not self._calls:
            raise ModelNonsense("the answer announces tool calls and holds none")
        return ModelResult(
            message=self._message(reason),
            finish_reason=reason,
            usage=self._counted(),
            deployment=self._deployment.name,
            model=self._model or self._deployment.settings.model,
        )

    def _message(self, reason: FinishReason) -> JsonObject:
        content = "".join(self._texts["content"])
        # An answer that was cut off may hold half a call or half of its calls: none of them is passed on.
        calls = [call.wire() for call in self._calls] if reason == "tool_calls" else []
        message: dict[str, JsonValue] = {"role": "assistant", "content": content or (None if calls else "")}
        if calls:
            message["tool_calls"] = calls
        for name in ("reasoning_content", "refusal"):
            if text := "".join(self._texts[name]):
                message[name] = text
        return message

    def _counted(self) -> Usage:
        if self._usage is not None:
            return self._usage
        if self._deployment.settings.is_free:
            return Usage()
        name = self._deployment.name
        raise PriceUnknown(
            f"the endpoint of [models.{name}] counts no tokens, so what a call costs can't be known",
            hint=f'If it costs nothing, set `price = "free"` in [models.{name}].',
            produced=True,
        )


def _usage(wire: JsonValue) -> Usage | None:
    if not _is_object(wire):
        return None
    input, output = wire.get("prompt_tokens"), wire.get("completion_tokens")
    if not isinstance(input, int) or not isinstance(output, int):
        return None
    if not (0 <= input <= MOST_TOKENS and 0 <= output <= MOST_TOKENS):
        raise ModelNonsense("the answer counts an impossible number of tokens")
    return Usage(
        input=input,
        output=output,
        cached_input=(cached := _count(wire.get("prompt_tokens_details"), "cached_tokens", most=input)),
        reasoning=_count(wire.get("completion_tokens_details"), "reasoning_tokens", most=output),
        # Written is what hadn't been there to be read.
        cache_write=_count(wire.get("prompt_tokens_details"), "cache_write_tokens", most=input - cached),
    )


def _count(details: JsonValue, name: str, *, most: int) -> int:
    value = details.get(name) if _is_object(details) else None
    return max(0, min(value, most)) if isinstance(value, int) else 0


def _array(body: JsonObject, name: str) -> Sequence[JsonValue]:
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ModelNonsense(f"the answer's {name} are not an array")
    return value


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise ModelNonsense(f"a tool call's {name} is not text")


def _is_object(value: object) -> TypeGuard[Mapping[str, JsonValue]]:
    return isinstance(value, dict)


def _is_finish_reason(value: object) -> TypeGuard[FinishReason]:
    return value in _FINISH_REASONS
