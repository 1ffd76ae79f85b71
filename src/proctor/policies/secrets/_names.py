"""Names that tell that a secret follows: `DB_PASSWORD`, `apiKey`, `the access token`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from proctor.policies.secrets._words import secret_words

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
_LONGEST_BEFORE = 24
_WEAK = frozenset({"auth", "authorization", "cred", "login"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingName:
    """A name in a text."""

    start: int
    end: int
    tells: Telling


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
            yield TellingName(start=start, end=end, tells=tells)


def _told(text: str, start: int, end: int) -> Telling | None:
    words = [word.lower() for word in _WORD.findall(text[start:end])]
    while words and words[-1].isdigit():
        words.pop()
    known = secret_words()
    if not words or words[-1] in known.harmless_last or not known.harmless.isdisjoint(words):
        return None
    if any(map(_is_password, words)):
        return "password"
    if any(
        word in known.secrets or word.endswith(known.secret_endings) or "apikey" in word for word in words
    ):
        return "secret"
    if any(one in known.before_key and two == "key" for one, two in pairwise(words)):
        return "secret"
    return _told_by_last(text, start, words)


def _told_by_last(text: str, start: int, words: list[str]) -> Telling | None:
    known = secret_words()
    last = words[-1]
    if not last.endswith("key"):
        return "key" if last in _WEAK else None
    before = words[-2] if len(words) > 1 else last[:-3] or _word_before(text, start)
    if not before or before in known.no_keys or last.endswith(known.key_endings_of_none):
        return None
    return "secret" if before in known.before_key else "key"


def _is_password(word: str) -> bool:
    known = secret_words()
    return (
        word in known.passwords
        or word.endswith(known.password_endings)
        or (word.endswith("pass") and word not in known.no_passwords)
    )


def _word_before(text: str, start: int) -> str:
    before = _BEFORE.search(text[max(0, start - _LONGEST_BEFORE) : start])
    return before[1].lower() if before else ""
