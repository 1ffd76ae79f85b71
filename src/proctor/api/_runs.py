"""Runs: started, shown, cancelled, resumed."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from proctor.access import Principal
from proctor.api._caller import Operator, Running, Trust, Trusted, Viewer
from proctor.api._idempotency import IdempotencyKey, once
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import tenant_for, tenant_of
from proctor.api._streams import ENDING
from proctor.api._texts import (
    ID,
    SAYS_SOMETHING,
    Instant,
    PersonName,
    Sent,
    Since,
    Storable,
    TenantName,
    Wanted,
    Whole,
    id_of,
)
from proctor.app import Proctor, StartOptions
from proctor.core import Conflict, Forbidden, Pace, RunError, unless
from proctor.runs import ENDED, Run, RunState
from proctor.telemetry import incoming

router = APIRouter(tags=["runs"])

LONGEST_WAIT = 50
"""Seconds; the server gives up requests that take longer."""

RunId: TypeAlias = Annotated[str, id_of("run")]
Task: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        pattern=SAYS_SOMETHING,
        description="What the team is to do; how long it may be, `policies.input` says.",
    ),
]
Wait: TypeAlias = Annotated[
    int,
    Query(
        ge=0,
        le=LONGEST_WAIT,
        description="Seconds to wait for the run's end, or until it waits for a person: 200 with the run "
        "then, 202 where it goes on.",
    ),
]


class Message(Sent):
    """What a team is asked, as a run."""

    task: Task
    requester: PersonName | None = Field(
        default=None,
        description="Who asks. Only callers of the platform who don't decide ask for others; it is recorded.",
    )
    subject: PersonName | None = Field(default=None, description="The person whom the run is about.")
    priority: Whole = Field(
        default=0, ge=-1000, le=1000, description="The greater, the sooner. Tenants' callers send 0 at most."
    )
    pace: Pace = Field(default="prompt", description="`patient`: nobody waits, it may take the cheap way.")


class Start(Message):
    """A run that is asked for."""

    team: Annotated[Storable, Field(min_length=1, max_length=64)]
    thread: str | None = Field(
        default=None, pattern=f"^thr_{ID}$", description="The conversation that the task belongs to."
    )
    at: Instant | None = Field(default=None, description="When it may begin at the earliest.")
    tenant: TenantName | None = Field(
        default=None, description="Whose run it is: the caller's own tenant, else `default`."
    )


class Started(BaseModel):
    """A run that goes on by itself."""

    id: str
    team: str
    tenant: str
    thread: str | None
    created_at: AwareDatetime


class Failure(BaseModel):
    """Why a run failed."""

    code: str
    message: str


class RunShown(BaseModel):
    """One execution of a team on one task."""

    id: str
    team: str
    tenant: str
    state: RunState
    task: str
    result: str | None = Field(description="The team's last message, where the run is completed.")
    error: Failure | None
    cost_micros: int = Field(description="Millionths of a US dollar, so far.")
    attempt: int
    requester: str
    subject: str
    priority: int
    pace: Pace
    thread: str | None
    schedule: str | None
    simple: bool = Field(description="Whether the team's simple form executes it.")
    release: str
    trace: str = Field(description="W3C traceparent; empty: nothing is traced.")
    created_at: AwareDatetime
    due_at: AwareDatetime | None
    finished_at: AwareDatetime | None


ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": RunShown, "description": "It has ended, or waits for a person"},
    202: {
        "model": Started,
        "description": "It goes on",
        "headers": {"Location": {"description": "Where the run is.", "schema": {"type": "string"}}},
    },
}


@router.post("/runs", summary="Start a run", status_code=202, response_model=None, responses=ACCEPTED)
async def start_run(
    *,
    start: Start,
    principal: Operator,
    trust: Trusted,
    proctor: Running,
    request: Request,
    response: Response,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = "",
) -> Started | RunShown:
    """The run, which goes on whatever becomes of the connection."""
    if start.thread is not None and start.at is not None:
        raise Conflict(
            "a message of a conversation has its turn when it comes, and can't be delayed",
            hint="Send it when it is due, or outside the conversation.",
        )
    options = options_of(start, principal, request, tenant=start.tenant)
    if start.thread is not None:
        options["thread"] = start.thread
    if start.at is not None:
        options["at"] = start.at
    if (sent := once(principal, idempotency_key, "POST /runs", start.model_dump(mode="json"))) is not None:
        options["once"] = sent
    run = await proctor.start(start.team, start.task, **options)
    return await answer_start(run, principal, trust, proctor, response, wait=wait)


@router.get("/runs", summary="List runs, newest first")
async def list_runs(
    *,
    principal: Viewer,
    proctor: Running,
    state: Annotated[RunState | Literal["any"], Query(description="`any`: whatever it is.")] = "any",
    team: Wanted = "",
    tenant: Wanted = "",
    since: Since = None,
    after: After = "",
    limit: Limit = 50,
) -> Page[RunShown]:
    """The page behind `after`."""
    found = await proctor.runs.page(
        state=None if state == "any" else state,
        team=team or None,
        tenant=tenant_of(principal, tenant),
        since=since,
        before=after,
        limit=limit + 1,
    )
    return page_of(found, limit, shown)


@router.get("/runs/{id}", summary="Show a run")
async def show_run(id: RunId, principal: Viewer, proctor: Running) -> RunShown:
    """The run as it stands. Who asked for it reads its answer with what stands behind tokens."""
    return await whole(await proctor.runs.get(id, tenant=tenant_of(principal)), principal, proctor)


@router.post("/runs/{id}/cancel", summary="Stop a run for good", status_code=202)
async def cancel_run(id: RunId, principal: Operator, proctor: Running) -> RunShown:
    """The run: cancelled where nobody executes it, else as soon as its process has seen it."""
    return shown(await proctor.runs.cancel(id, by=principal.name, tenant=tenant_of(principal)))


@router.post("/runs/{id}/resume", summary="Let a failed run go on where it stood", status_code=202)
async def resume_run(id: RunId, principal: Operator, proctor: Running) -> RunShown:
    """The run, queued again. No recorded call is made again."""
    return shown(await proctor.resume(id, by=principal.name, tenant=tenant_of(principal)))


def options_of(
    message: Message, principal: Principal, request: Request, *, tenant: str | None
) -> StartOptions:
    """What is said of a run beside its team and its task.

    Raises:
        Forbidden: the caller speaks for others, or a tenant's steps before all others.
    """
    for_another = message.requester not in (None, principal.name)
    if principal.tenant is not None and for_another:
        raise Forbidden("this key asks for itself", hint="Callers of the platform ask for others.")
    if for_another and principal.kind != "local" and principal.may("approver"):
        # Else a rule that keeps who asks from deciding would keep out whomever they name.
        raise Forbidden("who decides asks in their own name", hint="Others are asked for by operators.")
    if principal.tenant is not None and message.priority > 0:
        raise Forbidden("a tenant's runs don't go before others'", hint="Send a priority of 0 or below.")
    return StartOptions(
        tenant=tenant_for(principal, tenant or ""),
        requester=message.requester or principal.name,
        by=principal.name,
        subject=message.subject or "",
        priority=message.priority,
        pace=message.pace,
        trace=incoming(request.headers),
    )


async def answer_start(
    run: Run, principal: Principal, trust: Trust, proctor: Proctor, response: Response, *, wait: int
) -> Started | RunShown:
    """What a request is told that has started a run. Without waiting it is the same whenever it is sent.

    Raises:
        Unauthenticated: the caller's key or session holds no more.
    """
    if wait and run.state not in ENDED:
        with suppress(TimeoutError, RunError):  # of a run whose process stops, another one will know
            async with asyncio.timeout(wait):
                run = await unless(proctor.runs.feed.closed(), proctor.wait(run.id), within=ENDING) or run
        await trust.renew()
    if run.state == "refused" or (wait and run.state in {*ENDED, "waiting"}):
        response.status_code = 200
        return await whole(run, principal, proctor)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return Started(
        id=run.id, team=run.team, tenant=run.tenant, thread=run.thread_id, created_at=run.created_at
    )


async def whole(run: Run, principal: Principal, proctor: Proctor) -> RunShown:
    """A run, for whoever asked for it with what stands behind its tokens."""
    asked = run.requester == principal.name and principal.sees(run.tenant)
    return shown(run, result=await proctor.answer(run) if asked else run.result)


def shown(run: Run, *, result: str | None = None) -> RunShown:
    """A run as programs read it."""
    failure = None if run.error_code is None else Failure(code=run.error_code, message=run.error or "")
    return RunShown(
        id=run.id,
        team=run.team,
        tenant=run.tenant,
        state=run.state,
        task=run.task,
        result=run.result if result is None else result,
        error=failure,
        cost_micros=run.cost,
        attempt=run.attempt,
        requester=run.requester,
        subject=run.subject,
        priority=run.priority,
        pace=run.pace,
        thread=run.thread_id,
        schedule=run.schedule_id,
        simple=run.simple,
        release=run.release,
        trace=run.trace,
        created_at=run.created_at,
        due_at=run.due_at,
        finished_at=run.finished_at,
    )
