"""Words by which names of secrets, and talk about passwords, are known."""

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from proctor.core import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretWords:
    """The lists of the file that ships with Proctor, which says what each is for."""

    passwords: frozenset[str]
    password_endings: tuple[str, ...]
    no_passwords: frozenset[str]
    secrets: frozenset[str]
    secret_endings: tuple[str, ...]
    before_key: frozenset[str]
    no_keys: frozenset[str]
    key_endings_of_none: tuple[str, ...]
    harmless_last: frozenset[str]
    harmless: frozenset[str]
    usual: frozenset[str]
    said_to_people: frozenset[str]


@cache
def secret_words() -> SecretWords:
    """The words that ship with Proctor.

    Raises:
        ConfigurationError: a list is missing, unknown or empty.
    """
    lists = tomllib.loads((files("proctor.policies") / "data" / "secret_words.toml").read_text("utf-8"))
    wanted = {field.name for field in fields(SecretWords)}
    if wrong := sorted(lists.keys() ^ wanted) or [name for name, words in lists.items() if not words.split()]:
        raise ConfigurationError(f"The words about secrets lack {wrong[0]!r}, or don't know it.")
    read: dict[str, Any] = {
        name: tuple(words.split()) if "_endings" in name else frozenset(words.split())
        for name, words in lists.items()
    }
    return SecretWords(**read)


_COMMON_ENDINGS = ("ing", "ed", "able", "ible", "ly", "ive", "tion", "ment", "n't")
_MOST_PARTS = 2
"""`case-sensitive` is a word; what has more hyphens is a passphrase."""


def is_usual(value: str) -> bool:
    """Whether a value is a word of a sentence about passwords: `required`, `case-sensitive`."""
    words = value.lower().strip("*_.!?,:;\"'").split("-")
    usual = secret_words().usual
    return len(words) <= _MOST_PARTS and any(
        word in usual or (word.isalpha() and word.endswith(_COMMON_ENDINGS)) for word in words
    )


def speaks(value: str) -> bool:
    """Whether a text of several words is said to people, such as a label, and no passphrase."""
    words = value.lower().replace("\u2019", "'").strip(" .!?:").split()
    return len(words) > 1 and (
        not secret_words().said_to_people.isdisjoint(words) or value.rstrip()[-1] in ".?!:\u2026"
    )
