"""Which characters pass for a plain one, and when they do.

The table is of our own reading of the scripts. Letters of a living script stand for Latin ones only in words
that mix both, or where nothing else in the text is of that script: Russian stays Russian.
"""

# ruff: noqa: RUF001 - look-alike characters are the point of the table

import re
import unicodedata

_SAME = {
    "A": "АΑᎪ",
    "B": "ВΒᏴ",
    "C": "СᏟ",
    "D": "ԀᎠ",
    "E": "ЕΕᎬ",
    "F": "Ϝ",
    "G": "ԌᏀ",
    "H": "НΗᎻ",
    "I": "ІΙӀ",
    "J": "ЈᎫͿ",
    "K": "КΚᏦ",
    "L": "ᏞԼ",
    "M": "МΜᎷϺ",
    "N": "ΝႶ",
    "O": "ОΟՕ",
    "P": "РΡᏢ",
    "Q": "Ԛ",
    "R": "ᏒᎡ",
    "S": "ЅՏᏚ",
    "T": "ТΤᎢ",
    "U": "ՍᑌԱ",
    "V": "ѴᏙ",
    "W": "ԜᏔᎳ",
    "X": "ХΧ",
    "Y": "ҮΥᎩ",
    "Z": "ΖᏃ",
    "a": "аα",
    "b": "Ьᖯ",
    "c": "с",
    "d": "ԁᏧ",
    "e": "еҽ",
    "f": "ք",
    "g": "ց",
    "h": "һհᏂ",
    "i": "іιᎥї",
    "j": "јϳյ",
    "k": "κ",
    "l": "ӏ",
    "m": "ⅿ",
    "n": "ոռ",
    "o": "оοօσഠ૦",
    "p": "рρ",
    "q": "ԛգզ",
    "r": "гᴦ",
    "s": "ѕ",
    "t": "τ",
    "u": "սυ",
    "v": "ѵν",
    "w": "ԝѡաω",
    "x": "хχ",
    "y": "уγүყ",
    "z": "ᴢ",
}
"""Hardly to be told apart: a word all of these may be a Latin one."""
_LIKE = {
    "3": "ЗзӠӡ",
    "a": "д",
    "b": "ЪьвβƄ",
    "d": "δծ",
    "e": "ёєεэё",
    "h": "нћђի",
    "i": "ΐί",
    "k": "кқ",
    "m": "м",
    "n": "ипηπήղ",
    "o": "όө",
    "p": "þ",
    "r": "ѓґя",
    "t": "тե",
    "u": "цμύ",
    "w": "шщώѿ",
    "y": "ўψ",
}
"""A likeness that is read in a word with Latin letters only."""
_SIGNS = {
    "-": "−˗➖⁃",
    " ": "⠀",
    "/": "∕⁄⧸",
    ":": "ː˸։∶ꓽ꞉",
    ".": "ꓸ․",
    "'": "‘’‚‛ʻʼʹ′",
    '"': "“”„‟″",
    "|": "ǀ∣❘",
    "*": "∗⁎",
    "0": "〇",
    "2": "ᒿ",
    "3": "Ʒ",
    "5": "Ƽ",
    "8": "Ȣ",
    "C": "Ϲ",
    "I": "Ɩ",
    "a": "ɑ",
    "b": "Ƅƅ",
    "c": "ϲ",
    "e": "ǝ",
    "g": "ɡ",
    "h": "ɥ",
    "i": "ı",
    "j": "ȷ",
    "k": "ʞ",
    "m": "ɱ",
    "p": "ƿ",
    "r": "ɹⲅ",
    "t": "ʇ",
    "u": "ʊ",
    "w": "ɯʍ",
    "y": "ʎ",
}
"""In any text, wherever they stand."""


def _table(*parts: dict[str, str]) -> dict[int, str]:
    return {ord(like): plain for part in parts for plain, likes in part.items() for like in likes}


_DIGITS = _table({"0": "ОоΟοՕօ", "1": "ІіΙιӀӏ", "3": "ЗзӠӡ", "4": "Ꮞ", "5": "Ѕѕ", "6": "б", "8": "Ց"})
_FIRM = _table(_SAME)
_LOOSE = _table(_LIKE, _SAME)
_ANYWHERE = _table(_SIGNS)
_OTHER_SCRIPT = "\u0370-\u03ff\u0400-\u058f\u10a0-\u10ff\u13a0-\u13ff\u1400-\u167f"
_FOREIGN = re.compile(f"[{_OTHER_SCRIPT}]")
_FOREIGN_WORD = re.compile(
    rf"(?<![A-Za-z0-9_{_OTHER_SCRIPT}])[A-Za-z0-9_]*+[{_OTHER_SCRIPT}][A-Za-z0-9_{_OTHER_SCRIPT}]*+"
)
_LATIN = re.compile("[A-Za-z]")
_DIGIT = re.compile("[0-9]")
_NAMED_LETTER = re.compile(
    r"(?:NEGATIVE |SQUARED |CIRCLED |PARENTHESIZED |TORTOISE SHELL BRACKETED |CROSSED |RAISED )*"
    r"(?:LATIN (?P<case>SMALL |CAPITAL |)LETTER (?P<small>SMALL CAPITAL |)"
    r"|REGIONAL INDICATOR SYMBOL LETTER |LISU LETTER )(?P<letter>[A-Z])(?: WITH .*)?"
)
_FIRST_RARE_LATIN = 0x180
"""Below stand the letters that European languages are written with."""


def lookalike(character: str) -> str | None:
    """What a single character passes for in any text; none where that depends on its word."""
    known = _ANYWHERE.get(ord(character))
    if known is not None or ord(character) < _FIRST_RARE_LATIN:
        return known
    named = _NAMED_LETTER.fullmatch(unicodedata.name(character, ""))
    if not named or unicodedata.decomposition(character).partition(" ")[0].isalnum():
        return None  # an accent can be taken off by whom it disturbs
    letter = named["letter"]
    return letter.lower() if named["small"] or named["case"] == "SMALL " else letter


def plain_words(text: str) -> str:
    """The text with Latin letters where letters of other scripts pass for them; as long as before."""
    if not _FOREIGN.search(text):
        return text
    words = _FOREIGN_WORD.findall(text)
    pure = any(not (_LATIN.search(word) or _DIGIT.search(word) or _is_double(word)) for word in words)

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        if _LATIN.search(word):
            return word.translate(_LOOSE)
        if _DIGIT.search(word):
            return word.translate(_DIGITS).translate(_FIRM)
        return word if pure or not _is_double(word) else word.translate(_FIRM)

    return _FOREIGN_WORD.sub(fold, text)


def _is_double(word: str) -> bool:
    return not _FOREIGN.search(word.translate(_FIRM))
