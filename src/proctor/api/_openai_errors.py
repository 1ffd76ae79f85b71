"""Errors as OpenAI's API tells them: what clients of it read under `/v1`."""

import json
from collections.abc import Mapping

from fastapi import Response

from proctor.core import JsonObject

PREFIX = "/v1/"

_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_FIRST_OF_SERVER = 500


def openai_fault(status: int, message: str, *, code: str, param: str | None = None) -> JsonObject:
    """What an error says."""
    fallback = "invalid_request_error" if status < _FIRST_OF_SERVER else "server_error"
    return {"message": message, "type": _TYPES.get(status, fallback), "param": param, "code": code}


def openai_error(status: int, fault: JsonObject, headers: Mapping[str, str] | None = None) -> Response:
    """An error as an answer."""
    # In ASCII: what is told of a run may hold halves of characters, which no other encoding takes.
    said = json.dumps({"error": fault})
    return Response(said, status_code=status, headers=headers, media_type="application/json")
