"""What a tool gave back, made fit to be stored and shown; or set aside where nobody can tell what it is."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from proctor.core import (
    JsonObject,
    JsonValue,
    Span,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    canonical_json,
    in_own_thread,
)
from proctor.tools._hidden import without_hidden
from proctor.tools._returns import misfit
from proctor.tools._rules import Rule, ToolRules
from proctor.tools._text import clean, clean_json, cut, fitted

Find: TypeAlias = Callable[[str], Sequence[Span]]
"""Where a text holds what nobody should read, in order and without overlaps."""

LONG = 5_000
"""Characters from which on an answer is checked beside the event loop: about 5 ms of work."""

QUICK = 1_000
"""Steps of a check against a schema that hold up nobody: 5 ms, or 20 where it is made for that."""
PATIENT = 200_000
"""The same beside the event loop: enough for a table of 20,000 rows."""

_DECLARED: dict[str, tuple[str, ...]] = {
    "secret": ("secret", "password"),
    "payment": ("payment_card", "iban", "bank_account"),
    "personal": (
        *("national_id", "passport", "driver_licence", "phone", "email", "address"),
        *("ip_address", "date_of_birth", "person"),
    ),
}
"""By kinds of data that a tool may be declared to return: what is not looked for in its answers. Whoever has
no clearance for them doesn't see them."""

_ESCAPE = re.compile(r'(?<!\\)\\++(?:u[0-9a-fA-F]{4}|["bfnrt])?')
"""In JSON within a text. What follows one may be the begin of a secret."""

_SEARCHED = 1_000_000
"""Characters that are searched, at most."""

_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_SAMPLE = 10_000
_FEW = 8
_UNREADABLE_SHARE = 10
"""The part, as a divisor, of characters that no text holds, from which on an answer counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """An answer that may be shown."""

    result: ToolResult
    hidden: int = 0
    """Invisible characters that were taken out."""
    secrets: int = 0
    """Secrets that were taken out."""


def check_output(limit: int, *, rules: ToolRules | None = None, find: Find | None = None) -> ToolMiddleware:
    """A middleware after which answers hold what the tool promised, and nothing that people don't see.

    Texts hold no NUL, no lone surrogate, no invisible characters and no terminal commands, nothing that may
    not be read unless the tool is there for it, and have at most `limit` characters, or the tool's
    `max_output`.
    Structured content that is longer as JSON is left out, which the text then says.

    An answer that is no text, or doesn't fit the schema that the tool gives, is set aside: the model is told
    why, and reads none of it. Its digest is logged, its content is kept nowhere.
    """

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        result = await handler(call)
        if result.refused_by:
            return result
        most, finds = limit, find
        if rules is not None:
            rule = rules.of(call.tool.server, call.tool.name)
            most = min(limit, rule.max_output)
            if declared := _declared(rule):
                finds = _but(finds, declared)
        check = partial(_check, call, result, most, finds)
        checked = None if is_long(result, LONG) else check(QUICK)
        if checked is None:
            checked = await in_own_thread(partial(check, PATIENT), name="proctor-output")
        if checked is None:
            checked = "the schema of its answers asks for too much work"
        if isinstance(checked, str):
            return _quarantine(call, result, checked)
        if checked.hidden or checked.secrets:
            call.scope.event(
                "tool.cleaned", {**_about(call), "hidden": checked.hidden, "secrets": checked.secrets}
            )
        return checked.result

    return middleware


def _declared(rule: Rule) -> frozenset[str]:
    classes = {*rule.classes, *rule.fields.values()}
    return frozenset(kind for name in classes for kind in _DECLARED.get(name, ()))


def _but(find: Find | None, declared: frozenset[str]) -> Find | None:
    return None if find is None else lambda text: [span for span in find(text) if span.type not in declared]


def _check(
    call: ToolCall, result: ToolResult, limit: int, finds: Find | None, work: int
) -> _Checked | str | None:
    """The answer as it may be shown, or why it may not; nothing where that takes more work."""
    sample = result.text[:_SAMPLE]
    if len(_UNREADABLE.findall(sample)) > max(_FEW, len(sample) // _UNREADABLE_SHARE):
        return "it is no text"
    why = misfit(None if result.is_error else call.tool.returns, result.structured, work)
    if why != "":
        return why
    cleaning = _Cleaning(finds)
    # Before the text is cut to its limit: half of a secret isn't known for what it is.
    text = cleaning.text(cut(clean(result.text), max(limit, _SEARCHED)))
    structured = _clean_object(result.structured)
    if structured is not None and len(canonical_json(structured)) <= limit:
        structured = cleaning.object(structured)
    text, structured = fitted(text, structured, limit)
    shown = replace(result, text=text, structured=structured)
    return _Checked(result=shown, hidden=cleaning.hidden, secrets=cleaning.secrets)


class _Cleaning:
    """One answer on its way; counts what is taken out of it."""

    def __init__(self, finds: Find | None) -> None:
        self._finds = finds
        self.hidden = 0
        self.secrets = 0

    def text(self, text: str) -> str:
        """The text without what is hidden or secret."""
        text = self._seen(text)
        if self._finds is None:
            return text
        pieces: list[str] = []
        place = 0
        for span in self._finds(_unescaped(text)):
            pieces += [text[place : span.start], f"[{span.type.replace('_', ' ')}]"]
            place = span.end
            self.secrets += 1
        return "".join([*pieces, text[place:]])

    def object(self, value: JsonObject) -> JsonObject:
        """The structured content without what is hidden or secret.

        It is searched as one text in which names stand before their values, since a name may tell a secret.
        """
        seen = {self._seen(name): _mapped(item, self._seen, self._seen) for name, item in value.items()}
        if self._finds is None:
            return seen
        leaves, names = tuple(_leaves(seen)), tuple(dict.fromkeys(_names(seen)))
        shown = iter(self._without_secrets(leaves, self._finds))
        masked = dict(
            zip(names, self._without_secrets([("", name) for name in names], self._finds), strict=True)
        )
        return {
            masked[name]: _mapped(item, masked.__getitem__, lambda _: next(shown))
            for name, item in seen.items()
        }

    def _without_secrets(self, leaves: Sequence[tuple[str, str]], finds: Find) -> Iterable[str]:
        """The leaves as they may be shown, each under its name."""
        spans = finds(_unescaped("".join(f"{name}: {leaf}\n" for name, leaf in leaves)))
        return self._masked(leaves, spans) if spans else (leaf for _, leaf in leaves)

    def _masked(self, leaves: Iterable[tuple[str, str]], spans: Sequence[Span]) -> Iterator[str]:
        """The leaves as they may be shown; the spans are places in the text of all leaves and their names."""
        start = place = 0
        for name, leaf in leaves:
            start += len(name) + 2
            pieces: list[str] = []
            shown = 0
            while place < len(spans) and spans[place].start < start + len(leaf):
                span = spans[place]
                if span.end > start:
                    pieces += [leaf[shown : max(0, span.start - start)], f"[{span.type.replace('_', ' ')}]"]
                    shown = span.end - start
                    self.secrets += 1
                if span.end > start + len(leaf):
                    break  # it goes on in the next one
                place += 1
            yield "".join([*pieces, leaf[shown:]])
            start += len(leaf) + 1

    def _seen(self, text: str) -> str:
        shown, count = without_hidden(text)
        self.hidden += count
        return shown


def _unescaped(text: str) -> str:
    """The text, as long as it was, with quotes or blanks in the place of JSON's escapes."""
    return _ESCAPE.sub(lambda match: ('"' if match[0][-1] == '"' else " ") * len(match[0]), text)


def _clean_object(value: JsonObject | None) -> JsonObject | None:
    return None if value is None else {clean(str(name)): clean_json(item) for name, item in value.items()}


def _mapped(value: JsonValue, name: Callable[[str], str], leaf: Callable[[str], str]) -> JsonValue:
    """The value with each name and each text in it changed, in order."""
    match value:
        case str():
            return leaf(value)
        case Mapping():
            return {name(key): _mapped(item, name, leaf) for key, item in value.items()}
        case list() | tuple():
            return [_mapped(item, name, leaf) for item in value]
        case _:
            return value


def _leaves(value: JsonValue, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text in the value with the name above it, in the order of `_mapped`."""
    match value:
        case str():
            yield name, value
        case Mapping():
            for key, item in value.items():
                yield from _leaves(item, key)
        case list() | tuple():
            for item in value:
                yield from _leaves(item, name)
        case _:
            pass


def _names(value: JsonValue) -> Iterator[str]:
    """Each name in the value."""
    match value:
        case Mapping():
            for name, item in value.items():
                yield name
                yield from _names(item)
        case list() | tuple():
            for item in value:
                yield from _names(item)
        case _:
            pass


def is_long(result: ToolResult, limit: int) -> bool:
    """Whether text and structured content together have so many characters."""
    size = len(result.text)
    left: list[JsonValue] = [result.structured]
    while left and size < limit:
        value = left.pop()
        size += len(value) if isinstance(value, str) else 1
        if isinstance(value, Mapping):
            size += sum(map(len, value))
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
    return size >= limit


def _quarantine(call: ToolCall, result: ToolResult, why: str) -> ToolResult:
    """What the model reads in the place of an answer that nobody may rely on."""
    content = result.text.encode("utf-8", "surrogatepass")
    data: JsonObject = {"characters": len(result.text), "sha256": hashlib.sha256(content).hexdigest()}
    call.scope.event("tool.quarantined", {**_about(call), "reason": why, **data})
    text = (
        f"The tool {call.tool.name!r} has answered, but its answer was set aside: {why}. "
        "What it was asked to do may have been done."
    )
    return replace(result, text=text, is_error=True, structured=None)


def _about(call: ToolCall) -> dict[str, JsonValue]:
    return {"server": call.tool.server, "tool": call.tool.name}
