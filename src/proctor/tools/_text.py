"""Texts that may be stored, shown and sent on: cleaned of what databases refuse, and never too long."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from proctor.core import JsonObject, JsonValue, canonical_json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses in text and JSON, and surrogates without their half, which aren't UTF-8."""


def clean(text: str) -> str:
    """The text without NUL and without lone surrogates."""
    return _UNSTORABLE.sub("", text)


def clean_json(value: JsonValue) -> JsonValue:
    """The JSON value with each of its texts and names cleaned, and no number in it that JSON can't say."""
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {clean(str(name)): clean_json(item) for name, item in value.items()}
        case float() if not isfinite(value):
            return None
        case Sequence():
            return [clean_json(item) for item in value]
        case _:
            return value


def cut(text: str, limit: int) -> str:
    """The text where it has at most `limit` characters; else its beginning and a note, together that long."""
    if len(text) <= limit:
        return text
    note = f"\n[cut: the whole text has {len(text):,} characters]"
    return (text[: max(0, limit - len(note))] + note)[:limit]


def fitted(text: str, structured: JsonObject | None, limit: int) -> tuple[str, JsonObject | None]:
    """Both in at most `limit` characters: the text is cut, and says what was left out."""
    if structured is not None and (size := len(canonical_json(structured))) > limit:
        structured = None
        note = f"\n[left out: structured content of {size:,} characters]"
        text = cut(text, max(0, limit - len(note))) + note
    return cut(text, limit), structured


def printable(text: str) -> str:
    """The text on as many lines, without control characters that a terminal or a log would obey."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char)[0] != "C")


def close_names(name: str, names: Iterable[str]) -> list[str]:
    """Up to three of the names that look like this one, the closest first."""
    by_look: dict[str, str] = {}
    for candidate in names:
        by_look.setdefault(_look(candidate), candidate)
    return [by_look[look] for look in difflib.get_close_matches(_look(name), by_look, n=3, cutoff=0.6)]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A sentence that offers the close names, or one that lists what there is."""
    known = sorted(names)
    if close := close_names(name, known):
        return f"Did you mean {' or '.join(repr(other) for other in close)}?"
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")  # noqa: PLR2004 - a line's worth
    return f"There is: {listed}." if known else "There is none."


def _look(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
