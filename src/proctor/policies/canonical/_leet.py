"""Words in which digits and signs stand for letters."""

import re
from collections.abc import Iterator

from proctor.policies.canonical._edits import Edit
from proctor.policies.canonical._spelling import frequent_words

_SIGN = re.compile(r"[0134578@$!€][A-Za-z]")
_TOKEN = re.compile(r"(?:[^\W_]|[$€]|!(?=[^\W_])|@(?![\w-]{1,63}\.\w\w))++")
"""In an address `@` is itself."""
_LETTERS = str.maketrans("01345789@$!€", "oieastbgasie")
_OTHER = str.maketrans("0134567892@$!€", "oleasgtbgzasie")
_TELLING = ("token", "secret", "password", "passwd", "apikey", "accesskey", "privatekey")
"""Names that keys and passwords have end so."""
_WITHIN = re.compile(r"[A-Za-z][0134578@$!€]{1,2}[A-Za-z]|^[134@!][A-Za-z]{2}")
_VOWEL = re.compile("[aeiouy]")
_SURE = 4
"""Letters of a word that nothing else is written like."""
_ALONE = {
    "1": "i",
    "4": "a",
    "15": "is",
    "17": "it",
    "70": "to",
    "47": "at",
    "45": "as",
    "50": "so",
    "5": "s",
    "473": "ate",
    "700": "too",
    "175": "its",
    "537": "set",
    "7357": "test",
    "5173": "site",
    "57473": "state",
}
"""Words without a letter that isn't a digit; read so only where much is leet."""
_LONGEST = 14
"""What is longer and no known word is a key."""
_MUCH = 3
_ALL, _PART = 4, 0.3
"""So many words with signs between letters, such a part of all: leet, in whatever language."""


def leet(text: str) -> Iterator[Edit]:
    """Words in leet, where a text has some that can't be anything else."""
    if not _SIGN.search(text):
        return
    words: list[Edit] = []
    others: list[re.Match[str]] = []
    plain = 0
    for match in _TOKEN.finditer(text):
        if match[0].isalpha():
            plain += 1
            continue
        if (word := _word(match[0])) is not None:
            words.append(_edit(match, word))
        else:
            others.append(match)
    mixed = sum(_likely(match[0]) != "" for match in others) + len(words)
    whole = mixed >= _ALL and mixed >= _PART * (plain + mixed)
    much = whole or len(words) >= _MUCH
    if not much and not any(len(edit.text) >= _SURE for edit in words):
        return
    shortest = 2 if whole else _SURE if much else 0
    yield from words
    for match in others:
        known = _ALONE.get(match[0], "") if much else ""
        if letters := known or _likely(match[0], shortest):
            yield _edit(match, letters)


def _word(token: str) -> str | None:
    """The frequent word that a token with letters and others may be."""
    if len(token) == 1 or token.isdigit():
        return None
    readings = token.translate(_LETTERS), token.translate(_OTHER)
    known = frequent_words()
    return next(
        (
            letters
            for letters in readings
            if letters.lower() in known or (letters.isalpha() and letters.lower().endswith(_TELLING))
        ),
        None,
    )


def _likely(token: str, shortest: int = 0) -> str:
    """A token with signs between letters, with letters for them; nothing where that can't be said."""
    letters = token.translate(_LETTERS)
    if (
        len(token) > _LONGEST
        or token.isdigit()
        or not letters.isalpha()
        or not _VOWEL.search(letters.lower())
    ):
        return ""
    return letters if _WITHIN.search(token) or 0 < shortest <= len(token) else ""


def _edit(match: re.Match[str], letters: str) -> Edit:
    return Edit(*match.span(), letters, "leet", range(*match.span()))
