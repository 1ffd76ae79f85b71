"""Where the arguments of a call may lead: paths stay within named folders, addresses at named hosts.

It looks at what a call says. Where a server goes from there, by a redirect or by links on its own disk that
are made later, is for its own settings and its sandbox.
"""

import os
from asyncio import to_thread
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proctor.core import JsonValue, ToolCall, ToolHandler, ToolMiddleware, ToolResult
from proctor.tools._addresses import Hosts, may_be_address
from proctor.tools._paths import may_be_path, path_forms
from proctor.tools._refusals import refuse
from proctor.tools._rules import ToolRules
from proctor.tools._text import cut

ROOTS_RULE = "roots"
HOSTS_RULE = "hosts"

_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A text in a call's arguments."""

    name: str
    """Of the argument, or of the entry of it, that holds the text; empty for a name itself."""
    value: str


def guard_places(rules: ToolRules) -> ToolMiddleware:
    """A middleware that refuses calls whose arguments lead out of the tool's `roots`, or to other `hosts`.

    Where a tool has neither, nothing is looked at.
    """
    hosts: dict[tuple[str, ...], Hosts] = {}

    async def middleware(call: ToolCall, handler: ToolHandler) -> ToolResult:
        rule = rules.of(call.tool.server, call.tool.name)
        if rule.hosts is None and rule.roots is None:
            return await handler(call)
        given = tuple(_texts("", call.arguments))
        if rule.hosts is not None:
            if rule.hosts not in hosts:
                hosts[rule.hosts] = Hosts(rule.hosts)
            for each in given:
                if may_be_address(each.name, each.value) and (why := hosts[rule.hosts].why_not(each.value)):
                    allowed = f"The hosts are: {', '.join(rule.hosts) or 'none'}."
                    return refuse(call, HOSTS_RULE, _text(call, each, why, allowed))
        if rule.roots is not None:
            paths = [each for each in given if may_be_path(each.name, each.value)]
            base = rules.cwd_of(call.tool.server)
            found = await to_thread(_outside, paths, rule.roots, base) if paths else None
            if found is not None:
                allowed = f"The folders are: {', '.join(map(str, rule.roots)) or 'none'}."
                return refuse(call, ROOTS_RULE, _text(call, *found, allowed))
        return await handler(call)

    return middleware


def _text(call: ToolCall, given: Given, why: str, allowed: str) -> str:
    place = f"the argument {given.name!r}" if given.name else "an argument's name"
    return f"{call.tool.name!r} was not called: {place}, {cut(given.value, _SHOWN)!r}, {why}. {allowed}"


def _texts(name: str, value: JsonValue) -> Iterator[Given]:
    """All texts in the arguments, each under the nearest name above it; names too, as they may be paths."""
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            yield Given(name=name, value=value)
            option, _, behind = value.partition("=")
            if behind and option.startswith("-"):
                yield Given(name=option, value=behind)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield Given(name="", value=key)
                waiting.append((key, item))
        elif isinstance(value, list | tuple):
            waiting += ((name, item) for item in value)


def _outside(paths: list[Given], roots: tuple[Path, ...], base: Path | None) -> tuple[Given, str] | None:
    """The first of the paths that leads out of the roots, and why it is taken to do so."""
    real = tuple(os.path.realpath(root.expanduser()) for root in roots)
    for given in paths:
        forms = path_forms(given.value)
        if isinstance(forms, str):
            return given, forms
        for form in forms:
            whole = os.path.expanduser(form)  # noqa: PTH111 - a Path raises where there is no such user
            if whole.startswith("~"):
                return given, "is in a home folder that isn't known"
            if base is None and not os.path.isabs(whole):  # noqa: PTH117 - as above
                return given, "is no whole path, as it has to be here"
            if not _is_within(os.path.realpath(os.path.join(base or "/", whole)), real):  # noqa: PTH118 - as above
                return given, "lies elsewhere"
    return None


def _is_within(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)
