"""Tools are believed as they were when they were accepted: one that has changed since waits for a person.

A server that was honest when it was looked at may describe its tools differently later, and the model reads
that. So what a tool says of itself is pinned; what a pin doesn't know reaches no model, and isn't called.
Whether a server does something else behind the same words is seen by none of this.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

from sqlalchemy import Connection

from proctor.core import Clock, ToolCall, ToolHandler, ToolResult, ToolSpec, TrustSettings
from proctor.store import Database
from proctor.tools._functions import PYTHON
from proctor.tools._pin_form import Form, form_of, spec_of
from proctor.tools._pin_sql import (
    LONGEST_TOOL,
    Key,
    Pin,
    forget_seen,
    note_seen,
    pin_first,
    pinned_digests,
    stored_pins,
)
from proctor.tools._refusals import refuse
from proctor.tools._text import clean

RULE = "pins"

FIRST_USE = "first use"
"""Who pinned a tool that was believed as it was first seen."""

REMEMBERED = 10_000
"""Runs and tools of which it is known that a run was told."""

Fault: TypeAlias = Literal["changed", "unpinned", "gone"]

_TEXTS: Mapping[Fault, str] = {
    "changed": "has changed since it was accepted, and may not be called until a person accepts it again",
    "unpinned": "has not been accepted by a person yet, and may not be called before",
    "gone": "isn't offered by its server any more, or not under a name of its own",
}


class Pins:
    """What the tools of all servers said of themselves when they were accepted, and what they say now.

    A server's tools are met each time its list was read, before a call goes to it.
    """

    def __init__(self, database: Database, *, clock: Clock, settings: TrustSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._present: dict[Key, Form] = {}
        self._pins: dict[Key, Pin] = {}
        self._trusted: frozenset[Key] = frozenset()
        self._fresh: set[Key] = set()
        """Pinned here as they were first seen, and not called since."""
        self._told: dict[tuple[str, Key], None] = {}
        self._meeting = asyncio.Lock()
        """Of two lists of one server's tools the one that was read last holds."""

    async def meet(self, server: str, specs: Sequence[ToolSpec]) -> None:
        """Returns when it is clear which of the tools that a server offers now may be shown and called.

        Raises:
            DatabaseUnavailable: it doesn't become clear.
        """
        if self._settings.pins != "off":
            async with self._meeting:
                await self._meet(server, specs)

    async def _meet(self, server: str, specs: Sequence[ToolSpec]) -> None:
        def read(connection: Connection) -> tuple[dict[Key, Form], dict[Key, Pin]]:
            # In the reader's thread: of a thousand tools the digests alone take a while.
            times = Counter(spec.name for spec in specs)
            # Of two tools with one name it is unknown which one a call reaches.
            sound = [spec for spec in specs if times[spec.name] == 1 and _can_be_kept(spec.name)]
            forms = {(server, spec.name): form_of(spec) for spec in sound}
            return forms, stored_pins(connection, [server])

        present, pins = await self._database.read(read)
        if any(self._is_news(pins.get(key), form) for key, form in present.items()):
            before = {key for key, pin in pins.items() if pin.accepted is not None}
            pins = await self._database.commit(partial(self._note, server, present))
            self._fresh |= {key for key in present if pins[key].accepted is not None} - before
        self._present = {key: form for key, form in self._present.items() if key[0] != server} | present
        self._judge({key: pin for key, pin in self._pins.items() if key[0] != server} | pins)

    def offered(self, specs: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """The tools as a model may be shown them: what has changed as it was pinned, what isn't pinned not.

        A description that nobody has accepted never reaches a model, and a run that began before a change is
        resumed with the words that it began with.
        """
        if self._settings.pins == "off" or all((spec.server, spec.name) in self._trusted for spec in specs):
            return specs
        shown = []
        for spec in specs:
            pin = self._pins.get((spec.server, spec.name))
            if (spec.server, spec.name) in self._trusted:
                shown.append(spec)
            elif pin is not None and pin.accepted is not None:
                shown.append(_as_pinned(spec, pin.accepted))
        return tuple(shown)

    def withholds(self, server: str, tool: str) -> bool:
        """Whether a tool is offered by its server, and not shown because nobody has pinned it."""
        return self._fault((server, tool)) == "unpinned"

    def refusal(self, call: ToolCall) -> ToolResult | None:
        """The refusal of a call that may not go to its server as this stands; else nothing."""
        key = (call.tool.server, call.tool.name)
        if key in self._trusted:
            if self._fresh and key in self._fresh:
                self._fresh.discard(key)
                data = {
                    "server": key[0],
                    "tool": key[1],
                    "digest": self._present[key].digest,
                    "by": FIRST_USE,
                }
                call.scope.event("tool.pinned", data)
            return None
        if self._settings.pins == "off" or key[0] == PYTHON or call.act is not None:
            return None
        return self._refuse(call, key)

    async def middleware(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """The answer of a tool that is as it was pinned; else a refusal."""
        refused = self.refusal(call)
        return await proceed(call) if refused is None else refused

    async def look(self) -> bool:
        """Whether people have accepted something of what was met, which holds from here on."""
        if not self._present:
            return False
        held = await self._database.read(pinned_digests)
        if all(held.get(key) == _accepted_digest(self._pins.get(key)) for key in self._present):
            return False
        servers = {server for server, _ in self._present}
        self._judge(await self._database.read(partial(stored_pins, servers=servers)))
        return True

    def _note(self, server: str, present: Mapping[Key, Form], connection: Connection) -> dict[Key, Pin]:
        now = self._clock.now()
        if self._settings.pins == "first_use":
            known = pinned_digests(connection)
            new = {key: form for key, form in present.items() if key not in known}
            pin_first(connection, new, by=FIRST_USE, at=now)
        pins = stored_pins(connection, [server])
        news = {key: form for key, form in present.items() if self._is_news(pins.get(key), form)}
        back = {key for key, form in news.items() if _accepted_digest(pins.get(key)) == form.digest}
        forget_seen(connection, back)
        note_seen(connection, {key: form for key, form in news.items() if key not in back}, at=now)
        return stored_pins(connection, [server])

    def _is_news(self, pin: Pin | None, form: Form) -> bool:
        """Whether the table doesn't hold yet what is to be held of a tool that is like this now."""
        if pin is None or (pin.accepted is None and self._settings.pins == "first_use"):
            return True
        held = pin.accepted if pin.seen is None else pin.seen
        return held is None or held.digest != form.digest

    def _judge(self, pins: dict[Key, Pin]) -> None:
        self._pins = pins
        self._trusted = frozenset(
            key for key, form in self._present.items() if _accepted_digest(pins.get(key)) == form.digest
        )

    def _fault(self, key: Key) -> Fault | None:
        if key in self._trusted:
            return None
        if key not in self._present:
            return "gone"
        return "unpinned" if _accepted_digest(self._pins.get(key)) is None else "changed"

    def _refuse(self, call: ToolCall, key: Key) -> ToolResult:
        fault = self._fault(key) or "gone"
        told = (call.scope.run_id, key)
        if told not in self._told:
            self._told[told] = None
            if len(self._told) > REMEMBERED:
                del self._told[next(iter(self._told))]
            present = self._present.get(key)
            data = {
                "server": key[0],
                "tool": key[1],
                "how": fault,
                "pinned": _accepted_digest(self._pins.get(key)) or "",
                "now": present.digest if present else "",
            }
            call.scope.event("tool.changed", data)
        text = f"The tool {key[1]!r} of {key[0]!r} {_TEXTS[fault]}. Go on without it, or say what is missing."
        return refuse(call, RULE, text)


def _can_be_kept(tool: str) -> bool:
    """Whether a name is one that the table takes. No model's provider takes others."""
    return len(tool) <= LONGEST_TOOL and clean(tool) == tool


def _as_pinned(spec: ToolSpec, form: Form) -> ToolSpec:
    """The tool in the words that were accepted, taken for dangerous where it says now that it isn't."""
    pinned = spec_of(spec.server, form)
    return pinned if pinned.effect == spec.effect else replace(pinned, effect="consequential")


def _accepted_digest(pin: Pin | None) -> str | None:
    return None if pin is None or pin.accepted is None else pin.accepted.digest
