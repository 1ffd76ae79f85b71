"""Threads: conversations, of which each message is a run."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from proctor.api._caller import Operator, Running, Trusted, Viewer
from proctor.api._idempotency import IdempotencyKey, once
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import tenant_for, tenant_of
from proctor.api._runs import (
    ACCEPTED,
    Message,
    RunShown,
    Started,
    Wait,
    answer_start,
    options_of,
    shown,
)
from proctor.api._texts import Sent, Storable, TenantName, Wanted, id_of
from proctor.runs import Thread

router = APIRouter(tags=["threads"])

ThreadPath: TypeAlias = Annotated[str, id_of("thr")]


class Open(Sent):
    """A conversation that is asked for."""

    team: Annotated[Storable, Field(min_length=1, max_length=64)]
    tenant: TenantName | None = Field(
        default=None, description="Whose it is: the caller's own tenant, else `default`."
    )


class Opened(BaseModel):
    """A new conversation of a tenant with a team."""

    id: str
    team: str
    tenant: str
    created_at: AwareDatetime


class ThreadShown(Opened):
    """A conversation of a tenant with a team."""

    messages: int = Field(description="So far.")
    spoken_at: AwareDatetime | None = Field(description="When the last message came.")


_OPENED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "Where the thread is.", "schema": {"type": "string"}}}}
}


@router.post("/threads", summary="Open a thread", status_code=201, responses=_OPENED)
async def open_thread(
    *,
    wanted: Open,
    principal: Operator,
    proctor: Running,
    response: Response,
    idempotency_key: IdempotencyKey = "",
) -> Opened:
    """The thread; its messages are sent to `/threads/{id}/messages`."""
    tenant = tenant_for(principal, wanted.tenant or "")
    sent = once(principal, idempotency_key, "POST /threads", wanted.model_dump(mode="json"))
    thread = await proctor.open_thread(wanted.team, tenant=tenant, once=sent)
    response.headers["Location"] = f"/api/v1/threads/{thread.id}"
    return Opened(id=thread.id, team=thread.team, tenant=thread.tenant, created_at=thread.created_at)


@router.get("/threads", summary="List threads, newest first")
async def list_threads(
    *,
    principal: Viewer,
    proctor: Running,
    team: Wanted = "",
    tenant: Wanted = "",
    after: After = "",
    limit: Limit = 50,
) -> Page[ThreadShown]:
    """The page behind `after`."""
    found = await proctor.threads.page(
        team=team or None, tenant=tenant_of(principal, tenant), before=after, limit=limit + 1
    )
    return page_of(found, limit, _shown)


@router.get("/threads/{id}", summary="Show a thread")
async def show_thread(id: ThreadPath, principal: Viewer, proctor: Running) -> ThreadShown:
    """The thread as it stands."""
    return _shown(await proctor.threads.get(id, tenant=tenant_of(principal)))


@router.get("/threads/{id}/messages", summary="List a thread's messages, oldest first")
async def list_messages(
    *,
    id: ThreadPath,
    principal: Viewer,
    proctor: Running,
    after: Annotated[str, Query(pattern=r"^[0-9]{0,9}$", description="The `next` of the page before.")] = "",
    limit: Limit = 50,
) -> Page[RunShown]:
    """The page behind `after`; each message is a run."""
    passed = int(after or 0)
    found = await proctor.threads.runs(id, tenant=tenant_of(principal), after=passed, limit=limit + 1)
    return page_of(found, limit, shown, place=lambda _: str(passed + limit))


@router.post(
    "/threads/{id}/messages",
    summary="Send a message, which starts a run",
    status_code=202,
    response_model=None,
    responses=ACCEPTED,
)
async def send_message(
    *,
    id: ThreadPath,
    message: Message,
    principal: Operator,
    trust: Trusted,
    proctor: Running,
    request: Request,
    response: Response,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = "",
) -> Started | RunShown:
    """The message's run. Whether it waits for the run before, the team's settings say."""
    thread = await proctor.threads.get(id, tenant=tenant_of(principal))
    options = options_of(message, principal, request, tenant=thread.tenant)
    options["thread"] = thread.id
    asked = {"thread": thread.id, **message.model_dump(mode="json")}
    if (sent := once(principal, idempotency_key, "POST /threads/{id}/messages", asked)) is not None:
        options["once"] = sent
    run = await proctor.start(thread.team, message.task, **options)
    return await answer_start(run, principal, trust, proctor, response, wait=wait)


def _shown(thread: Thread) -> ThreadShown:
    return ThreadShown(
        id=thread.id,
        team=thread.team,
        tenant=thread.tenant,
        created_at=thread.created_at,
        messages=thread.turns,
        spoken_at=thread.spoken_at,
    )
