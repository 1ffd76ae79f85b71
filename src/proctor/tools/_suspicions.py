"""What speaks against tools before anyone calls them: by what they say, and how they stand to each other.

This is shown to whoever reviews tools. It stops nothing: what a tool may do is decided by rules.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

from proctor.core import JsonValue, ToolSpec
from proctor.tools._commands import runs_commands
from proctor.tools._hidden import hidden_in, instructions_in
from proctor.tools._rules import ToolRules

SuspicionKind: TypeAlias = Literal["hidden", "orders", "commands", "same name", "look-alike", "other's tool"]

_LOOKS = str.maketrans(
    "\u0430\u0441\u0501\u0435\u0261\u04bb\u0456\u0458\u04cf\u043c\u0578\u043e\u0440\u051b\u0455\u0442\u051d\u0445\u0443\u044c"
    "\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b3\u013101|",
    "acdeghijlmnopqstwxybaikvoptuxyioll",
)
"""Cyrillic and Greek letters that look like Latin ones, and digits that look like letters."""

_TYPED = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)+|[a-z0-9]+(?:[A-Z][a-z0-9]+)+")
"""A name that stands in a sentence as nothing else: `send_mail`, `sendMail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """One thing that speaks against a tool."""

    server: str
    tool: str
    kind: SuspicionKind
    text: str
    """What was found, and where; for a terminal still to be made visible."""


def suspicions(specs: Sequence[ToolSpec], rules: ToolRules) -> tuple[Suspicion, ...]:
    """All that speaks against some tools, those of all servers together, in their order."""
    found: list[Suspicion] = []
    for spec in specs:
        found += (
            Suspicion(server=spec.server, tool=spec.name, kind=kind, text=text)
            for kind, text in _in_itself(spec, rules)
        )
    found += _between(specs)
    found += _about_others(specs)
    return tuple(found)


def _in_itself(spec: ToolSpec, rules: ToolRules) -> Iterator[tuple[SuspicionKind, str]]:
    for place, text in texts_of(spec):
        for hidden in hidden_in(text):
            says = f": {hidden.text}" if hidden.text else ""
            yield "hidden", f"its {place} holds {hidden.kind} ({hidden.count}){says}"
        for order in instructions_in(text):
            yield "orders", f"its {place} gives orders to the model: {order}"
    reason = runs_commands(spec)
    if reason and rules.of(spec.server, spec.name).commands == "refuse":
        yield "commands", f"{reason}; it is refused"


def _between(specs: Sequence[ToolSpec]) -> Iterator[Suspicion]:
    alike: defaultdict[str, list[ToolSpec]] = defaultdict(list)
    for spec in specs:
        alike[_look(spec.name)].append(spec)
    for group in alike.values():
        for one, other in combinations(group, 2):
            same = one.name == other.name
            if one.server == other.server and not same:
                continue
            text = f"{one.server} has {'one of this name' if same else one.name}, too"
            kind: SuspicionKind = "same name" if same else "look-alike"
            yield Suspicion(server=other.server, tool=other.name, kind=kind, text=text)


def _about_others(specs: Sequence[ToolSpec]) -> Iterator[Suspicion]:
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for spec in specs:
        owners[spec.name].add(spec.server)
    for spec in specs:
        words = {word for _, text in texts_of(spec) for word in _TYPED.findall(text)}
        for word in sorted(words & owners.keys()):
            if spec.server not in owners[word]:
                text = f"it speaks of {word}, a tool of {', '.join(sorted(owners[word]))}"
                yield Suspicion(server=spec.server, tool=spec.name, kind="other's tool", text=text)


def texts_of(spec: ToolSpec) -> Iterator[tuple[str, str]]:
    """All texts of a tool that a model may read, each with its place."""
    yield "name", spec.name
    yield "description", spec.description
    for name, value in (("parameters", spec.parameters), ("returns", spec.returns), ("hints", spec.hints)):
        yield from _texts(name, value)


def _texts(place: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case Mapping():
            for key, inner in value.items():
                yield place, key
                yield from _texts(f"{place}.{key}", inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(place, inner)
        case _:
            pass


def _look(name: str) -> str:
    """The name as somebody reads it who doesn't look closely."""
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_LOOKS)
    return re.sub(r"[\W_]", "", plain).replace("rn", "m").replace("vv", "w")
