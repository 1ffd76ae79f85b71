"""What goes wrong under `/v1`, in the shape that clients of OpenAI's API read."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from proctor.api.protocols._work import StillAtWork
from proctor.core import InvalidInput, JsonObject, NotFound, ProctorError
from proctor.runs import Run

OF_OPENAI: JsonObject = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

ANY_ERROR: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "An error; a problem where the request was refused before it was read",
        "content": {
            "application/json": {"schema": OF_OPENAI},
            "application/problem+json": {"schema": {"type": "object"}},
        },
    }
    for status in ("4XX", "5XX")
}
"""What every route under `/v1` may answer beside what it is for."""

_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_BAD_REQUEST, _UNAUTHORISED, _CONFLICT = 400, 401, 409
"""The first stands also where Proctor says 422, which OpenAI's API doesn't know."""
_FIRST_OF_SERVER = 500

_CODES: Mapping[str, str] = {
    "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter",
    "json_invalid": "invalid_json",
}

NO_RETRY = {"x-should-retry": "false"}
"""Tells OpenAI's clients that the same request would do the work a second time."""


class UnknownTeam(NotFound):
    """There is no such team."""

    code = "model_not_found"


class RunEnded(ProctorError):
    """A run that gives no answer: it failed, or was cancelled."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.error or f"run {run.id} was cancelled")
        self.run = run


class OpenAIRoute(APIRoute):
    """A route that tells its errors as OpenAI's API does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, whose errors are answers."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except ProctorError as error:
                return told(error)
            except RequestValidationError as error:
                return _unreadable(error)
            except HTTPException as error:
                return _answer(error.status_code, str(error.detail), code="invalid_json")

        return answered


def told(error: ProctorError) -> JSONResponse:
    """An error as an answer."""
    if isinstance(error, RunEnded | StillAtWork):
        status = _status_of(error.run) if isinstance(error, RunEnded) else error.status
        headers = {**NO_RETRY, "x-proctor-run": error.run.id}
    else:
        status, headers = _BAD_REQUEST if error.status == InvalidInput.status else error.status, {}
    after = getattr(error, "retry_after", None)
    if after is not None:
        headers["Retry-After"] = str(max(1, round(after)))
    if status == _UNAUTHORISED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": body(error)}, status_code=status, headers=headers)


def body(error: ProctorError) -> dict[str, Any]:
    """What an error says."""
    if isinstance(error, RunEnded):
        code, status = error.run.error_code or error.run.state, _status_of(error.run)
    else:
        code, status = error.code, error.status
    param = "model" if isinstance(error, UnknownTeam) else None
    return {"message": str(error), "type": _type_of(status), "param": param, "code": code}


def _status_of(run: Run) -> int:
    """The status of the error with which a run failed."""
    if run.state != "failed":
        return _CONFLICT
    open_: list[type[ProctorError]] = [ProctorError]
    while open_:
        kind = open_.pop()
        if kind.code == run.error_code:
            return kind.status
        open_ += kind.__subclasses__()
    return ProctorError.status


def _type_of(status: int) -> str:
    fallback = "invalid_request_error" if status < _FIRST_OF_SERVER else "server_error"
    return _TYPES.get(status, fallback)


def _unreadable(error: RequestValidationError) -> JSONResponse:
    fault = error.errors()[0]
    kind = str(fault["type"])
    where, *parts = fault["loc"]
    place = ".".join(str(part) for part in parts if where != "body" or not _is_alternative(part)) or None
    say = (
        f"{place} isn't supported here" if kind == "extra_forbidden" else f"{place or 'body'}: {fault['msg']}"
    )
    return _answer(_BAD_REQUEST, say, code=_CODES.get(kind, "invalid_value"), param=place)


def _answer(status: int, message: str, *, code: str, param: str | None = None) -> JSONResponse:
    error = {"message": message, "type": _type_of(status), "param": param, "code": code}
    return JSONResponse({"error": error}, status_code=status)


def _is_alternative(part: int | str) -> bool:
    """Whether a part of a place names what was tried there, and no place."""
    return isinstance(part, str) and (part in ("str", "list") or any(mark in part for mark in "[](-"))
