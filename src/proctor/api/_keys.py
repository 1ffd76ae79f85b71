"""Keys of programs: who may use the server, as what, and until when."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from proctor.access import OVERLAP, Key, KeyState, NewKey, Role
from proctor.api._caller import Running
from proctor.api._pages import After, Limit, Page
from proctor.api._platform import PlatformAdmin
from proctor.api._texts import WHOLE, Sent, Whole, id_of
from proctor.core import Clock, SystemClock

router = APIRouter(tags=["keys"])

_clock: Clock = SystemClock()

LETTER = r"A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u4e00-\u9fff"
KEY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
LONGEST_LIFE = 315_360_000
"""Seconds: ten years."""

KeyId = Annotated[str, id_of("key")]


class KeyShown(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    person: str = Field(description="Whose own key it is; empty: a program's, which signs as `key:NAME`.")
    roles: list[Role]
    tenant: str | None = Field(description="The one tenant whose things it opens; null: the platform.")
    state: KeyState
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    successor: str | None = Field(description="The key that it was rotated to.")
    used_at: datetime | None = Field(description="When it was used last, give or take five minutes.")


class KeyMade(KeyShown):
    """A new key. Its secret is told this once."""

    token: str = Field(description="Send it as `Authorization: Bearer TOKEN`.")


class KeyWanted(Sent):
    """A key to make."""

    name: str = Field(pattern=KEY_NAME, examples=["deploy"])
    roles: list[Role] = Field(min_length=1, max_length=5)
    tenant: str | None = Field(default=None, pattern=rf"^[{LETTER}_][{LETTER}_ .@-]{{0,63}}$")
    person: str = Field(
        default="",
        pattern=rf"^([{LETTER}_][{LETTER}_ .@'+-]{{0,199}})?$",
        description="Whose own key it is: what it decides is signed with this name.",
    )
    expires_in: Annotated[int, Field(ge=1, le=LONGEST_LIFE), WHOLE] | None = Field(
        default=None, description="Seconds; null: it holds till it is revoked."
    )


class Rotation(Sent):
    """How a key is rotated."""

    overlap: Whole = Field(
        default=round(OVERLAP.total_seconds()),
        ge=0,
        le=LONGEST_LIFE,
        description="Seconds for which the key goes on beside its successor.",
    )


@router.get("/keys", summary="All keys, the newest first")
async def list_keys(
    running: Running, _: PlatformAdmin, limit: Limit = 50, after: After = ""
) -> Page[KeyShown]:
    """Also those that hold no more: what they did is signed with them."""
    found = await running.keys.page(before=after.replace("\0", ""), limit=limit + 1)
    shown = [KeyShown.model_validate(_shown(key)) for key in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.post("/keys", status_code=status.HTTP_201_CREATED, summary="Make a key")
async def make_key(wanted: KeyWanted, running: Running, by: PlatformAdmin, response: Response) -> KeyMade:
    """Its secret is in this answer and nowhere else: the database holds a hash."""
    made = await running.keys.create(
        wanted.name,
        roles=wanted.roles,
        by=by.name,
        tenant=wanted.tenant,
        person=wanted.person,
        life=timedelta(seconds=wanted.expires_in) if wanted.expires_in else None,
    )
    response.headers["Location"] = f"/api/v1/keys/{made.key.id}"
    return told(made)


@router.get("/keys/{key_id}", summary="One key")
async def get_key(key_id: KeyId, running: Running, _: PlatformAdmin) -> KeyShown:
    """Everything but its secret."""
    return KeyShown.model_validate(_shown(await running.keys.get(key_id)))


@router.post("/keys/{key_id}/rotate", status_code=status.HTTP_201_CREATED, summary="Give a key a successor")
async def rotate_key(
    key_id: KeyId, running: Running, by: PlatformAdmin, response: Response, rotation: Rotation | None = None
) -> KeyMade:
    """The successor has the same rights and a new secret; the key goes on for the overlap."""
    overlap = timedelta(seconds=(rotation or Rotation()).overlap)
    made = await running.keys.rotate(key_id, by=by.name, overlap=overlap)
    response.headers["Location"] = f"/api/v1/keys/{made.key.id}"
    return told(made)


@router.delete("/keys/{key_id}", summary="Revoke a key")
async def revoke_key(key_id: KeyId, running: Running, by: PlatformAdmin) -> KeyShown:
    """It opens nothing any more, on every process within two seconds. It stays in the list."""
    return KeyShown.model_validate(_shown(await running.keys.revoke(key_id, by=by.name)))


def told(made: NewKey) -> KeyMade:
    """A new key as it is told this once."""
    return KeyMade.model_validate({**_shown(made.key), "token": made.token})


def _shown(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "person": key.person,
        "roles": sorted(key.roles),
        "tenant": key.tenant,
        "state": key.state(_clock.now()),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "successor": key.successor,
        "used_at": key.used_at,
    }
