"""The table of pins and its queries, one function each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, String, Table, select, update

from proctor import audit
from proctor.store import AnyText, UtcDateTime, insert_into, metadata
from proctor.tools._pin_form import Form, form_from_text, form_to_text

Key: TypeAlias = tuple[str, str]
"""A server's name, and a tool's."""

LONGEST_TOOL = 255
"""Characters of a tool's name; models' providers take 64."""

tool_pins = Table(
    "tool_pins",
    metadata,
    Column("server", String(64), primary_key=True),
    Column("tool", String(LONGEST_TOOL), primary_key=True),
    Column("digest", String(64)),
    Column("spec", AnyText),
    Column("pinned_at", UtcDateTime),
    Column("pinned_by", AnyText),
    Column("seen_digest", String(64)),
    Column("seen_spec", AnyText),
    Column("seen_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What is held of one tool."""

    server: str
    tool: str
    accepted: Form | None
    """What it may be; nothing where nobody has pinned it."""
    accepted_at: datetime | None
    accepted_by: str
    seen: Form | None
    """What it was, where a worker has seen something else since."""
    seen_at: datetime | None

    @property
    def key(self) -> Key:
        """Which tool."""
        return self.server, self.tool


def stored_pins(connection: Connection, servers: Collection[str] | None = None) -> dict[Key, Pin]:
    """All that is held, or what is of some servers; in the order of their names."""
    query = select(tool_pins).order_by(tool_pins.c.server, tool_pins.c.tool)
    if servers is not None:
        query = query.where(tool_pins.c.server.in_(servers))
    return {
        (row.server, row.tool): Pin(
            server=row.server,
            tool=row.tool,
            accepted=None if row.spec is None else form_from_text(row.spec),
            accepted_at=row.pinned_at,
            accepted_by=row.pinned_by or "",
            seen=None if row.seen_spec is None else form_from_text(row.seen_spec),
            seen_at=row.seen_at,
        )
        for row in connection.execute(query)
    }


def pinned_digests(connection: Connection) -> dict[Key, str]:
    """The digest of each tool that is pinned."""
    query = select(tool_pins.c.server, tool_pins.c.tool, tool_pins.c.digest)
    rows = connection.execute(query.where(tool_pins.c.digest.is_not(None)))
    return {(row.server, row.tool): row.digest for row in rows}


def pin_first(connection: Connection, forms: Mapping[Key, Form], *, by: str, at: datetime) -> None:
    """Pins the tools that nobody has pinned yet. Of workers that do it at once one is the first."""
    _put(connection, _accepted(forms, by=by, at=at), where=tool_pins.c.digest.is_(None))
    _note(connection, forms, action="pin.first_used", by="proctor", at=at)


def accept(connection: Connection, forms: Mapping[Key, Form], *, by: str, at: datetime) -> None:
    """Pins tools as they are now, whatever was pinned before."""
    _put(connection, _accepted(forms, by=by, at=at))
    _note(connection, forms, action="pin.accepted", by=by, at=at)


def note_seen(connection: Connection, forms: Mapping[Key, Form], *, at: datetime) -> None:
    """Keeps what tools were seen to be that isn't what was accepted."""
    rows = [
        _named(key) | {"seen_digest": form.digest, "seen_spec": form_to_text(form), "seen_at": at}
        for key, form in forms.items()
    ]
    _put(connection, rows)


def forget_seen(connection: Connection, keys: Collection[Key]) -> None:
    """Forgets what tools were seen to be: they are again as they were accepted."""
    for server, tool in keys:
        mine = (tool_pins.c.server == server, tool_pins.c.tool == tool)
        connection.execute(update(tool_pins).where(*mine).values(_UNSEEN))


_UNSEEN: Mapping[str, None] = {"seen_digest": None, "seen_spec": None, "seen_at": None}


def _accepted(forms: Mapping[Key, Form], *, by: str, at: datetime) -> list[dict[str, object]]:
    return [
        {
            **_named(key),
            "digest": form.digest,
            "spec": form_to_text(form),
            "pinned_at": at,
            "pinned_by": by,
            **_UNSEEN,
        }
        for key, form in forms.items()
    ]


def _note(connection: Connection, forms: Mapping[Key, Form], *, action: str, by: str, at: datetime) -> None:
    for (server, tool), form in forms.items():
        data = {"digest": form.digest}
        audit.append(connection, at=at, actor=by, action=action, thing=f"{server}.{tool}", data=data)


def _named(key: Key) -> dict[str, object]:
    return {"server": key[0], "tool": key[1]}


def _put(
    connection: Connection, rows: list[dict[str, object]], *, where: ColumnElement[bool] | None = None
) -> None:
    """Puts values into new rows, and into those that are there where they fit the condition."""
    if not rows:
        return
    insert = insert_into(connection, tool_pins)
    set_ = {name: insert.excluded[name] for name in rows[0] if name not in ("server", "tool")}
    connection.execute(
        insert.on_conflict_do_update(index_elements=["server", "tool"], set_=set_, where=where), rows
    )
