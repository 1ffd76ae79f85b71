"""The rules about tokens of known form, read once from the file that ships with Proctor."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from proctor.core import ConfigurationError
from proctor.policies.secrets._proofs import PROOFS

_EDGED = r"(?<![A-Za-z0-9])(?:{})(?![A-Za-z0-9])"
_LEAST_BITS = 1.5
_MOST_BITS = 6.0
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)  # no slots: the compiled pattern is kept beside the fields
class SecretRule:
    """One form of token. The fields are the keys of the file."""

    id: str
    pattern: str
    provider: str = ""
    """Who gives such tokens; nobody in particular where it is empty."""
    keywords: tuple[str, ...] = ()
    """One of them stands in each text that the pattern can match; without any, a long word does."""
    spaced: bool = False
    """Whether the keyword and what is secret may stand apart."""
    near: tuple[str, ...] = ()
    """One of these words, in small letters, must stand near it."""
    edges: bool = True
    """Whether the token stands apart from letters and digits."""
    entropy: float = _LEAST_BITS
    """Least bits per character; below, a token of the right form is a sample."""
    proof: str = ""
    """How such a token proves itself: a key of `PROOFS`."""
    proof_needed: bool = False
    """Whether what can't prove itself is none."""

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, compiled when a text first holds a keyword."""
        return re.compile(_EDGED.format(self.pattern) if self.edges else self.pattern, re.ASCII)


@cache
def secret_rules() -> tuple[SecretRule, ...]:
    """The rules that ship with Proctor."""
    return read_rules((files("proctor.policies") / "data" / "secrets.toml").read_text("utf-8"))


def read_rules(text: str) -> tuple[SecretRule, ...]:
    """Rules from TOML, one table each.

    Raises:
        ConfigurationError: it is no TOML, or a rule has an unknown key or a value that makes no sense.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The rules about secrets are no TOML: {error}.") from None
    return tuple(_rule(name, table) for name, table in tables.items())


def _rule(name: str, table: object) -> SecretRule:
    if not isinstance(table, dict) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} in the rules about secrets is no rule: write [{name.lower()}].")
    if unknown := sorted(table.keys() - _KEYS.keys()):
        raise ConfigurationError(f"The rule {name!r} has an unknown key: {unknown[0]!r}.")
    if wrong := next((key for key, value in table.items() if not _fits(value, _KEYS[key])), None):
        raise ConfigurationError(f"{wrong!r} of the rule {name!r} has a value of the wrong kind.")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    if complaint := _complaint(values):
        raise ConfigurationError(f"The rule {name!r} {complaint}.")
    return SecretRule(id=name, **values)


_KEYS: Mapping[str, type] = {
    "pattern": str,
    "provider": str,
    "keywords": list,
    "spaced": bool,
    "near": list,
    "edges": bool,
    "entropy": float,
    "proof": str,
    "proof_needed": bool,
}


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, list):
        return kind is list and bool(value) and all(isinstance(each, str) and each for each in value)
    return isinstance(value, kind)


def _complaint(values: Mapping[str, Any]) -> str | None:
    if not values.get("pattern"):
        return "has no pattern"
    if not 0 <= values.get("entropy", _LEAST_BITS) <= _MOST_BITS:
        return f"asks for an entropy that isn't from 0 to {_MOST_BITS:.0f}"
    if (proof := values.get("proof", "")) and proof not in PROOFS:
        return f"names a proof that there isn't: {proof!r}"
    if values.get("proof_needed") and not proof:
        return "needs a proof and names none"
    if any(word != word.lower() for word in values.get("near", ())):
        return "has capitals in `near`"
    return None
