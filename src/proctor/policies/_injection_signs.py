"""Signs of an attack that are known beforehand: orders of ideas, and marks that only a prompt's frame uses.

A sign is written over ideas (`LETTERS`), not over words, so that one sign holds in every language of the
lexicon. Its figure says how sure it alone makes.
"""

import re
from collections.abc import Iterator
from typing import Final

_PRIOR_RULES = r"[PAYSW].{0,3}[RLS]|R.{0,4}P"
_ORDERS: Final = {
    # Do away with the instructions, in both orders of words.
    "override": (0.9, rf"I.{{0,3}}(?:{_PRIOR_RULES})|[PA].{{0,4}}R.{{0,4}}I|[PA].{{0,3}}[PA].{{0,4}}J.{{0,4}}I"),
    "override, widely": (0.7, r"I.{0,2}[PAY].{0,3}[PAYJ].{0,3}J|I.{0,2}A.{0,2}P|I.{0,3}R|[PA].{0,3}[RL].{0,3}Z"),
    "new orders": (0.7, r"W.{0,2}[RJ].{0,6}[IPXVNa]|[YS].{0,2}W.{0,1}[RJ]|[RJ].{0,6}IA?PR"),
    # Another self.
    "other self": (0.75, r"NA?YE.{0,10}[BQLfa]|YE.{0,2}N.{0,6}[BQLfIa]|E.{0,6}[BQ].{0,6}Z.{0,3}[RLM]|YE.{0,3}[Q].{0,8}[BaLZ]"),
    "no limits": (0.8, r"[BYQEG].{0,5}Z.{0,3}[AP]?.{0,2}L|f.{0,4}[LR]|[BY].{0,5}Z.{0,4}(?:M.{0,5}(?:A|R|a)|R)|Q.{0,6}Z.{0,3}L"),
    "mode": (0.8, r"(?:X|N|YE).{0,4}Q.{0,2}Q|(?:X|YE.{0,2}N?).{0,3}[SB].{0,2}Q|Q.{0,2}X.{0,4}[VXLYIZ]"),
    # Draw out what is hidden.
    "hidden prompt": (0.85, r"[VT].{0,5}[YSP].{0,3}[SP].{0,2}R|[VT].{0,4}[SP].{0,2}R|[SP].{0,1}R.{0,4}[VT]|V.{0,4}YR|V.{0,3}Y.{0,3}[SP].{0,3}[RJ]"),
    "secrets": (0.7, r"V.{0,3}[AYS].{0,3}K|V.{0,5}S.{0,3}K|[KS].{0,3}K.{0,4}V|I.{0,8}K"),
    # Behind the user's back.
    "behind the user": (0.8, r"Z.{0,2}[MTV].{0,3}U|U.{0,3}Z.{0,2}[MTV]|Z.{0,3}U.{0,3}[MTV]|U.{0,4}[MTV].{0,3}Z|Z.{0,1}M.{0,2}[AP].{0,1}R"),
    "to the assistant": (0.75, r"^B.{0,4}[XZI].{0,8}[DVKXIOU]|H.{0,3}[tU]?.{0,2}B.{0,6}[XDVTIZO]|B.{0,3}Y.{0,2}X.{0,4}[IDVXZO]"),
}
_SIGNS: Final = tuple((name, sure, re.compile(f"(?:{pattern})")) for name, (sure, pattern) in _ORDERS.items())

_FRAME = re.compile(
    r"<\|[a-z_ ]{2,24}\|?>|\[/?inst\]|<</?sys>>|</?(?:system|instructions?|information)>"
    r"|(?:^|[\n>\]])[ \t#*]{0,8}(?:system|assistant|\u7cfb\u7edf|\u52a9\u624b)(?: prompt| message| note)?[ *]{0,3}:"
)
_FRAME_GATE = ("system", "assistant", "\u7cfb\u7edf", "\u52a9\u624b", "inst", "<|", "<sys", "information>")
_IMAGE = re.compile(r"!\[[^\]\n]{0,60}\]\([^)\n]{0,200}[?&/=][^)\n]{0,200}\)")
_LINK = re.compile(
    r"https?://[^\s)\"'>]{2,200}|www\.[^\s)\"'>]{2,200}|(?<![\w.+-])[\w.+-]{1,60}@[a-z0-9-]{1,60}\.[a-z]{2,12}"
)
_SLOT = re.compile(
    r"\[[^\]\n]{0,40}(?:prompt|insert|question|query)[^\]\n]{0,40}\]|\{\{?[^}\n]{0,40}\}|<(?:prompt|query|input)>"
)
_QUOTED = re.compile(r"(?:(?<!\w)'|[\"\u201c\u2018\u300c\u300e\u00ab])[^'\"\n\u201d\u2019]{8,120}['\"\u201d\u2019\u300d\u300f\u00bb]")
_LOUD = re.compile(r"\*{3}|={3}|#{3}|!{2}")


def order_signs(ideas: str) -> Iterator[tuple[str, float, int, int]]:
    """The signs in a row of ideas: name, how sure, first word and one past the last."""
    for name, sure, pattern in _SIGNS:
        if match := pattern.search(ideas):
            yield name, sure, match.start(), match.end()


def mark_signs(lowered: str) -> Iterator[tuple[str, int, int]]:
    """The marks in a text in small letters: name and place."""
    if any(word in lowered for word in _FRAME_GATE):
        for match in _FRAME.finditer(lowered):
            yield "frame", *match.span()
    if "![" in lowered:
        for match in _IMAGE.finditer(lowered):
            yield "image", *match.span()
    if "://" in lowered or "www." in lowered or "@" in lowered:
        for match in _LINK.finditer(lowered):
            yield "link", *match.span()
    if "[" in lowered or "{" in lowered or "<" in lowered:
        for match in _SLOT.finditer(lowered):
            yield "slot", *match.span()
    for match in _QUOTED.finditer(lowered):
        yield "quoted", *match.span()
    for match in _LOUD.finditer(lowered):
        yield "loud", *match.span()
