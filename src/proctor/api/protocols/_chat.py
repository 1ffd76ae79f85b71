"""Chat Completions: a team answers where a model would."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from proctor.access import Principal
from proctor.api._caller import Running, Trust, Trusted, WaitingOperator
from proctor.api._idempotency import IdempotencyKey
from proctor.api._streams import TOLD
from proctor.api.protocols import _work
from proctor.api.protocols._asking import (
    MANY,
    Content,
    Name,
    TeamRequest,
    Text,
    TextFormat,
    ThreadHeader,
    check_team,
    extras,
    text_of,
)
from proctor.api.protocols._conversation import Said
from proctor.api.protocols._errors import ANY_ERROR, OpenAIRoute, RunEnded, body
from proctor.api.protocols._floor import Floor, Piece
from proctor.api.protocols._questions import DECISIONS, decide, questions
from proctor.api.protocols._sending import PING, Call, event
from proctor.api.protocols._work import Part, Spent
from proctor.app import Proctor
from proctor.core import InvalidInput, ProctorError
from proctor.runs import Run

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=ANY_ERROR)

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


class ChatStreamOptions(BaseModel):
    """How a stream ends."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(TeamRequest):
    """A request for a chat completion. `metadata` may name a thread, or a run to come back to."""

    meant: ClassVar[frozenset[str]] = TeamRequest.meant | {"messages"}

    messages: Annotated[list[Message], Field(min_length=1, max_length=MANY)]
    stream_options: ChatStreamOptions | None = None
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
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
            **TOLD,
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
    trust: Trusted,
    proctor: Running,
    request: Request,
    x_proctor_thread: ThreadHeader = "",
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """The team's answer; what waits for people is told in the message and in `proctor.approvals`."""
    check_team(proctor, asked.model)
    call = Call(proctor=proctor, principal=principal, trust=trust, request=request, asked=asked)
    if "run" in (asked.metadata or {}):
        run, after = await _go_on(proctor, principal, asked)
    else:
        thread = x_proctor_thread or asked.named("thread")
        known = thread not in ("", _work.NEW_THREAD)
        messages = asked.messages[-1:] if known else asked.messages  # what was said before, the team knows
        said = [_said(message) for message in messages]
        run, after = await call.begin(said, thread=thread, key=idempotency_key), 0
    return await call.answer(_CompletionTeller(proctor, principal, asked), run, after)


async def _go_on(proctor: Proctor, principal: Principal, asked: ChatRequest) -> tuple[Run, int]:
    """A run that the caller comes back to, after what they decide; and from where on it is told."""
    run = await _work.find(proctor, principal, asked.named("run"))
    if run.team != asked.model:
        raise InvalidInput(f"run {run.id} is one of {run.team}")
    if shown := asked.named("approval"):
        kind = DECISIONS.get(asked.named("decision"))
        if kind is None:
            raise InvalidInput("there is no such decision", hint=f"Decide {', '.join(DECISIONS)}.")
        await decide(proctor, principal, run, shown, kind=kind, comment=asked.named("comment"))
    return run, await _work.latest(proctor, run.id)


class _CompletionTeller:
    """Tells one caller of a run."""

    def __init__(self, proctor: Proctor, principal: Principal, asked: ChatRequest) -> None:
        self._proctor = proctor
        self._principal = principal
        self._asked = asked

    async def whole(self, part: Part) -> dict[str, Any]:
        """The whole answer.

        Raises:
            RunEnded: there is none.
        """
        message, reason = await self._message(part)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return {**self._head(part.run, "chat.completion"), "choices": [choice], **self._tail(part)}

    async def told(self, run: Run, trust: Trust, after: int) -> AsyncGenerator[str, None]:
        """The answer as a stream of chunks."""
        floor, silent = Floor(), True
        only_answer = self._asked.named("stream") == "answer"
        try:
            yield self._chunk(run, {"role": "assistant", "content": ""})
            async with aclosing(_work.follow(self._proctor, run, trust, floor, after=after)) as heard:
                async for pieces in heard:
                    if only_answer or not pieces:
                        yield PING
                        continue
                    for piece in pieces:
                        yield self._chunk(run, {"content": _spaced(piece, first=silent)}, agent=piece.agent)
                        silent = False
            part = await _work.read(self._proctor, run.id, after=after)
            message, reason = await self._message(part)
            if message["refusal"] is not None:
                yield self._chunk(run, {"refusal": message["refusal"]})
            for piece in (Floor() if only_answer else floor).close(message["content"] or ""):
                yield self._chunk(run, {"content": _spaced(piece, first=silent)})
            tail = self._tail(part)
            yield self._chunk(run, {}, reason=reason, proctor=tail["proctor"])
            if self._asked.stream_options and self._asked.stream_options.include_usage:
                head = self._head(run, "chat.completion.chunk")
                yield event({**head, "choices": [], "usage": tail["usage"]})
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
        f"{asked.text}\n{asked.server}.{asked.name} {asked.arguments}" for asked in questions(part, principal)
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


def _spaced(piece: Piece, *, first: bool) -> str:
    """A piece; a message that isn't the first begins behind an empty line."""
    return f"\n\n{piece.text}" if piece.fresh and not first else piece.text
