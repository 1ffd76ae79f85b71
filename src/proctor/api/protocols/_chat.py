"""Chat Completions: a team answers where a model would."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from proctor.access import Principal
from proctor.api._caller import Running, WaitingOperator
from proctor.api._idempotency import IdempotencyKey, once
from proctor.api.protocols import _work
from proctor.api.protocols._asking import (
    MANY,
    Content,
    Hints,
    Metadata,
    Name,
    Text,
    TextFormat,
    ThreadHeader,
    check_team,
    extras,
    is_yes,
    text_of,
)
from proctor.api.protocols._conversation import Said, task_of
from proctor.api.protocols._errors import ANY_ERROR, OpenAIRoute, RunEnded, body
from proctor.api.protocols._floor import Floor
from proctor.api.protocols._sending import cancelling, event, stream, unless_gone
from proctor.api.protocols._work import Part, Spent
from proctor.app import Proctor
from proctor.core import InvalidInput, ProctorError
from proctor.runs import Run
from proctor.telemetry import incoming

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=ANY_ERROR)

MEANT = {"model", "messages", "metadata", "user", "safety_identifier"}
"""What makes another request of it."""

DONE = "data: [DONE]\n\n"


class UserMessage(BaseModel):
    """What the user says."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["user"]
    content: Content
    name: Name | None = None


class Note(BaseModel):
    """Reaches the team as information from the caller, never as an instruction above the team's own."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer"]
    content: Content
    name: Name | None = None


class AssistantMessage(BaseModel):
    """What was answered before."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["assistant"]
    content: Content | None = None
    refusal: Text | None = None


Message: TypeAlias = Annotated[UserMessage | Note | AssistantMessage, Field(discriminator="role")]


class StreamOptions(BaseModel):
    """How a stream ends."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Hints):
    """A request for a chat completion. `metadata` may name a thread, or a run to come back to."""

    model: Name = Field(description="The team's name.")
    messages: Annotated[list[Message], Field(min_length=1, max_length=MANY)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None
    user: Name | None = Field(default=None, description="The person whom the run is about.")
    safety_identifier: Name | None = Field(default=None, description="As `user`; it comes first.")
    n: Literal[1] | None = None
    store: bool | None = None
    logprobs: Literal[False] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: TextFormat | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, as the OpenAI client's `ChatCompletion` or its stream; with `proctor`.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id", "object", "created", "model", "choices", "usage", "proctor"],
                }
            },
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/chat/completions",
    summary="Have a team answer",
    responses=ANSWERS,
    response_model=None,
    response_class=Response,
)
async def create_chat_completion(
    *,
    asked: ChatRequest,
    principal: WaitingOperator,
    proctor: Running,
    request: Request,
    x_proctor_thread: ThreadHeader = "",
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """The team's answer; what waits for people is told in the message and in `proctor.approvals`."""
    check_team(proctor, asked.model)
    chat = _Chat(proctor, principal, asked, request)
    if "run" in chat.metadata:
        run, after = await chat.go_on()
    else:
        run, after = await chat.begin(x_proctor_thread, idempotency_key), 0
    if asked.stream:
        return stream(chat.told(run, after), {"x-proctor-run": run.id})
    part = await unless_gone(request, _work.settle(proctor, run, after=after))
    if part is None:
        if chat.cancels:
            await _work.cancel(proctor, principal, run)
        return Response(status_code=204)  # to nobody
    return JSONResponse(await chat.completion(part), headers={"x-proctor-run": run.id})


class _Chat:
    """One request."""

    def __init__(self, proctor: Proctor, principal: Principal, asked: ChatRequest, request: Request) -> None:
        self.metadata = asked.metadata or {}
        self.cancels = is_yes(self.metadata, "cancel_on_disconnect")
        self._proctor = proctor
        self._principal = principal
        self._asked = asked
        self._request = request

    async def begin(self, thread: str, key: str) -> Run:
        """A new run. In a thread the team knows what was said: of the messages only the last is read."""
        asked = self._asked
        thread = thread or self.metadata.get("thread", "")
        given = {**asked.model_dump(mode="json", include=MEANT), "thread": thread}
        messages = asked.messages[-1:] if thread else asked.messages
        return await _work.start(
            self._proctor,
            self._principal,
            team=asked.model,
            task=task_of([_said(message) for message in messages]),
            tenant=self.metadata.get("tenant", ""),
            thread=thread,
            subject=asked.safety_identifier or asked.user or "",
            trace=incoming(self._request.headers),
            sent=once(self._principal, key, "POST /v1/chat/completions", given),
        )

    async def go_on(self) -> tuple[Run, int]:
        """A run that the caller comes back to, after what they decide; and from where on it is told."""
        run = await _work.find(self._proctor, self._principal, self.metadata["run"])
        if run.team != self._asked.model:
            raise InvalidInput(f"run {run.id} is one of {run.team}")
        if "approval" in self.metadata:
            kind = _work.DECISIONS.get(self.metadata.get("decision", ""))
            if kind is None:
                raise InvalidInput("there is no such decision", hint=f"Decide {', '.join(_work.DECISIONS)}.")
            shown, comment = self.metadata["approval"], self.metadata.get("comment", "")
            await _work.decide(self._proctor, self._principal, run, shown, kind=kind, comment=comment)
        return run, await _work.latest(self._proctor, run.id)

    async def completion(self, part: Part) -> dict[str, Any]:
        """The whole answer.

        Raises:
            RunEnded: there is none.
        """
        message, reason = await self._message(part)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return {**self._head(part.run, "chat.completion"), "choices": [choice], **self._tail(part)}

    async def told(self, run: Run, after: int) -> AsyncGenerator[str, None]:
        """The answer as a stream of chunks."""
        first: dict[str, Any] | None = {"role": "assistant", "content": ""}
        only_answer = self.metadata.get("stream") == "answer"
        floor = Floor()
        async with cancelling(self._proctor, self._principal, run, self._request, wanted=self.cancels):
            try:
                yield self._chunk(run, first)
                async for piece in _work.follow(self._proctor, run, floor, after=after):
                    if not only_answer:
                        yield self._chunk(run, {"content": _spaced(piece, first)}, agent=piece.agent)
                        first = None
                part = await _work.read(self._proctor, run.id, after=after)
                message, reason = await self._message(part)
                if message["refusal"] is not None:
                    yield self._chunk(run, {"refusal": message["refusal"]})
                for piece in (Floor() if only_answer else floor).close(message["content"] or ""):
                    yield self._chunk(run, {"content": _spaced(piece, first)})
                yield self._chunk(run, {}, reason=reason, proctor=self._tail(part)["proctor"])
                if self._asked.stream_options and self._asked.stream_options.include_usage:
                    head = self._head(run, "chat.completion.chunk")
                    yield event({**head, "choices": [], "usage": self._tail(part)["usage"]})
            except ProctorError as error:
                yield event({"error": body(error)})
            yield DONE

    async def _message(self, part: Part) -> tuple[dict[str, Any], str]:
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        match part.state:
            case "completed":
                text = await _work.answer(self._proctor, self._principal, part.run)
                return {**message, "content": text}, "stop"
            case "waiting":
                return {**message, "content": _waits(part, self._principal)}, "stop"
            case "refused":
                return {**message, "refusal": part.run.result or "refused"}, "content_filter"
            case _:
                raise RunEnded(part.run)

    def _head(self, run: Run, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{run.id}",
            "object": kind,
            "created": _work.seconds(run.created_at),
            "model": run.team,
        }

    def _chunk(self, run: Run, delta: Any, *, reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        proctor = more.pop("proctor", {"run_id": run.id, **more})
        return event({**self._head(run, "chat.completion.chunk"), "choices": [choice], "proctor": proctor})

    def _tail(self, part: Part) -> dict[str, Any]:
        return {
            "usage": usage_of(part.spent),
            "proctor": extras(part, self._principal, self._asked.ignored()),
        }


def usage_of(spent: Spent) -> dict[str, Any]:
    """What was spent, in chat completions' words."""
    return {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached},
    }


def _waits(part: Part, principal: Principal) -> str:
    """What a person reads whose request waits for people."""
    lines = [
        f"{asked.text}\n{asked.server}.{asked.name} {asked.arguments}"
        for asked in _work.questions(part, principal)
    ]
    return "\n\n".join(["This waits for a person's decision.", *lines])


def _said(message: UserMessage | Note | AssistantMessage) -> Said:
    match message:
        case UserMessage():
            return Said(role="user", text=text_of(message.content))
        case Note():
            return Said(role="note", text=text_of(message.content))
        case AssistantMessage():
            return Said(role="assistant", text=text_of(message.content) or message.refusal or "")


def _spaced(piece: Any, first: Any) -> str:
    """A piece; a message that isn't the first begins behind an empty line."""
    return f"\n\n{piece.text}" if piece.fresh and first is None else piece.text
