"""Keys: one outside the database that seals those inside it, and marks that stand for names."""

import hmac
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, delete, select, update

from proctor.core import ConfigurationError, MissingSetting, VaultSettings, canonical_json
from proctor.privacy._tables import privacy_keys
from proctor.privacy._values import ERASED
from proctor.store import insert_into

SHORTEST_KEY = 32
"""Characters."""
KEY_BYTES, NONCE_BYTES = 32, 12
MARK = 32
"""Hexadecimal digits of a mark: 128 bits."""
MARKS = "marks"
"""The name of the key that makes marks."""

_HINT = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def load_key(settings: VaultSettings, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """The key that isn't in the database, where one is configured.

    Raises:
        MissingSetting: it isn't where the configuration says, or is too short to be safe.
    """
    if settings.key_env is not None:
        place, text = settings.key_env, environ.get(settings.key_env, "")
    elif settings.key_file is not None:
        place, text = str(settings.key_file), _read(settings.key_file)
    else:
        return None
    if len(text.strip()) < SHORTEST_KEY:
        raise MissingSetting(
            f"{place}, the key of the vault, is absent or shorter than {SHORTEST_KEY} characters", hint=_HINT
        )
    derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"proctor vault")
    return derive.derive(text.strip().encode())


def _read(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise MissingSetting(f"{file}, the key of the vault, can't be read: {error.strerror}") from error


def encrypt(key: bytes, plain: bytes, place: str) -> bytes:
    """A value that only who has the key can read, and only from its own place."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, place.encode())


def decrypt(key: bytes, sealed: bytes, place: str) -> bytes:
    """The value.

    Raises:
        ConfigurationError: the key is another one, or the value was changed or moved.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise ConfigurationError(
            "what the vault holds can't be read with this key",
            hint="Is it the key that it was written with? See [privacy.vault].",
        ) from None


class Keys:
    """The keys in the database: made when they are needed first, sealed where there is a key to seal them."""

    def __init__(self, outer: bytes | None) -> None:
        self._outer = outer

    @property
    def seals(self) -> bool:
        """Whether there is a key that isn't in the database."""
        return self._outer is not None

    def ensure(self, connection: Connection, name: str) -> bytes:
        """A key of the database, which is made where there is none.

        Raises:
            ConfigurationError: it is sealed, and there is no key, or another one.
        """
        fresh = {"name": name, **self._kept(name, os.urandom(KEY_BYTES))}
        connection.execute(insert_into(connection, privacy_keys).values(fresh).on_conflict_do_nothing())
        key = self.find(connection, name)
        assert key is not None
        return key

    def find(self, connection: Connection, name: str) -> bytes | None:
        """A key of the database; nothing where there is none, or none any more.

        Raises:
            ConfigurationError: it is sealed, and there is no key, or another one.
        """
        row = connection.execute(select(privacy_keys).where(privacy_keys.c.name == name)).first()
        if row is None:
            return None
        if not row.sealed:
            return bytes(row.key)
        if self._outer is None:
            raise MissingSetting(
                "a key in the database is sealed by one that isn't configured any more",
                hint="Set [privacy.vault] key_env or key_file as before.",
            )
        return decrypt(self._outer, row.key, name)

    def seal(self, connection: Connection) -> None:
        """Seals keys that were made before there was a key to seal them."""
        for row in connection.execute(select(privacy_keys).where(privacy_keys.c.sealed.is_(False))).all():
            mine = privacy_keys.c.name == row.name
            connection.execute(update(privacy_keys).where(mine).values(self._kept(row.name, bytes(row.key))))

    def _kept(self, name: str, key: bytes) -> dict[str, object]:
        if self._outer is None:
            return {"key": key, "sealed": False}
        return {"key": encrypt(self._outer, key, name), "sealed": True}


def reseal(connection: Connection, old: bytes, new: bytes) -> int:
    """How many keys are sealed by a new key now. The values that they encrypt stay as they are."""
    rows = connection.execute(select(privacy_keys).where(privacy_keys.c.sealed)).all()
    for row in rows:
        key = encrypt(new, decrypt(old, row.key, row.name), row.name)
        connection.execute(update(privacy_keys).where(privacy_keys.c.name == row.name).values(key=key))
    return len(rows)


def shred(connection: Connection, names: Sequence[str]) -> None:
    """Deletes keys: what they encrypt can't be read any more, wherever it is."""
    connection.execute(delete(privacy_keys).where(privacy_keys.c.name.in_(names)))


def mark_of(key: bytes, tenant: str, name: str) -> str:
    """What stands for a name: always the same, and telling nothing to who doesn't have the key."""
    told = canonical_json([tenant, name]).encode()
    return f"{ERASED}{hmac.digest(key, told, 'sha256').hex()[:MARK]}"
