"""What is written in another code: escapes, base64, numbers of characters, letters moved on by thirteen."""

import base64
import codecs
import re
from collections.abc import Iterator, Sequence
from html.entities import html5

from proctor.policies.canonical._canonical import canonical
from proctor.policies.canonical._edits import Edit

_ESCAPE = re.compile(
    r"(?P<url>(?:%[0-9A-Fa-f]{2})++)"
    r"|(?P<bytes>(?:\\x[0-9A-Fa-f]{2})++)"
    r"|(?:\\u|%u)(?P<pair>[dD][89abAB][0-9A-Fa-f]{2}(?:\\u|%u)[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|(?:\\u|%u)(?P<unit>[0-9A-Fa-f]{4})|\\U(?P<long>[0-9A-Fa-f]{8})|\\u\{(?P<braced>[0-9A-Fa-f]{1,6})\}"
    r"|&(?:#[xX]0*+(?P<hex>[0-9A-Fa-f]{1,6})|#0*+(?P<number>[0-9]{1,7}));?"
    r"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31};)"
    r"|(?P<plus>(?<=[\w%])\+(?=[\w%]))"
)
"""The pair is a character above U+FFFF as JSON and JavaScript write it."""
_PLUSES = re.compile(r"[A-Za-z0-9]{2}\+[\w%]++[^\s+]*+\+[\w%]")
"""Blanks as the query of a URL writes them."""
_OF_HTML = ("name", "hex", "number")
_UNKNOWN = "\ufffd"
_RUN = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:(?:[A-Za-z0-9+/_-]{40,}+\r?\n)++[A-Za-z0-9+/_-]*+|[A-Za-z0-9+/_-]{11,}+)={0,2}"
)
_SHORTEST_UNPADDED = 16
_SHORTEST_ENCODED = 12
_PERHAPS_ENCODED = re.compile(r"[0-9A-Z][A-Za-z0-9+/_-]{0,14}?[0-9A-Z]")
"""Few words of twelve letters have two capitals or digits as near to one another."""
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?(?P<digits>(?:[0-9A-Fa-f]{2}){6,}+)(?![0-9A-Za-z])")
_HEX_APART = re.compile(
    r"(?<![0-9A-Za-z])(?:0[xX])?[0-9A-Fa-f]{2}(?:(?:, ?|[ :-])(?:0[xX])?[0-9A-Fa-f]{2}(?![0-9A-Za-z])){5,}+"
)
_HEX_PAIRS = re.compile(
    r"[ :,-](?:0[xX])?[0-9A-Fa-f]{2}(?:(?:, ?|[ :-])(?:0[xX])?[0-9A-Fa-f]{2}){4}(?![0-9A-Za-z])"
)
BYTES = frozenset(
    form
    for number in range(256)
    for pair in (f"{number:02x}", f"{number:02X}")
    for form in (pair, f"{pair},", f"0x{pair}", f"0x{pair},", f"0X{pair}", f"0X{pair},")
)
"""Words that one byte may be written as."""
_BITS = re.compile(r"(?<![0-9A-Za-z])[01]{8}(?:[ ,]{0,2}[01]{8}){5,}+(?![0-9A-Za-z])")
_BITS_AT_ALL = re.compile(r"[01]{8}[ ,]{0,2}[01]{8}[ ,]{0,2}[01]{8}")
_MOVED_ON = frozenset(
    codecs.encode(word, "rot13")
    for word in (
        "the",
        "and",
        "of",
        "you",
        "your",
        "is",
        "this",
        "that",
        "for",
        "with",
        "all",
        "not",
        "it",
        "my",
    )
)
"""The commonest words as they look with each letter moved on by thirteen."""
_HEX_DIGITS = re.compile(r"(?<![xX0-9A-Fa-f])[0-9A-Fa-f]{2}|(?<=0[xX])[0-9A-Fa-f]{2}")
_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")
_LEGIBLE = 10
"""One strange character in so many may be noise that somebody put there."""
_SURELY = 24
"""Characters, all of which must be plain: short runs of anything look legible by chance."""
_SHORTEST = 6
_STANDARD = str.maketrans("-_", "+/", "\r\n=")
_LETTERS_IN_PATH = re.compile(r"[A-Za-z0-9+_-]{16,}+")


def escapes(text: str) -> Iterator[Edit]:
    """Characters that are written as their numbers or names."""
    pluses = "+" in text and _PLUSES.search(text) is not None
    if not (pluses or "%" in text or "\\" in text or "&" in text):
        return
    for match in _ESCAPE.finditer(text):
        kind = match.lastgroup or ""
        if kind == "url":
            yield from _bytes(match["url"], match.start(), 3, "url")
        elif kind == "bytes":
            yield from _bytes(match["bytes"], match.start(), 4, "escape")
        elif kind == "plus":
            if pluses:
                yield Edit(*match.span(), " ", "url")
        elif (character := _character(kind, match[kind])) is not None:
            layer = "html" if kind in _OF_HTML else "escape"
            yield Edit(*match.span(), _plain(character), layer)


def _character(kind: str, written: str) -> str | None:
    """The character of an escape; none where there is none of that number or name."""
    if kind == "name":
        return html5.get(written)
    if kind == "pair":
        return (bytes.fromhex(written[:4]) + bytes.fromhex(written[-4:])).decode("utf-16-be")
    code = int(written, 10 if kind == "number" else 16)
    try:
        return chr(code).encode().decode() if code else None
    except (ValueError, OverflowError):
        return None


def _bytes(written: str, place: int, width: int, kind: str) -> Iterator[Edit]:
    """One edit for each character that the bytes spell, which take `width` characters each."""
    raw = bytes(int(written[at - 2 : at], 16) for at in range(width, len(written) + 1, width))
    for character in raw.decode("utf-8", "replace"):
        size = len(character.encode()) if character != _UNKNOWN else 1
        if (character != _UNKNOWN and character.isprintable()) or character in "\t\n\r":
            yield Edit(place, place + size * width, _plain(character), kind)
        place += size * width


def _plain(character: str) -> str:
    return character if character.isascii() else canonical(character).text


def encoded_apart(text: str) -> Iterator[Edit]:
    """Hexadecimal in pairs, one byte each, that says something legible."""
    if not _HEX_PAIRS.search(text):
        return
    for match in _HEX_APART.finditer(text):
        if (said := _legible(bytes.fromhex("".join(_HEX_DIGITS.findall(match[0]))))) is not None:
            yield Edit(*match.span(), said, "hex")


def in_bits(text: str) -> Iterator[Edit]:
    """Characters that are written as ones and noughts."""
    if not _BITS_AT_ALL.search(text):
        return
    for match in _BITS.finditer(text):
        bits = re.sub("[ ,]", "", match[0])
        said = _legible(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))
        if said is not None:
            yield Edit(*match.span(), said, "bits")


def moved_on(text: str, words: Sequence[str]) -> str | None:
    """The text with each letter moved on by thirteen, where its words then are common ones."""
    return codecs.encode(text, "rot13") if len(_MOVED_ON.intersection(words)) > 1 else None


def perhaps_encoded(word: str) -> bool:
    """Whether a word may hold base64 or hexadecimal, at first sight."""
    return len(word) >= _SHORTEST_ENCODED and _PERHAPS_ENCODED.search(word) is not None


def encoded(text: str) -> Iterator[Edit]:
    """Base64, forwards or backwards, and hexadecimal that say something legible."""
    for match in _HEX.finditer(text):
        said = _legible(bytes.fromhex(match["digits"]))
        if said is not None and (said.isdigit() or not match["digits"].isdigit()):
            yield Edit(*match.span(), said, "hex")
    for match in _RUN.finditer(text):
        run = match[0]
        if (run.isalpha() and (run.islower() or run[1:].islower())) or run.isdigit():
            continue
        if run[-1] != "=" and len(run) < _SHORTEST_UNPADDED:
            continue
        if (said := _from_base64(run) or _from_base64(run[::-1])) is not None:
            yield Edit(*match.span(), said, "base64")
        elif "/" in run:
            yield from _in_path(run, match.start())


def _in_path(path: str, place: int) -> Iterator[Edit]:
    for match in _LETTERS_IN_PATH.finditer(path):
        if (said := _from_base64(match[0])) is not None:
            yield Edit(place + match.start(), place + match.end(), said, "base64")


def _from_base64(run: str) -> str | None:
    letters = run.translate(_STANDARD)
    whole = letters[: len(letters) - (len(letters) % 4 == 1)]
    return _legible(base64.b64decode(whole + "=" * (-len(whole) % 4)))


def _legible(raw: bytes) -> str | None:
    """The plain text that bytes hold; none where they hold something else."""
    if len(raw) < _SHORTEST:
        return None
    wide = raw.count(0) * 3 >= len(raw)
    code = ("utf-16-le" if raw[1] == 0 else "utf-16-be") if wide else "utf-8"
    text = raw.decode(code, "replace")
    strange = len(_STRANGE.findall(text))
    return None if strange * _LEGIBLE > max(0, len(text) - _SURELY) else canonical(text).text
