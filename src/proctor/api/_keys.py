"""Keys: who may use the server, as what, and until when; and how a person is shut out."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from proctor.access import KEY_NAME, LONGEST_LIFE, OVERLAP, Key, KeyState, Role, shut_out
from proctor.api._caller import Running
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import PlatformAdmin
from proctor.api._texts import OWN_NAME, WHOLE, Sent, Storable, TenantName, Whole, id_of
from proctor.app import Proctor
from proctor.core import LONGEST_NAME

router = APIRouter(tags=["keys"])

MOST_SECONDS = round(LONGEST_LIFE.total_seconds())

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
    tenant: TenantName | None = None
    person: str = Field(
        default="",
        pattern=OWN_NAME,
        max_length=LONGEST_NAME,
        description="Whose own key it is: what it decides is signed with this name.",
    )
    expires_in: Annotated[int, Field(ge=1, le=MOST_SECONDS), WHOLE] | None = Field(
        default=None, description="Seconds; null: it holds till it is revoked."
    )


class Leaver(Sent):
    """Who is to be shut out."""

    person: Storable = Field(
        min_length=1, max_length=LONGEST_NAME, description="Whose own keys and sessions it is about."
    )


class ShutOutShown(BaseModel):
    """What opened the server in a person's name, and opens it no more."""

    keys: list[KeyShown]
    sessions: int = Field(description="So many were ended.")


class Rotation(Sent):
    """How a key is rotated."""

    overlap: Whole = Field(
        default=round(OVERLAP.total_seconds()),
        ge=0,
        le=MOST_SECONDS,
        description="Seconds for which the key goes on beside its successor.",
    )


@router.get("/keys", summary="All keys, the newest first")
async def list_keys(
    proctor: Running, _principal: PlatformAdmin, limit: Limit = 50, after: After = ""
) -> Page[KeyShown]:
    """Also those that hold no more: what they did is signed with them."""
    found = await proctor.keys.page(before=after, limit=limit + 1)
    return page_of(found, limit, lambda key: _shown(key, proctor))


@router.post("/keys", status_code=status.HTTP_201_CREATED, summary="Make a key")
async def make_key(
    wanted: KeyWanted, proctor: Running, principal: PlatformAdmin, response: Response
) -> KeyMade:
    """Its secret is in this answer and nowhere else: the database holds a hash."""
    made = await proctor.keys.create(
        wanted.name,
        roles=wanted.roles,
        by=principal.name,
        tenant=wanted.tenant,
        person=wanted.person,
        life=timedelta(seconds=wanted.expires_in) if wanted.expires_in else None,
    )
    response.headers["Location"] = f"/api/v1/keys/{made.key.id}"
    return KeyMade.model_validate(made.told())


@router.get("/keys/{key_id}", summary="One key")
async def get_key(key_id: KeyId, proctor: Running, _principal: PlatformAdmin) -> KeyShown:
    """Everything but its secret."""
    return _shown(await proctor.keys.get(key_id), proctor)


@router.post("/keys/{key_id}/rotate", status_code=status.HTTP_201_CREATED, summary="Give a key a successor")
async def rotate_key(
    key_id: KeyId,
    proctor: Running,
    principal: PlatformAdmin,
    response: Response,
    rotation: Rotation | None = None,
) -> KeyMade:
    """The successor has the same rights and a new secret; the key goes on for the overlap."""
    overlap = timedelta(seconds=(rotation or Rotation()).overlap)
    made = await proctor.keys.rotate(key_id, by=principal.name, overlap=overlap)
    response.headers["Location"] = f"/api/v1/keys/{made.key.id}"
    return KeyMade.model_validate(made.told())


@router.post("/revocations", summary="Revoke all that opens the server in a person's name")
async def shut_person_out(leaver: Leaver, proctor: Running, principal: PlatformAdmin) -> ShutOutShown:
    """Their own keys, now revoked, and how many sessions were ended: refused everywhere within two seconds.

    Whoever the identity provider still lets in can sign in anew. 404: nothing opens the server in that name,
    or nothing does any more.
    """
    done = await shut_out(proctor.database, leaver.person, by=principal.name, clock=proctor.clock)
    return ShutOutShown(keys=[_shown(key, proctor) for key in done.keys], sessions=done.sessions)


@router.post("/keys/{key_id}/revoke", summary="Revoke a key")
async def revoke_key(key_id: KeyId, proctor: Running, principal: PlatformAdmin) -> KeyShown:
    """It opens nothing any more, on every process within two seconds. It stays in the list."""
    return _shown(await proctor.keys.revoke(key_id, by=principal.name), proctor)


def _shown(key: Key, proctor: Proctor) -> KeyShown:
    return KeyShown.model_validate(key.told(proctor.clock.now()))
