"""JSON values as the rest of Proctor speaks them, in one canonical text form."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

JsonValue: TypeAlias = "None | bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue]"
JsonObject: TypeAlias = Mapping[str, JsonValue]

_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def canonical_json(value: JsonValue) -> str:
    """The one text of a JSON value: keys sorted, no spaces, no NaN; equal values give equal texts."""
    return _canonical(value)


def digest(value: JsonValue) -> str:
    """A 128-bit hexadecimal digest of the canonical text of a value."""
    return digest_of(_canonical(value))


def digest_of(text: str) -> str:
    """A 128-bit hexadecimal digest of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def read_object(text: str) -> dict[str, JsonValue]:
    """The JSON object that a text holds.

    Raises:
        ValueError: the text is not JSON, or is JSON but no object.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return cast("dict[str, JsonValue]", value)
