"""Values behind tokens: a text goes on without them, and who may use them gets them back."""

import hmac
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, insert, select

from proctor.core import Clock, JsonValue, MissingSetting, canonical_json
from proctor.privacy._keys import Keys, decrypt, encrypt
from proctor.privacy._tables import vault
from proctor.store import Database

Value: TypeAlias = tuple[str, str]
"""What a value is, and the value."""

TOKEN = re.compile(r"\[[a-z][a-z_]{0,39}:[0-9a-f]{6,32}\]")
SIZES = (6, 10, 16, 32)
"""Hexadecimal digits of a token: as few as tell it from the others of its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a text something stands that is to be hidden."""

    kind: str
    """What it is, as the token tells: `email`."""
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Within what a token stands for its value: elsewhere it is only a word."""

    id: str
    """The conversation's id, or that of a run which belongs to none."""
    mark: str = ""
    """What stands for the subject, with whom the value is erased; empty: it goes with the run."""

    @property
    def key_name(self) -> str:
        """The key that encrypts its values."""
        return self.mark or self.id


class Vault:
    """The values behind tokens of one database.

    Each subject's values are encrypted with a key of their own, which the key outside the database seals. The
    same value has the same token within a conversation, also when a run is resumed.
    """

    def __init__(self, database: Database, keys: Keys, *, clock: Clock) -> None:
        if not keys.seals:
            raise MissingSetting(
                "values shall be put behind tokens, and there is no key for them",
                hint="Set [privacy.vault] key_env or key_file.",
            )
        self._database = database
        self._keys = keys
        self._clock = clock

    async def hide(self, text: str, places: Sequence[Place], *, scope: Scope) -> str:
        """The text with a token in each place; of places that overlap, in the first and longest one."""
        chosen = tuple(_apart(places))
        if not chosen:
            return text
        values = list(dict.fromkeys((place.kind, text[place.start : place.end]) for place in chosen))
        tokens = await self._database.read(lambda connection: self._known(connection, scope, values))
        if len(tokens) < len(values):
            tokens = await self._database.commit(lambda connection: self._put(connection, scope, values))
        parts, done = [], 0
        for place in chosen:
            parts += [text[done : place.start], tokens[place.kind, text[place.start : place.end]]]
            done = place.end
        return "".join((*parts, text[done:]))

    async def restore(self, value: JsonValue, *, scope: Scope) -> JsonValue:
        """A value with what stands behind its tokens; tokens that aren't of the scope stay as they are."""
        tokens = set(TOKEN.findall(json.dumps(value, ensure_ascii=False)))
        if not tokens:
            return value
        found = await self._database.read(lambda connection: self._get(connection, scope.id, tokens))
        return _replaced(value, found)

    def of_subject(self, connection: Connection, mark: str) -> Iterator[tuple[str, str]]:
        """The tokens and values of a subject."""
        key = self._keys.find(connection, mark)
        if key is not None:
            query = select(vault).where(vault.c.mark == mark).order_by(vault.c.at, vault.c.token)
            for row in connection.execute(query):
                yield (
                    row.token,
                    decrypt(key, row.value, _place(row.scope, row.token)).decode("utf-8", "surrogatepass"),
                )

    def _known(self, connection: Connection, scope: Scope, values: Sequence[Value]) -> dict[Value, str]:
        key = self._keys.find(connection, scope.key_name)
        if key is None:
            return {}
        found = {value: self._token(connection, scope, key, value) for value in values}
        return {value: token for value, (token, is_kept) in found.items() if is_kept}

    def _put(self, connection: Connection, scope: Scope, values: Sequence[Value]) -> dict[Value, str]:
        key = self._keys.ensure(connection, scope.key_name)
        tokens = {}
        for value in values:
            token, is_kept = self._token(connection, scope, key, value)
            tokens[value] = token
            if not is_kept:
                plain = value[1].encode("utf-8", "surrogatepass")
                row = {
                    "scope": scope.id,
                    "token": token,
                    "mark": scope.mark,
                    "value": encrypt(key, plain, _place(scope.id, token)),
                    "at": self._clock.now(),
                }
                connection.execute(insert(vault).values(row))
        return tokens

    def _token(self, connection: Connection, scope: Scope, key: bytes, value: Value) -> tuple[str, bool]:
        """A value's token, and whether it is kept already."""
        told = canonical_json([scope.id, *value]).encode("utf-8", "surrogatepass")
        digits = hmac.digest(key, told, "sha256").hex()
        for size in SIZES:
            token = f"[{value[0]}:{digits[:size]}]"
            known = self._get(connection, scope.id, {token}).get(token)
            if known in (None, value[1]):
                return token, known is not None
        raise AssertionError("two values have the same digest")

    def _get(self, connection: Connection, scope: str, tokens: set[str]) -> dict[str, str]:
        query = select(vault).where(vault.c.scope == scope, vault.c.token.in_(tokens))
        found = {}
        for row in connection.execute(query).all():
            key = self._keys.find(connection, row.mark or scope)
            if key is not None:
                plain = decrypt(key, row.value, _place(scope, row.token))
                found[row.token] = plain.decode("utf-8", "surrogatepass")
        return found


def _place(scope: str, token: str) -> str:
    return f"{scope}\n{token}"


def _apart(places: Sequence[Place]) -> Iterator[Place]:
    end = 0
    for place in sorted(places, key=lambda each: (each.start, -each.end)):
        if place.start >= end and place.end > place.start:
            yield place
            end = place.end


def _replaced(value: JsonValue, found: dict[str, str]) -> JsonValue:
    match value:
        case str():
            return TOKEN.sub(lambda token: found.get(token[0], token[0]), value)
        case list() | tuple():
            return [_replaced(each, found) for each in value]
        case dict():
            return {name: _replaced(each, found) for name, each in value.items()}
        case _:
            return value
