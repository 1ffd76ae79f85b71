"""How tokens prove themselves: checksums that their issuers put in, and forms that decode."""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK_DIGITS = 6
"""The last characters of a GitHub or npm token are the checksum of those before."""
_GITLAB_CHECK = 7
_EXTENDED_WIF = (33, 34)
"""Bytes of a Bitcoin key with its version, without its checksum."""


def _digits(number: int, alphabet: str, length: int) -> str:
    written = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        written = alphabet[digit] + written
    return written.rjust(length, alphabet[0])


def _crc32_base62(token: str) -> bool:
    """`prefix_`, 30 random characters, and the CRC-32 of these in six digits of base 62."""
    body = token.partition("_")[2]
    random, check = body[:-_CHECK_DIGITS], body[-_CHECK_DIGITS:]
    return check == _digits(zlib.crc32(random.encode()), _BASE62, _CHECK_DIGITS)


def _gitlab(token: str) -> bool:
    """`payload.`, the payload's length in two digits and the CRC-32 of all before in seven, of base 36."""
    body, check = token[:-_GITLAB_CHECK], token[-_GITLAB_CHECK:]
    return check == _digits(zlib.crc32(body.encode()), _BASE36, _GITLAB_CHECK)


def _bech32(token: str) -> bool:
    """A human part, `1`, and data that ends with the checksum of both (BIP 173)."""
    human, _, data = token.lower().rpartition("1")
    if any(character not in _BECH32 for character in data):
        return False
    values = [ord(each) >> 5 for each in human] + [0] + [ord(each) & 31 for each in human]
    check = 1
    for value in [*values, *map(_BECH32.index, data)]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            check ^= generator if top >> bit & 1 else 0
    return check == 1


def _base58(token: str) -> bool:
    """A version, the key, and the first four bytes of its double SHA-256."""
    number = 0
    for character in token:
        number = number * 58 + _BASE58.index(character)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, check = data[:-4], data[-4:]
    return len(body) in _EXTENDED_WIF and hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] == check


def _decoded(text: str) -> bytes:
    """What base64 of either alphabet holds; nothing where it is none."""
    plain = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _jwt(token: str) -> bool:
    """A header that is JSON and names its algorithm."""
    try:
        header = json.loads(_decoded(token.partition(".")[0]))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def _snowflake(token: str) -> bool:
    """Its first part is the bot's number."""
    return _decoded(token.partition(".")[0]).isdigit()


def _basic(token: str) -> bool:
    """`name:password`."""
    decoded = _decoded(token)
    name, colon, password = decoded.partition(b":")
    return bool(colon and password) and (name + password).decode("utf-8", "ignore").isprintable()


def _pem(token: str) -> bool:
    """A key, and not a certificate."""
    return b"PRIVATE KEY" in _decoded(token[:80])


PROOFS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "base58": _base58,
        "basic": _basic,
        "bech32": _bech32,
        "crc32-base62": _crc32_base62,
        "gitlab": _gitlab,
        "jwt": _jwt,
        "pem": _pem,
        "snowflake": _snowflake,
    }
)
"""By the name that rules call them."""
