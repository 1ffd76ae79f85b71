"""What goes wrong under `/v1`, in the shape that clients of OpenAI's API read."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from proctor.api._openai_errors import openai_error, openai_fault
from proctor.api._problems import headers_of, words_of
from proctor.api.protocols._work import StillAtWork
from proctor.core import BudgetExceeded, InvalidInput, JsonObject, NotFound, ProctorError, RateLimited
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
        "description": "An error",
        "content": {"application/json": {"schema": OF_OPENAI}},
    }
    for status in ("4XX", "5XX")
}
"""What every route under `/v1` may answer beside what it is for."""

_BAD_REQUEST, _CONFLICT = 400, 409
"""The first stands also where Proctor says 422, which OpenAI's API doesn't know."""

_CODES: Mapping[str, str] = {
    "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter",
    "json_invalid": "invalid_json",
}

_WORDS: Mapping[str, str] = {
    RateLimited.code: "rate_limit_exceeded",
    BudgetExceeded.code: "insufficient_quota",
}
"""Codes that OpenAI's API has words of its own for."""

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
                fault = openai_fault(error.status_code, str(error.detail), code="invalid_json")
                return openai_error(error.status_code, fault)

        return answered


def told(error: ProctorError) -> Response:
    """An error as an answer."""
    if isinstance(error, RunEnded | StillAtWork):
        status = _status_of(error.run) if isinstance(error, RunEnded) else error.status
        headers = {**NO_RETRY, "x-proctor-run": error.run.id}
    else:
        status = _BAD_REQUEST if error.status == InvalidInput.status else error.status
        headers = headers_of(error)
    return openai_error(status, body(error), headers)


def body(error: ProctorError) -> JsonObject:
    """What an error says."""
    if isinstance(error, RunEnded):
        code, status = error.run.error_code or error.run.state, _status_of(error.run)
    else:
        code, status = error.code, error.status
    param = "model" if isinstance(error, UnknownTeam) else None
    return openai_fault(status, words_of(error), code=_WORDS.get(code, code), param=param)


def _status_of(run: Run) -> int:
    """The status of the error with which a run failed."""
    if run.state != "failed":
        return _CONFLICT
    if run.error_code == BudgetExceeded.code:
        return RateLimited.status
    open_: list[type[ProctorError]] = [ProctorError]
    while open_:
        kind = open_.pop()
        if kind.code == run.error_code:
            return kind.status
        open_ += kind.__subclasses__()
    return ProctorError.status


def _unreadable(error: RequestValidationError) -> Response:
    first = error.errors()[0]
    kind = str(first["type"])
    where, *parts = first["loc"]
    place = ".".join(str(part) for part in parts if where != "body" or not _is_alternative(part)) or None
    say = (
        f"{place} isn't supported here" if kind == "extra_forbidden" else f"{place or 'body'}: {first['msg']}"
    )
    fault = openai_fault(_BAD_REQUEST, say, code=_CODES.get(kind, "invalid_value"), param=place)
    return openai_error(_BAD_REQUEST, fault)


def _is_alternative(part: int | str) -> bool:
    """Whether a part of a place names what was tried there, and no place."""
    return isinstance(part, str) and (part in ("str", "list") or any(mark in part for mark in "[](-"))
