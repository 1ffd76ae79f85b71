"""The calls that runs have made."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from proctor import audit
from proctor.api._caller import Operator, Running
from proctor.api._platform import tenant_of
from proctor.api._runs import RunId
from proctor.core import CallKind, Forbidden
from proctor.runs import RecordedCall

router = APIRouter(tags=["runs"])


class CallShown(BaseModel):
    """One call that a run has made, as the journal holds it."""

    kind: CallKind
    agent: str
    name: str = Field(description="The deployment, or the tool as `server.tool`.")
    attempt: int
    outcome: Literal["open", "answered", "error", "refused"]
    cost_micros: int
    started_at: AwareDatetime
    duration_ms: float | None = Field(description="None where nobody has answered yet.")
    request: dict[str, Any] | None = Field(default=None, description="With `contents` alone.")
    answer: dict[str, Any] | None = Field(default=None, description="With `contents` alone.")


@router.get("/runs/{id}/calls", summary="List the calls that a run has made", response_model=list[CallShown])
async def list_calls(
    *,
    id: RunId,
    principal: Operator,
    proctor: Running,
    contents: Annotated[
        bool, Query(description="With requests and answers, for auditors; the record notes who read them.")
    ] = False,
) -> Response:
    """The calls in the order in which they finished."""
    if contents and not principal.may("auditor"):
        raise Forbidden("contents of calls take the role auditor", hint="An admin gives roles.")
    run = await proctor.runs.get(id, tenant=tenant_of(principal))
    if contents:
        await proctor.database.commit(
            partial(
                audit.append,
                at=proctor.clock.now(),
                actor=principal.name,
                action="run.read",
                thing=run.id,
                tenant=run.tenant,
            )
        )
    calls = await proctor.runs.calls(id, tenant=run.tenant)
    # In ASCII: recorded texts may hold halves of characters.
    told = [_call(call, contents=contents).model_dump(mode="json") for call in calls]
    return Response(json.dumps(told), media_type="application/json")


def _call(call: RecordedCall, *, contents: bool) -> CallShown:
    return CallShown(
        kind=call.key.kind,
        agent=call.key.agent,
        name=_name(call),
        attempt=call.attempt,
        outcome=_outcome(call.outcome),
        cost_micros=call.cost,
        started_at=call.started_at,
        duration_ms=call.duration_ms,
        request=dict(call.request) if contents else None,
        answer=dict(call.outcome) if contents and call.outcome is not None else None,
    )


def _name(call: RecordedCall) -> str:
    """The deployment that answered, or the tool that was asked for."""
    if call.key.kind == "tool":
        return f"{call.request['server']}.{call.request['tool']}".removeprefix(".")
    return str((call.outcome or {}).get("deployment") or call.request.get("model") or "")


def _outcome(outcome: Mapping[str, Any] | None) -> Literal["open", "answered", "error", "refused"]:
    if outcome is None:
        return "open"
    if outcome.get("refused_by"):
        return "refused"
    return "error" if outcome.get("is_error") else "answered"
