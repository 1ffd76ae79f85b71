"""Names that tell that a secret follows: `DB_PASSWORD`, `apiKey`, `the access token`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Telling: TypeAlias = Literal["password", "secret", "key"]
"""What a name tells: a password; a secret; something that could be one when its value looks like one."""

_HINTS = (
    *("pass", "pwd", "psw", "pw", "pin", "mdp", "senha", "contrase", "kennwort"),
    *("secret", "token", "key", "auth", "cred", "login", "bearer"),
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_BEFORE = re.compile(r"([A-Za-z][\w-]{1,20})['’]?[ _]\Z")  # noqa: RUF001 - an apostrophe as people write it
_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_LONGEST_LEFT = 60

_PASSWORDS = frozenset(
    ["pass", "pw", "pwd", "psw", "pswd", "pswrd", "passwd", "password", "passwords", "passphrase", "passcode", "passwrd", "passwort", "kennwort", "senha", "contrasena", "contraseña", "mdp", "pins", "pin"]
)
_PASSWORD_ENDINGS = ("password", "passwd", "passphrase", "passcode", "pwd", "passwort", "kennwort", "senha")
_NO_PASSWORDS = frozenset(["compass", "bypass", "trespass", "underpass", "overpass", "surpass", "encompass", "onepass", "impass", "pass2"])
_SECRET_WORDS = frozenset(["secret", "secrets", "token", "credential", "credentials", "creds", "bearer", "apikey", "apikeys", "authkey", "secrete"])
_SECRET_ENDINGS = ("secret", "token", "apikey", "apitoken", "accesskey", "secretkey", "privatekey", "authkey")
_BEFORE_KEY = frozenset(
    ["api", "access", "private", "secret", "auth", "signing", "encryption", "client", "app", "application", "service", "master", "account", "shared", "license", "ssh", "deploy", "webhook", "storage", "session", "security", "bearer", "admin", "consumer", "subscription", "integration", "hmac", "aes", "rsa", "server", "sdk", "rest", "ingest", "ingestion", "project", "org", "user", "developer", "write", "read", "live", "prod", "production", "apps"]
)
_NO_KEYS = frozenset(
    ["primary", "foreign", "sort", "partition", "cache", "row", "hot", "object", "map", "dict", "public", "index", "unique", "group", "idempotency", "short", "cut", "composite", "candidate", "natural", "surrogate", "lookup", "range", "hash", "arrow", "enter", "escape", "shift", "tab", "space", "return", "the", "a", "an", "this", "that", "any", "each", "every", "first", "last", "same", "what", "which", "is", "function", "delete", "home", "page", "answer", "no", "one"]
)
_KEY_ENDINGS_THAT_ARE_NONE = ("monkey", "turkey", "hockey", "donkey", "jockey", "whiskey", "hotkey", "turnkey", "lowkey")
_HARMLESS_LAST = frozenset(
    ["id", "ids", "url", "uri", "urls", "name", "names", "path", "file", "filename", "length", "len", "size", "type", "types", "version", "count", "endpoint", "issuer", "hash", "hashed", "digest", "arn", "tokens", "expiry", "expires", "expiration", "expire", "policy", "field", "label", "hint", "reset", "regex", "pattern", "ttl", "timeout", "column", "index", "prefix", "suffix", "format", "algorithm", "alg", "header", "headers", "ref", "class", "placeholder", "error", "errors", "message", "msg", "status", "enabled", "required", "strength", "min", "max", "changed", "date", "time", "age", "rotation", "manager", "provider", "store", "storage", "validator", "validation", "valid", "input", "form", "page", "link", "button", "title", "text", "prompt", "description", "usage", "limit", "bucket", "scope", "scopes", "method", "mode", "kind", "env", "parameter", "param", "attribute", "attempts", "kwargs", "dir", "directory", "location", "source", "fingerprint", "thumbprint", "verified", "confirmed", "requirements", "generator", "protected", "only", "less"]
)
_HARMLESS_ANYWHERE = frozenset(["public", "pub", "csrf", "xsrf", "pubkey", "publickey", "forgot"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingName:
    """A name in a text."""

    start: int
    end: int
    tells: Telling
    last: str
    """Its last word, in small letters."""


def in_small(text: str) -> str:
    """A text in small letters, character by character, so that places stay what they are."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(one if len(one := each.lower()) == 1 else each for each in text)


def places(small: str, words: Iterable[str]) -> list[int]:
    """Where any of some words begins in a text in small letters, in order."""
    found: list[int] = []
    for word in words:
        place = small.find(word)
        while place >= 0:
            found.append(place)
            place = small.find(word, place + len(word))
    found.sort()
    return found


def telling_names(text: str, small: str) -> Iterator[TellingName]:
    """The names in a text behind which a secret may stand, in order; `small` is it in small letters."""
    end = 0
    for hint in places(small, _HINTS):
        if hint < end:
            continue
        start = hint
        least = max(end, hint - _LONGEST_LEFT)
        while start > least and text[start - 1] in _NAME_CHARACTERS:
            start -= 1
        match = _NAME.match(text, hint)
        end = match.end() if match else hint + 1
        while end > hint and text[end - 1] in ".-":
            end -= 1
        if tells := _told(text, start, end):
            yield TellingName(start=start, end=end, tells=tells[0], last=tells[1])


def _told(text: str, start: int, end: int) -> tuple[Telling, str] | None:
    words = [word.lower() for word in _WORD.findall(text[start:end])]
    while words and words[-1].isdigit():
        words.pop()
    if not words or words[-1] in _HARMLESS_LAST or not _HARMLESS_ANYWHERE.isdisjoint(words):
        return None
    last = words[-1]
    if any(map(_is_password, words)):
        return "password", last
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words):
        return "secret", last
    if last == "key" or (last.endswith("key") and not last.endswith(_KEY_ENDINGS_THAT_ARE_NONE)):
        before = words[-2] if len(words) > 1 else last[:-3] or _word_before(text, start)
        if before in _NO_KEYS or not before:
            return None
        return ("secret" if before in _BEFORE_KEY else "key"), last
    if any(one in _BEFORE_KEY and two == "key" for one, two in zip(words, words[1:], strict=False)):
        return "secret", last
    if any("apikey" in word for word in words):
        return "secret", last
    return ("key", last) if last in ("auth", "authorization", "cred", "login") else None


def _is_password(word: str) -> bool:
    return (
        word in _PASSWORDS
        or word.endswith(_PASSWORD_ENDINGS)
        or (word.endswith("pass") and word not in _NO_PASSWORDS)
    )


def _word_before(text: str, start: int) -> str:
    before = _BEFORE.search(text[max(0, start - 24) : start])
    return before[1].lower() if before else ""
