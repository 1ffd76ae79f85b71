"""Responses: a team answers where a model would, in a conversation that is kept, and people approve in it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from proctor.access import Principal
from proctor.api._caller import Operator, Running, Viewer, WaitingOperator
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
    is_yes,
    text_of,
)
from proctor.api.protocols._conversation import Said, task_of
from proctor.api.protocols._errors import ANY_ERROR, OpenAIRoute, RunEnded
from proctor.api.protocols._response_object import Asking, Teller, part_of
from proctor.api.protocols._sending import cancelling, stream, unless_gone
from proctor.app import Proctor
from proctor.core import Conflict, InvalidInput, NotFound
from proctor.runs import Run
from proctor.telemetry import incoming

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=ANY_ERROR)

ID = r"^resp_[0-9a-hjkmnp-tv-z]{26}(_[1-9][0-9]{0,8})?$"
THREAD = r"^(new|thr_[0-9a-hjkmnp-tv-z]{26})$"

ResponseId: TypeAlias = Annotated[str, Path(pattern=ID, examples=[f"resp_{'0' * 26}"])]


class MessageItem(BaseModel):
    """A message. One of the system or a developer is information from the caller, and no instruction."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content


_ROLES: Mapping[str, Literal["user", "assistant", "note"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "note",
    "developer": "note",
}


class ApprovalRequestItem(BaseModel):
    """A request for an approval as it was answered with; it may be sent along, and says nothing."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["mcp_approval_request"]


class ApprovalItem(BaseModel):
    """A decision on what waits. It takes the role approver."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["mcp_approval_response"]
    approval_request_id: Name
    approve: bool
    reason: Text | None = None
    id: Name | None = None


def _kind(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "message")
    return str(kind)


Item: TypeAlias = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[ApprovalRequestItem, Tag("mcp_approval_request")]
    | Annotated[ApprovalItem, Tag("mcp_approval_response")],
    Discriminator(_kind),
]


class ConversationRef(BaseModel):
    """A conversation by its id."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(pattern=THREAD)]


class TextConfig(BaseModel):
    """Plain text is what teams answer with."""

    model_config = ConfigDict(extra="forbid")
    format: TextFormat | None = None
    verbosity: Name | None = None


class StreamOptions(BaseModel):
    """Nothing of it has an effect."""

    model_config = ConfigDict(extra="forbid")
    include_obfuscation: bool | None = None


class ResponseRequest(Hints):
    """A request for a response; `metadata` may hold `tenant` and `cancel_on_disconnect`."""

    model: Name = Field(description="The team's name.")
    input: Text | Annotated[list[Item], Field(min_length=1, max_length=MANY)]
    instructions: Text | None = Field(default=None, description="Information from the caller.")
    previous_response_id: Annotated[str, Field(pattern=ID)] | None = None
    conversation: Annotated[str, Field(pattern=THREAD)] | ConversationRef | None = None
    background: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    user: Name | None = Field(default=None, description="The person whom the run is about.")
    safety_identifier: Name | None = Field(default=None, description="As `user`; it comes first.")
    text: TextConfig | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None


MEANT = {
    "model",
    "input",
    "instructions",
    "previous_response_id",
    "conversation",
    "metadata",
    "store",
    "user",
    "safety_identifier",
}
"""What makes another request of it."""

_WHOLE = {"type": "object", "required": ["id", "object", "status", "model", "output", "proctor"]}
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As the OpenAI client's `Response`, with `proctor`.",
        "content": {"application/json": {"schema": _WHOLE}},
    }
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As the OpenAI client's `Response` or its stream, with `proctor`.",
        "content": {
            "application/json": {"schema": _WHOLE},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/responses",
    summary="Have a team respond",
    responses=STREAMED,
    response_model=None,
    response_class=Response,
)
async def create_response(
    *,
    asked: ResponseRequest,
    principal: WaitingOperator,
    proctor: Running,
    request: Request,
    x_proctor_thread: ThreadHeader = "",
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """The team's response. What waits for people is an item `mcp_approval_request`; the next answers it."""
    check_team(proctor, asked.model)
    work = _Work(proctor, principal, asked)
    decided = [item for item in work.items if isinstance(item, ApprovalItem)]
    if decided:
        run, after = await work.decide(decided)
    else:
        run, after = await work.begin(request, x_proctor_thread, idempotency_key), 0
    headers = {"x-proctor-run": run.id}
    if asked.background:
        return JSONResponse(
            await work.teller.response(await _work.read(proctor, run.id, after=after)), headers=headers
        )
    cancels = is_yes(asked.metadata or {}, "cancel_on_disconnect")
    if asked.stream:

        async def events() -> Any:
            async with cancelling(proctor, principal, run, request, wanted=cancels):
                async for line in work.teller.events(run, after):
                    yield line

        return stream(events(), headers)
    part = await unless_gone(request, _work.settle(proctor, run, after=after))
    if part is None:
        if cancels:
            await _work.cancel(proctor, principal, run)
        return Response(status_code=204)  # to nobody
    if part.state == "failed":
        raise RunEnded(part.run)
    return JSONResponse(await work.teller.response(part), headers=headers)


@router.get(
    "/responses/{id}",
    summary="Show a response",
    responses=ANSWER,
    response_model=None,
    response_class=Response,
)
async def show_response(id: ResponseId, principal: Viewer, proctor: Running) -> Response:
    """The response as it stands."""
    run, after = await _stored(proctor, principal, id)
    teller = Teller(proctor=proctor, principal=principal, asking=Asking())
    return JSONResponse(await teller.response(await _work.read(proctor, run.id, after=after)))


@router.post(
    "/responses/{id}/cancel",
    summary="Cancel a response",
    responses=ANSWER,
    response_model=None,
    response_class=Response,
)
async def cancel_response(id: ResponseId, principal: Operator, proctor: Running) -> Response:
    """The response after its run was asked to stop: it does so at its next call."""
    run, after = await _stored(proctor, principal, id)
    await _work.cancel(proctor, principal, run)
    teller = Teller(proctor=proctor, principal=principal, asking=Asking())
    return JSONResponse(await teller.response(await _work.read(proctor, run.id, after=after)))


async def _stored(proctor: Proctor, principal: Principal, id: str) -> tuple[Run, int]:
    """The run of a stored response, and from where on it is told.

    Raises:
        NotFound: there is no such response, or it was not to be stored.
    """
    run_id, after = part_of(id)
    run = await _work.find(proctor, principal, run_id)
    if run.thread_id is None or after > await _work.end_of_log(proctor, run_id):
        raise NotFound(f"there is no response {id}")
    return run, after


class _Work:
    """What one request asks for."""

    def __init__(self, proctor: Proctor, principal: Principal, asked: ResponseRequest) -> None:
        stored = asked.store is not False
        if asked.background and not stored:
            raise InvalidInput("a response in the background is stored", hint="Leave `store` out.")
        if asked.background and asked.stream:
            raise InvalidInput("a response in the background isn't streamed", hint="Ask for it by its id.")
        self.items = [] if isinstance(asked.input, str) else asked.input
        self._proctor = proctor
        self._principal = principal
        self._asked = asked
        self._stored = stored
        asking = Asking(
            previous=asked.previous_response_id,
            background=bool(asked.background),
            stored=stored,
            metadata=asked.metadata or {},
            ignored=asked.ignored(),
        )
        self.teller = Teller(proctor=proctor, principal=principal, asking=asking)

    async def begin(self, request: Request, header: str, key: str) -> Run:
        """A new run, in the conversation that the request goes on with."""
        asked = self._asked
        thread = await self._thread(header)
        given = {**asked.model_dump(mode="json", include=MEANT), "thread": thread}
        said = [_said(item) for item in self.items if isinstance(item, MessageItem)]
        if isinstance(asked.input, str):
            said = [Said(role="user", text=asked.input)]
        if thread not in ("", _work.NEW_THREAD):
            said = said[-1:]  # what was said before, the team knows
        if asked.instructions:
            said.insert(0, Said(role="note", text=asked.instructions))
        return await _work.start(
            self._proctor,
            self._principal,
            team=asked.model,
            task=task_of(said),
            tenant=(asked.metadata or {}).get("tenant", ""),
            thread=thread,
            subject=asked.safety_identifier or asked.user or "",
            trace=incoming(request.headers),
            sent=once(self._principal, key, "POST /v1/responses", given),
        )

    async def _thread(self, header: str) -> str:
        asked = self._asked
        if asked.previous_response_id is not None:
            if asked.conversation is not None or header:
                raise InvalidInput(
                    "`previous_response_id` says which conversation goes on", hint="Give it alone."
                )
            run, after = await self._previous()
            part = await _work.read(self._proctor, run.id, after=after)
            if part.run.state == "waiting":
                hint = "Answer its mcp_approval_request, or let somebody decide it."
                raise Conflict(f"run {run.id} waits for a person's decision", hint=hint)
            assert run.thread_id is not None
            return run.thread_id
        given = asked.conversation
        named = given.id if isinstance(given, ConversationRef) else given
        return named or header or (_work.NEW_THREAD if self._stored else "")

    async def decide(self, decided: list[ApprovalItem]) -> tuple[Run, int]:
        """The run of the response before, after the caller's decisions; and from where on it is told."""
        if self._asked.previous_response_id is None:
            raise InvalidInput("a decision names the response that asks", hint="Give `previous_response_id`.")
        if any(isinstance(item, MessageItem) and item.role == "user" for item in self.items):
            raise InvalidInput("a decision comes without a message", hint="Send the message when it is made.")
        run, _ = await self._previous()
        after = await _work.end_of_log(self._proctor, run.id)
        for item in decided:
            await _work.decide(
                self._proctor,
                self._principal,
                run,
                item.approval_request_id,
                kind="approve" if item.approve else "reject",
                comment=item.reason or "",
            )
        return run, after

    async def _previous(self) -> tuple[Run, int]:
        assert self._asked.previous_response_id is not None
        run, after = await _stored(self._proctor, self._principal, self._asked.previous_response_id)
        if run.team != self._asked.model:
            raise InvalidInput(f"run {run.id} is one of {run.team}")
        return run, after


def _said(item: MessageItem) -> Said:
    return Said(role=_ROLES[item.role], text=text_of(item.content))
