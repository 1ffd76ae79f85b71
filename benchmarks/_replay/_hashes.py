"""The hash of a shop's database, as each family of recordings takes it.

A document's part of the hashed text is kept: of thousands of documents a task changes a few.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from benchmarks._replay._data import Form
from proctor.deployments.support.shop import Database

_KEPT = 16_384


def database_hash(database: Database, form: Form) -> str:
    """The SHA-256 of the database in the recordings' own notation."""
    tables: Mapping[str, Any] = database
    texts = {name: _join(_documents(table, form), form) for name, table in tables.items()}
    return sha256(_join(_pairs(texts, form), form).encode()).hexdigest()


def _documents(table: Mapping[str, Any], form: Form) -> Iterator[str]:
    text = _tuple_text if form == "tau1" else _sorted_text
    # The key of what is kept is JSON text and not the value: 10 equals 10.0, and they differ in the hash.
    return _pairs({key: text(json.dumps(document)) for key, document in table.items()}, form)


def _pairs(texts: Mapping[str, str], form: Form) -> Iterator[str]:
    for key in sorted(texts):
        yield f"({key!r}, {texts[key]})" if form == "tau1" else f"{json.dumps(key)}: {texts[key]}"


def _join(parts: Iterator[str], form: Form) -> str:
    items = list(parts)
    if form == "tau2":
        return "{" + ", ".join(items) + "}"
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


@lru_cache(_KEPT)
def _tuple_text(document: str) -> str:
    return str(_tuples(json.loads(document)))


@lru_cache(_KEPT)
def _sorted_text(document: str) -> str:
    return json.dumps(json.loads(document), sort_keys=True)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _tuples(item)) for key, item in sorted(value.items()))
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
