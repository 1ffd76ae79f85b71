"""Nine ways to hide a text from checks that read letters."""

import base64
import html
import random
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote

# ruff: noqa: RUF001 - look-alikes are what hides

Disguise: TypeAlias = Callable[[str, random.Random], str]

_LIKE = {
    "a": "аɑ",
    "c": "сϲ",
    "d": "ԁ",
    "e": "е",
    "g": "ɡ",
    "h": "һ",
    "i": "іι",
    "j": "ј",
    "n": "ո",
    "o": "оοօ",
    "p": "рρ",
    "s": "ѕ",
    "u": "ս",
    "v": "ѵν",
    "w": "ԝ",
    "x": "хχ",
    "y": "уү",
    "A": "АΑ",
    "B": "ВΒ",
    "C": "С",
    "E": "ЕΕ",
    "H": "НΗ",
    "I": "ІΙ",
    "M": "МΜ",
    "O": "ОΟ",
    "P": "РΡ",
    "S": "Ѕ",
    "T": "ТΤ",
}
_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_BY_CHANCE = 0.5
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_ASCII = range(0x20, 0x7F)


def _zero_width(text: str, rng: random.Random) -> str:
    return "".join(each + (rng.choice(_INVISIBLE) if rng.random() < _BY_CHANCE else "") for each in text)


def _homoglyphs(text: str, rng: random.Random) -> str:
    return "".join(
        rng.choice(_LIKE[each]) if each in _LIKE and rng.random() < _BY_CHANCE else each for each in text
    )


def _full_width(text: str, _: random.Random) -> str:
    return text.translate(_WIDE)


def _leet(text: str, _: random.Random) -> str:
    """Words of letters only: in numbers, keys and addresses a changed letter would be another value."""
    return " ".join(
        word.translate(_LEET) if word.strip(".,;:!?'\"()").isalpha() else word for word in text.split(" ")
    )


def _tags(text: str, _: random.Random) -> str:
    hidden = "".join(chr(0xE0000 + ord(each)) if ord(each) in _ASCII else each for each in text)
    return f"Hello! {hidden}"


def _base64(text: str, _: random.Random) -> str:
    return base64.b64encode(text.encode()).decode()


def _escaped(text: str, rng: random.Random) -> str:
    """Hexadecimal, as in a URL, or as in HTML: by chance."""
    ways: tuple[Callable[[str], str], ...] = (
        lambda some: some.encode().hex(),
        lambda some: "".join(f"\\x{each:02x}" for each in some.encode()),
        lambda some: quote(some, safe=""),
        lambda some: "".join(f"%{each:02X}" for each in some.encode()),
        lambda some: "".join(f"&#{ord(each)};" for each in some),
        lambda some: html.escape(
            "".join(f"&#x{ord(each):x};" if each.isalpha() else each for each in some), quote=False
        ).replace("&amp;#", "&#"),
    )
    return rng.choice(ways)(text)


def _spaced(text: str, rng: random.Random) -> str:
    return rng.choice((" ", " ", ".", "-")).join(text)


def _reversed(text: str, _: random.Random) -> str:
    return text[::-1]


DISGUISES: Mapping[str, Disguise] = {
    "zero-width": _zero_width,
    "homoglyphs": _homoglyphs,
    "full-width": _full_width,
    "leet": _leet,
    "tags": _tags,
    "base64": _base64,
    "escaped": _escaped,
    "spaced out": _spaced,
    "reversed": _reversed,
}
