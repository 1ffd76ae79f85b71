"""Signed links by which a question can be decided once, without an account.

A token is an identifier and a signature. The identifier is derived from the message that carries the link,
so that a message sent again carries the same link. The database keeps a hash of it and what was signed: who
reads the database can't use a link, and who writes into it can't make one without the key.

Who holds a link holds its vote. A link to a mailbox that is a member's votes as that member, exactly as if
the member had decided at the command line. Any other link, say in a chat room, votes as `link:ROLE`: nobody
knows who pressed the button, be it the one who asked for the run. So such a link decides only where any one
person is enough; where persons are counted or told apart, none is made.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Row, String, Table, select, update

from proctor.core import (
    DecisionKind,
    ForgedLink,
    LinkSpent,
    MissingSetting,
    NoticeSettings,
    canonical_json,
)
from proctor.notices._values import Matter
from proctor.store import UtcDateTime, insert_into, metadata

SHORTEST_KEY = 32
"""Characters."""
ID_BYTES, MAC_BYTES = 16, 32
ALLOWED: tuple[DecisionKind, ...] = ("approve", "reject")

links = Table(
    "links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("approval_id", String(40), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("allowed", String(64), nullable=False),
    Column("voter", String(200), nullable=False),
    Column("role", String(64), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link allows."""

    id: str
    """The hash of the token's identifier."""
    approval_id: str
    digest: str
    """Of the action: the link is void for any other."""
    allowed: tuple[str, ...]
    voter: str
    """Whose vote it is: a member, or `link:ROLE`."""
    role: str
    expires_at: datetime
    used_at: datetime | None

    def usable(self, at: datetime) -> bool:
        """Whether it wasn't used and its time isn't over."""
        return self.used_at is None and at < self.expires_at


class LinkKey:
    """The key that signs links."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def load(cls, settings: NoticeSettings, environ: Mapping[str, str]) -> "LinkKey | None":
        """The key, where links are configured.

        Raises:
            MissingSetting: the environment doesn't hold it, or it is too short to be safe.
        """
        if settings.link_key_env is None:
            return None
        text = environ.get(settings.link_key_env, "").strip()
        if len(text) < SHORTEST_KEY:
            raise MissingSetting(
                f"{settings.link_key_env}, which signs decision links, is absent or shorter than "
                f"{SHORTEST_KEY} characters",
                hint='Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
            )
        return cls(text.encode())

    def make(
        self,
        connection: Connection,
        matter: Matter,
        *,
        notice_id: str,
        voter: str,
        role: str,
        at: datetime,
        life: timedelta,
    ) -> str:
        """The token of a message's link, which is stored where it is new."""
        name = self._sign("name", [notice_id, matter.id, matter.digest])[:ID_BYTES]
        expires_at = min(at + life, matter.expires_at) if matter.expires_at else at + life
        row = {
            "id": _hash(name),
            "approval_id": matter.id,
            "digest": matter.digest,
            "allowed": " ".join(ALLOWED),
            "voter": voter,
            "role": role,
            "expires_at": expires_at,
            "created_at": at,
        }
        connection.execute(insert_into(connection, links).values(row).on_conflict_do_nothing())
        stored = _find(connection, name)
        assert stored is not None
        return urlsafe_b64encode(name + self._sign_link(name, stored)).decode().rstrip("=")

    def find(self, connection: Connection, token: str) -> "Link | None":
        """The link that a token names; nothing where there is none.

        Raises:
            ForgedLink: the token or the stored link was changed.
        """
        parts = _parts(token)
        link = None if parts is None else _find(connection, parts[0])
        if link is None or parts is None:
            return None
        if not hmac.compare_digest(parts[1], self._sign_link(parts[0], link)):
            raise ForgedLink("the link's signature is wrong")
        return link

    def _sign_link(self, name: bytes, link: Link) -> bytes:
        signed = [
            name.hex(),
            link.approval_id,
            link.digest,
            " ".join(link.allowed),
            link.voter,
            link.role,
            link.expires_at.isoformat(),
        ]
        return self._sign("link", signed)

    def _sign(self, purpose: str, values: list[str]) -> bytes:
        return hmac.digest(self._secret, canonical_json([purpose, *values]).encode(), "sha256")


def use(connection: Connection, link: Link, at: datetime) -> None:
    """Uses a link up, exactly once.

    Raises:
        LinkSpent: it was used before, or its time is over.
    """
    changed = connection.execute(
        update(links)
        .where(links.c.id == link.id, links.c.used_at.is_(None), links.c.expires_at > at)
        .values(used_at=at)
    )
    if changed.rowcount != 1:
        raise LinkSpent("the link was used before, or its time is over")


def _parts(token: str) -> tuple[bytes, bytes] | None:
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (NotBase64, ValueError):
        return None
    if len(raw) != ID_BYTES + MAC_BYTES or urlsafe_b64encode(raw).decode().rstrip("=") != token:
        return None
    return raw[:ID_BYTES], raw[ID_BYTES:]


def _hash(name: bytes) -> str:
    return hashlib.sha256(name).hexdigest()


def _find(connection: Connection, name: bytes) -> Link | None:
    row = connection.execute(select(links).where(links.c.id == _hash(name))).first()
    return None if row is None else _link(row)


def _link(row: Row[Any]) -> Link:
    return Link(
        id=row.id,
        approval_id=row.approval_id,
        digest=row.digest,
        allowed=tuple(row.allowed.split()),
        voter=row.voter,
        role=row.role,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
