"""Signs of an attack that are known beforehand: orders of ideas, and marks that only a prompt's frame uses.

A sign is written over ideas (`LETTERS`), not over words, so that one sign holds in every language of the
lexicon. Its figure says how sure it alone makes.
"""

import re
from collections.abc import Iterator
from typing import Final

_ORDERS: Final = {
    "override": (
        "I",
        0.9,
        (
            r"I.{0,3}[PAYS].{0,3}[RLS]|I.{0,3}R.{0,4}P|[PA].{0,4}R.{0,4}I"
            r"|I.{0,3}[PA].{0,3}[PA].{0,3}J|[PA].{0,3}[PA].{0,4}J.{0,4}I"
        ),
    ),
    "override, widely": ("I", 0.6, r"I.{0,2}[PAY].{0,3}[PAYJ].{0,3}J|I.{0,2}A.{0,2}P|I.{0,3}R"),
    "new orders": ("W", 0.6, r"W.{0,2}[RJ].{0,6}[IPXVNa]|[YS].{0,2}W.{0,1}[RJ]"),
    "other self": (
        "E",
        0.75,
        (
            r"NA?YE.{0,10}[QLf]|YE.{0,2}N.{0,6}[QLfI]|YE.{0,2}N.{0,6}B.{0,6}[ZLf]|E.{0,6}[BQ].{0,6}Z.{0,3}[RLM]"
            r"|YE.{0,3}Q.{0,8}[BaLZ]"
        ),
    ),
    "no limits": (
        "Zf",
        0.75,
        (
            r"[BYQ].{0,6}Z.{0,3}[AP]?.{0,2}L|[BYE].{0,8}f.{0,4}[LR]|[BY].{0,5}Z.{0,4}(?:M.{0,5}(?:A|R|a)|R)"
            r"|Q.{0,6}Z.{0,3}L"
        ),
    ),
    "mode": ("Q", 0.6, r"(?:X|N|YE).{0,4}Q.{0,2}Q|(?:X|YE.{0,2}N?).{0,3}[SB].{0,2}Q|Q.{0,2}X.{0,4}[VXLYIZ]"),
    "hidden prompt": (
        "VT",
        0.85,
        (
            r"V.{0,5}[YP].{0,3}[SP].{0,2}R|T.{0,2}Y.{0,1}[SP].{0,1}R|V.{0,2}A?.{0,2}[SP].{0,2}R|V.{0,4}YR|[YS]SR.{0,4}V"
            r"|V.{0,3}Y.{0,3}[SP].{0,3}[RJ]"
        ),
    ),
    "secrets": ("K", 0.7, r"V.{0,3}[AY]S?K|V.{0,5}S.{0,3}K|[KS].{0,3}K.{0,4}V"),
    "behind the user": (
        "Z",
        0.8,
        r"Z.{0,2}[MT].{0,3}U|U.{0,3}Z.{0,2}[MTV]|U.{0,4}[MT].{0,3}Z|Z.{0,1}M.{0,2}[AP].{0,1}R",
    ),
    "to the assistant": (
        "B",
        0.75,
        r"^B.{0,4}[XZI].{0,8}[DVKXIOU]|H.{0,3}B.{0,6}[XDVTIZO]|B.{0,3}Y.{0,2}X.{0,4}[IDVXZO]",
    ),
}
"""By name: ideas of which one has to be there, how sure the sign makes, and the order of ideas."""
_SIGNS: Final = tuple(
    (name, frozenset(needed), re.compile(pattern)) for name, (needed, _, pattern) in _ORDERS.items()
)
SURE: Final = {f"!{name}": sure for name, (_, sure, _) in _ORDERS.items()}
"""How sure each sign makes, by its feature."""

_FRAME = re.compile(
    r"<\|[a-z_ ]{2,24}\|?>|\[/?inst\]|<</?sys>>|</?(?:system|instructions?|information)>"
    r"|(?:^|[\n>\]])[ \t#*]{0,8}(?:system|assistant|\u7cfb\u7edf|\u52a9\u624b)"
    r"(?: prompt| message| note)?[ *]{0,3}:"
)
_FRAME_WORDS: Final = (
    "system",
    "assistant",
    "\u7cfb\u7edf",
    "\u52a9\u624b",
    "inst",
    "<|",
    "<sys",
    "information>",
)
_IMAGE = re.compile(r"!\[[^\]\n]{0,60}+\]\((?=[^)\n?&/=]{0,100}[?&/=])[^)\n]{0,300}+\)")
_LINK = re.compile(
    r"https?://[^\s)\"'>]{2,200}|www\.[^\s)\"'>]{2,200}|(?<![\w.+-])[\w.+-]{1,60}@[a-z0-9-]{1,60}\.[a-z]{2,12}"
)
_SLOT = re.compile(
    r"\[[^\]\n]{0,40}(?:prompt|insert|question|query)[^\]\n]{0,40}\]|\{\{?[^}\n]{0,40}\}|<(?:prompt|query|input)>"
)
_QUOTED = re.compile(
    r"(?:(?<!\w)'|[\"\u201c\u2018\u300c\u300e\u00ab])[^'\"\n\u201d\u2019]{8,120}['\"\u201d\u2019\u300d\u300f\u00bb]"
)
_LOUD = re.compile(r"\*{3,}|={3,}|#{3,}|!{2,}")
_MARKS: Final = (
    ("frame", _FRAME_WORDS, _FRAME),
    ("image", ("![",), _IMAGE),
    ("link", ("://", "www.", "@"), _LINK),
    ("slot", ("[", "{", "<"), _SLOT),
    ("quoted", ("'", '"', "\u201c", "\u2018", "\u300c", "\u300e", "\u00ab"), _QUOTED),
    ("loud", ("***", "===", "###", "!!"), _LOUD),
)
"""Name, what at least has to stand in the text, and pattern."""


def order_signs(ideas: str) -> Iterator[str]:
    """The signs in a row of ideas, as features."""
    seen = set(ideas)
    for name, needed, pattern in _SIGNS:
        if not needed.isdisjoint(seen) and pattern.search(ideas):
            yield f"!{name}"


def mark_signs(lowered: str) -> list[tuple[int, str]]:
    """The marks in a text in small letters, in its order: place and name."""
    found: list[tuple[int, str]] = []
    for name, gate, pattern in _MARKS:
        if any(word in lowered for word in gate):
            found.extend((match.start(), name) for match in pattern.finditer(lowered))
    found.sort()
    return found


def is_quoted(lowered: str) -> bool:
    """Whether a text quotes a phrase."""
    return _QUOTED.search(lowered) is not None
