"""Everything that goes wrong, as RFC 9457 tells it: `application/problem+json` with our codes.

Under `/v1` it is told as OpenAI's API tells it.
"""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from proctor.api._openai_errors import PREFIX, openai_error, openai_fault
from proctor.core import ProctorError

log = logging.getLogger("proctor.api")

MEDIA = "application/problem+json"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Fault(BaseModel):
    """One thing in a request that doesn't fit."""

    place: str = Field(description="Where it is: `body.task`, `query.limit`.")
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="`urn:proctor:problem:CODE`")
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable word for programs.")
    hint: str = Field(default="", description="What to do next.")
    retryable: bool = Field(default=False, description="Whether the same request may succeed later.")
    errors: list[Fault] = Field(default=[], description="What doesn't fit, where the request can't be read.")


ANY_PROBLEM: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA: {}}, "description": "A problem"}
    for status in ("4XX", "5XX")
}
"""What every route may answer beside what it is for."""


def refusal(error: ProctorError, scope: Scope) -> Response:
    """An error as the answer to a request."""
    told = Problem(
        type=f"urn:proctor:problem:{error.code}",
        title=(type(error).__doc__ or "").partition("\n")[0],
        status=error.status,
        detail=error.message,
        code=error.code,
        hint=_hint_of(error),
        retryable=error.retryable,
    )
    return _answer(scope, told, headers_of(error))


def words_of(error: ProctorError) -> str:
    """An error in words: what went wrong, and what to do next."""
    return "\n".join(filter(None, (error.message, _hint_of(error))))


def _hint_of(error: ProctorError) -> str:
    """What to do next; nothing where it is a command: who calls from elsewhere has no command line."""
    return "" if error.hint.startswith("`proctor ") else error.hint


def headers_of(error: ProctorError) -> dict[str, str]:
    """What the head of an answer says of an error."""
    after = getattr(error, "retry_after", None)
    headers = {} if after is None else {"Retry-After": str(max(1, round(after)))}
    if error.status == 401:  # noqa: PLR2004 - RFC 9110 wants it said how to authenticate
        headers["WWW-Authenticate"] = 'Bearer realm="proctor"'
    return headers


def tell_problems(site: FastAPI) -> None:
    """Has a site tell its errors as problems."""
    site.add_exception_handler(ProctorError, _of_ours)
    site.add_exception_handler(RequestValidationError, _unreadable)
    site.add_exception_handler(HTTPException, _of_http)
    site.add_exception_handler(Exception, _broken)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProctorError)
    return refusal(error, request.scope)


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(place=".".join(str(part) for part in one["loc"]), detail=str(one["msg"]))
        for one in error.errors()
    ]
    told = Problem(
        type="urn:proctor:problem:invalid_input",
        title="A request that can't be read.",
        status=422,
        detail="; ".join(f"{fault.place}: {fault.detail}" for fault in faults[:3]),
        code="invalid_input",
        errors=faults,
    )
    return _answer(request.scope, told)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if "Allow" in headers:  # the first route of the path alone has spoken
        headers["Allow"] = ", ".join(sorted(_methods_of(request)))
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, f"http_{error.status_code}")
    told = Problem(
        type=f"urn:proctor:problem:{code}",
        title=str(error.detail),
        status=error.status_code,
        detail=str(error.detail),
        code=code,
    )
    return _answer(request.scope, told, headers)


def _methods_of(request: Request) -> set[str]:
    """What may be done with a path, by all of its routes."""
    routes = request.app.router.routes
    return {
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }


async def _broken(request: Request, error: Exception) -> Response:
    log.error("a request broke", exc_info=error)
    told = Problem(
        type="urn:proctor:problem:error",
        title="Something in Proctor went wrong.",
        status=500,
        detail="The log tells what.",
        code="error",
    )
    return _answer(request.scope, told)


def _answer(scope: Scope, told: Problem, headers: dict[str, str] | None = None) -> Response:
    if scope["path"].startswith(PREFIX):
        message = f"{told.detail}\n{told.hint}".strip()
        fault = openai_fault(told.status, message, code=told.code)
        return openai_error(told.status, fault, headers)
    # In ASCII: what is told of a request may hold halves of characters, which no other encoding takes.
    said = json.dumps(told.model_dump())
    return Response(said, status_code=told.status, headers=headers, media_type=MEDIA)
