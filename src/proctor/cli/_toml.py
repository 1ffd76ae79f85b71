"""Settings as plain values without secrets, and as TOML."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

MASK = "***"
NOTE_COLUMN = 40
"""Where comments begin, unless a value is longer."""

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def plain(value: Any) -> Any:  # noqa: PLR0911 - one for each type
    """Settings as JSON and TOML know values. Secrets are masked; durations are seconds."""
    match value:
        case BaseModel():
            return {key: plain(inner) for key, inner in value}
        case dict():
            return {key: _unless_secret(key, inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case SecretStr():
            return MASK
        case timedelta():
            return _number(value.total_seconds())
        case Decimal():
            return _number(float(value))
        case Path():
            return str(value)
        case str():
            return _SECRET_IN_URL.sub(rf"\1{MASK}@", value)
        case _:
            return value


def toml(values: Mapping[str, Any], note: Callable[[str], str]) -> str:
    """Plain settings as `proctor.toml` would say them; what isn't set is left out.

    `note` gives the comment behind a dotted key, or nothing.
    """
    return "\n".join(_section(values, "", note)).strip()


def _section(values: Mapping[str, Any], place: str, note: Callable[[str], str]) -> Iterator[str]:
    within = {key: f"{place}.{key}" if place else key for key in values}
    lines = [
        f"{f'{_key(key)} = {_value(value)}':{NOTE_COLUMN}}{note(within[key])}".rstrip()
        for key, value in values.items()
        if value is not None and not isinstance(value, dict)
    ]
    if lines:
        yield from ("", f"[{place}]") if place else ()
        yield from lines
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _section(value, within[key], note)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    # TOML writes numbers, truth values, basic strings and arrays of them as JSON does.
    return json.dumps(value, ensure_ascii=False)


def _unless_secret(key: str, value: Any) -> Any:
    """A value of a table with free keys, such as a tool server's environment."""
    return MASK if isinstance(value, str) and _SECRET_NAME.search(key) else plain(value)


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value
