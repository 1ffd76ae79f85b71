"""What a tool says of itself: what a pin holds, and how two versions of it differ."""

import difflib
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from proctor.core import Effect, JsonObject, JsonValue, ToolSpec, canonical_json
from proctor.tools._text import clean_json

CONTEXT = 2
"""Lines around a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A tool at one time: all that it and its server said of it."""

    said: JsonObject
    """Name, description, schema of the arguments; schema of the answers and hints where there are some."""
    effect: Effect
    """What it does by the configuration or its own word. It is no part of the digest: an operator may change
    his mind without the tool having changed."""
    digest: str
    """SHA-256 of what was said."""


def form_of(spec: ToolSpec) -> Form:
    """What a tool says of itself now."""
    said: dict[str, JsonValue] = {
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
    }
    if spec.returns is not None:
        said["returns"] = spec.returns
    if spec.hints:
        said["hints"] = spec.hints
    return _form(cast("JsonObject", clean_json(said)), spec.effect)


def form_to_text(form: Form) -> str:
    """The form as the table keeps it; names stay in their order, so that a model is shown the same words."""
    return json.dumps({**form.said, "effect": form.effect})


def form_from_text(text: str) -> Form:
    """The form that `form_to_text` kept."""
    said = json.loads(text)
    return _form(said, said.pop("effect"))


def spec_of(server: str, form: Form) -> ToolSpec:
    """The tool that a form describes."""
    said = form.said
    return ToolSpec(
        server=server,
        name=str(said["name"]),
        description=str(said["description"]),
        parameters=cast("JsonObject", said["parameters"]),
        returns=cast("JsonObject | None", said.get("returns")),
        hints=cast("JsonObject", said.get("hints", {})),
        effect=form.effect,
    )


def difference(before: Form | None, after: Form) -> list[str]:
    """Lines that say how a tool has changed, marked as in a unified diff; of a new one all that it says."""
    old = [] if before is None else list(_lines(before))
    found = difflib.unified_diff(old, list(_lines(after)), n=CONTEXT, lineterm="")
    return [line for line in found if not line.startswith(("---", "+++", "@@"))]


def visible(text: str) -> str:
    """The text with a name in the place of each character that nobody would see, or that a terminal obeys."""
    return "".join(
        f"<U+{ord(char):04X}>" if char not in "\n\t" and _is_hidden(char) else char for char in text
    )


def _is_hidden(char: str) -> bool:
    # Control, format, private and unassigned characters; line and paragraph separators; variation selectors.
    category = unicodedata.category(char)
    return (
        category[0] == "C" or category in ("Zl", "Zp") or "VARIATION SELECTOR" in unicodedata.name(char, "")
    )


def _form(said: JsonObject, effect: Effect) -> Form:
    text = canonical_json(said).encode("utf-8", "surrogatepass")
    return Form(said=said, effect=effect, digest=hashlib.sha256(text).hexdigest())


def _lines(form: Form) -> Iterator[str]:
    for name, value in form.said.items():
        if name == "name":
            continue
        text = (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        )
        yield f"{name}:"
        # Not `splitlines`: a tool could put a line break there that only Unicode knows.
        yield from (f"  {visible(line)}" for line in text.split("\n"))
