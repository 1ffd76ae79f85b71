"""The key that signs heads and exports. It is never in the database."""

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proctor.core import AuditSettings, ConfigurationError, Conflict, MissingSetting

PREFIX = "ed25519:"
KEY_BYTES = 32
PRIVATE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO

_HINT = "`proctor audit key FILE` makes one."


class Signer:
    """Who signs: the holder of a private key."""

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self.public = PREFIX + base64.b64encode(self._key.public_key().public_bytes_raw()).decode()
        """What signatures are checked with: `ed25519:…`."""

    def sign(self, text: str) -> str:
        """The signature of a text."""
        return base64.b64encode(self._key.sign(text.encode())).decode()


def signed_by(public: str, text: str, signature: str) -> bool:
    """Whether a signature of a text is by the key with this public part."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix(PREFIX), validate=True))
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_signer(settings: AuditSettings, environ: Mapping[str, str] = os.environ) -> Signer | None:
    """Who signs, where a key is configured.

    Raises:
        MissingSetting: it isn't where the configuration says.
        ConfigurationError: it is no such key, or others may read its file.
    """
    if settings.key_env is not None:
        place, text = settings.key_env, environ.get(settings.key_env, "")
        if not text.strip():
            raise MissingSetting(f"{place}, the key of the audit record, is not set", hint=_HINT)
    elif settings.key_file is not None:
        place, text = str(settings.key_file), _read(settings.key_file.expanduser())
    else:
        return None
    try:
        return Signer(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{place} holds no key of the audit record", hint=_HINT) from None


def make_key(file: Path) -> Signer:
    """Who signs from now on: a new key in a file that nobody else may read.

    Raises:
        Conflict: there is a file already.
        ConfigurationError: it can't be written.
    """
    key = os.urandom(KEY_BYTES)
    try:
        descriptor = os.open(file.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError:
        raise Conflict(f"{file} is there already", hint="A key that signed must not be lost.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(base64.b64encode(key) + b"\n")
    return Signer(key)


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
        mode = file.stat().st_mode
    except FileNotFoundError:
        raise MissingSetting(f"there is no file {file}, the key of the audit record", hint=_HINT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}, the key of the audit record, can't be read: {error}") from error
    if mode & OTHERS:
        raise ConfigurationError(
            f"others may read {file}, the key of the audit record", hint=f"Take that away: chmod 600 {file}"
        )
    return text
