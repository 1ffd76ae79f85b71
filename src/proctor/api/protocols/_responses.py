"""Responses: a team answers where a model would, in a conversation that is kept, and people approve in it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from proctor.access import Principal
from proctor.api._caller import Operator, Running, Trusted, Viewer, WaitingOperator
from proctor.api._idempotency import IdempotencyKey
from proctor.api._streams import TOLD
from proctor.api.protocols import _work
from proctor.api.protocols._asking import ThreadHeader, check_team, text_of
from proctor.api.protocols._conversation import Said
from proctor.api.protocols._errors import ANY_ERROR, OpenAIRoute
from proctor.api.protocols._questions import decide
from proctor.api.protocols._response_object import Asking, ResponseTeller, input_items, part_of
from proctor.api.protocols._response_request import (
    ID,
    ApprovalItem,
    ConversationRef,
    Item,
    MessageItem,
    ResponseRequest,
)
from proctor.api.protocols._sending import Call
from proctor.app import Proctor
from proctor.core import Conflict, DecisionKind, InvalidInput, NotFound
from proctor.runs import Run

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=ANY_ERROR)

ResponseId: TypeAlias = Annotated[str, Path(pattern=ID, examples=[f"resp_{'0' * 26}"])]


_WHOLE = {"type": "object", "required": ["id", "object", "status", "model", "output", "proctor"]}
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As the OpenAI client's `Response`, with `proctor`.",
        "content": {"application/json": {"schema": _WHOLE}},
    }
}
ITEMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As the OpenAI client's list of input items.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["object", "data", "first_id", "last_id", "has_more"],
                }
            }
        },
    }
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As the OpenAI client's `Response` or its stream, with `proctor`.",
        "content": {
            "application/json": {"schema": _WHOLE},
            **TOLD,
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
    trust: Trusted,
    proctor: Running,
    request: Request,
    x_proctor_thread: ThreadHeader = "",
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """The team's response. What waits for people is an item `mcp_approval_request`; the next answers it."""
    check_team(proctor, asked.model)
    call = Call(proctor=proctor, principal=principal, trust=trust, request=request, asked=asked)
    teller = ResponseTeller(proctor=proctor, principal=principal, asking=_asking(asked))
    items = [] if isinstance(asked.input, str) else asked.input
    if any(isinstance(item, ApprovalItem) for item in items):
        run, after = await _decide(proctor, principal, asked, items)
    else:
        thread = await _thread(proctor, principal, asked, x_proctor_thread)
        known = thread not in ("", _work.NEW_THREAD)
        run, after = await call.begin(_said(asked, known=known), thread=thread, key=idempotency_key), 0
    if asked.background:
        part = await _work.read(proctor, run.id, after=after)
        return JSONResponse(await teller.response(part), headers={"x-proctor-run": run.id})
    return await call.answer(teller, run, after)


@router.get(
    "/responses/{id}",
    summary="Show a response",
    responses=ANSWER,
    response_model=None,
    response_class=Response,
)
async def show_response(
    *,
    id: ResponseId,
    principal: Viewer,
    proctor: Running,
    stream: Annotated[Literal["false"], Query(description="A stream can't be read again.")] = "false",  # noqa: ARG001
) -> Response:
    """The response as it stands."""
    return await _shown(proctor, principal, *await _stored(proctor, principal, id))


@router.get(
    "/responses/{id}/input_items",
    summary="List what a response answers",
    responses=ITEMS,
    response_model=None,
    response_class=Response,
)
async def list_input_items(id: ResponseId, principal: Viewer, proctor: Running) -> Response:
    """All of it: what the team was given, or what people have decided."""
    run, after = await _stored(proctor, principal, id)
    items = await input_items(proctor, run, after)
    ids = [item["id"] for item in items] or [""]
    places = {"first_id": ids[0], "last_id": ids[-1], "has_more": False}
    return JSONResponse({"object": "list", "data": items, **places})


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
    return await _shown(proctor, principal, run, after)


@router.delete("/responses/{id}", summary="Refuse to delete a response", status_code=400, response_model=None)
async def delete_response(id: ResponseId, principal: Operator, proctor: Running) -> Response:
    """Nothing: what runs did stays on record."""
    await _stored(proctor, principal, id)
    raise InvalidInput(
        "what runs did stays on record", hint="`proctor privacy erase` erases a person's data."
    )


async def _shown(proctor: Proctor, principal: Principal, run: Run, after: int) -> Response:
    teller = ResponseTeller(proctor=proctor, principal=principal, asking=Asking())
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


def _asking(asked: ResponseRequest) -> Asking:
    """What comes back of a request.

    Raises:
        InvalidInput: its wishes don't go together.
    """
    stored = asked.store is not False
    if asked.background and not stored:
        raise InvalidInput("a response in the background is stored", hint="Leave `store` out.")
    if asked.background and asked.stream:
        raise InvalidInput("a response in the background isn't streamed", hint="Ask for it by its id.")
    return Asking(
        previous=asked.previous_response_id,
        background=bool(asked.background),
        stored=stored,
        metadata=asked.metadata or {},
        ignored=asked.ignored(),
    )


async def _thread(proctor: Proctor, principal: Principal, asked: ResponseRequest, header: str) -> str:
    """The conversation that a request goes on with."""
    if asked.previous_response_id is None:
        given = asked.conversation
        named = given.id if isinstance(given, ConversationRef) else given
        return named or header or ("" if asked.store is False else _work.NEW_THREAD)
    if asked.conversation is not None or header:
        raise InvalidInput("`previous_response_id` says which conversation goes on", hint="Give it alone.")
    run = await _previous(proctor, principal, asked, asked.previous_response_id)
    if run.state == "waiting":
        hint = "Answer its mcp_approval_request, or let somebody decide it."
        raise Conflict(f"run {run.id} waits for a person's decision", hint=hint)
    assert run.thread_id is not None
    return run.thread_id


async def _decide(
    proctor: Proctor, principal: Principal, asked: ResponseRequest, items: list[Item]
) -> tuple[Run, int]:
    """The run of the response before, after the caller's decisions; and from where on it is told."""
    if asked.previous_response_id is None:
        raise InvalidInput("a decision names the response that asks", hint="Give `previous_response_id`.")
    if any(isinstance(item, MessageItem) and item.role == "user" for item in items):
        raise InvalidInput("a decision comes without a message", hint="Send the message when it is made.")
    run = await _previous(proctor, principal, asked, asked.previous_response_id)
    after = await _work.end_of_log(proctor, run.id)
    for item in items:
        if isinstance(item, ApprovalItem):
            kind: DecisionKind = "approve" if item.approve else "reject"
            shown, comment = item.approval_request_id, item.reason or ""
            await decide(proctor, principal, run, shown, kind=kind, comment=comment)
    return run, after


async def _previous(proctor: Proctor, principal: Principal, asked: ResponseRequest, id: str) -> Run:
    run, _ = await _stored(proctor, principal, id)
    if run.team != asked.model:
        raise InvalidInput(f"run {run.id} is one of {run.team}")
    return run


_ROLES: Mapping[str, Literal["user", "assistant", "note"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "note",
    "developer": "note",
}


def _said(asked: ResponseRequest, *, known: bool) -> list[Said]:
    """What the team is told; where it knows what was said before, the last message."""
    if isinstance(asked.input, str):
        said = [Said(role="user", text=asked.input)]
    else:
        messages = [item for item in asked.input if isinstance(item, MessageItem)]
        said = [Said(role=_ROLES[item.role], text=text_of(item.content)) for item in messages]
    note = [Said(role="note", text=asked.instructions)] if asked.instructions else []
    return note + (said[-1:] if known else said)
