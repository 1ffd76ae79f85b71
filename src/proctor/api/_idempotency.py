"""`Idempotency-Key`: a request that is sent again starts nothing again, and gets the same answer."""

from typing import Annotated, TypeAlias

from fastapi import Header

from proctor.access import Principal
from proctor.core import JsonObject, digest
from proctor.runs import Once

IdempotencyKey: TypeAlias = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[!-~]*$",
        description="Any word of your own for this request. Sent again with the same body within 24 hours, "
        "it starts nothing, and gets the first answer. With another body it is refused (422).",
    ),
]


def once(principal: Principal, key: str, route: str, asked: JsonObject) -> Once | None:
    """What tells the request when it is sent again; nothing where the caller gives it no key."""
    if not key:
        return None
    caller = digest([principal.kind, principal.tenant, principal.name])
    return Once(caller=caller, route=route, key=key, digest=digest(asked))
