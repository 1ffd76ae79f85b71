"""Versions of things: `ETag` says which was read, `If-Match` that only this one is decided or replaced."""

from typing import Annotated, Any, TypeAlias

from fastapi import Header, Response

from proctor.core import Conflict, InvalidInput, digest

LONGEST = 1_000
_SHOWN = 32

IfMatch: TypeAlias = Annotated[
    str,
    Header(
        alias="If-Match",
        max_length=LONGEST,
        description="The `ETag` of what was read. Needed: 428 without it, 412 where it has changed since.",
    ),
]

TAGGED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "ETag": {"description": "Which version this is, for `If-Match`.", "schema": {"type": "string"}}
        }
    }
}
"""Of a route whose answer has a version."""


class Unmatched(InvalidInput):
    """The request doesn't say which version it is about."""

    code = "precondition_required"
    status = 428


class Changed(Conflict):
    """The thing has changed since it was read."""

    code = "precondition_failed"
    status = 412


def tag_of(*parts: object) -> str:
    """The strong tag of a version that some values tell from others."""
    return f'"{digest([str(part) for part in parts])[:_SHOWN]}"'


def tag(response: Response, *parts: object) -> None:
    """Says in an answer which version it holds."""
    response.headers["ETag"] = tag_of(*parts)


def check_match(given: str, *parts: object) -> None:
    """Returns where a request is about the present version. `*` is about none: nobody has seen that.

    Raises:
        Unmatched: it doesn't say about which.
        Changed: about another one.
    """
    if not given.strip():
        raise Unmatched("If-Match is missing", hint="Read it first, and send its ETag as If-Match.")
    if tag_of(*parts) not in [each.strip() for each in given.split(",")]:
        raise Changed("it has changed since it was read", hint="Read it again, and then decide.")
