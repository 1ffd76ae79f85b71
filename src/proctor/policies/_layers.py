"""All that checks read of a text: its plain view, and what it says beneath its layers.

A layer is what was encoded, escaped, spelt out, put in leet or written backwards. What says nothing beneath,
as most texts, has the plain view only, and that is decided by what is cheap to look for.
"""

import re
from collections.abc import Iterator
from itertools import chain

from proctor.policies._canonical import CanonicalText, canonical
from proctor.policies._decoding import BYTES, encoded, encoded_apart, escapes, perhaps_encoded
from proctor.policies._edits import apart, edited, turned
from proctor.policies._leet import leet
from proctor.policies._spelling import reversed_words
from proctor.policies._spelt_out import blanked, dotted, numerals

_DEPTH = 2
_ROOM = 2
"""How much longer than the plain view all others may be together."""

_LONG_WORD = 12
"""Characters of the shortest run that a decoder looks at."""
_SINGLES = 5
_PAIRS = 6
_LONG_PAIRS = 17
"""Characters of six pairs with a sign between each two."""
_SURE_WORD = 6
"""Letters of a word that means nothing else backwards."""
_WORD = re.compile(r"\S+")
_EMAIL = re.compile(r"(?<![\w.])(?:moc|ten|gro|ude|vog|oi|ku|nc|ed|rf|ofni)\.[\w.-]{1,60}@\w")
_TOKEN_ENDS = (
    *(
        "AIKA",
        "_phg",
        "_ohg",
        "_shg",
        "_tap_buhtig",
        "-ks",
        "_evil_ks",
        "-bxox",
        "azIA",
        "Jye",
        "_mpn",
        "_fh",
    ),
)
"""How well-known tokens begin, backwards; they are long words."""
_LONG_TOKEN = 20
_OVERRIDES = ("\u202e", "\u2067")
"""Marks that show what follows backwards."""
_CHINESE = re.compile("[\u4e00-\u9fff]")
_ENDS = frozenset("。?!,、;:")
_CHINESE_WORDS = """
什么 怎么 可以 是否 我们 你们 他们 没有 因为 所以 如果 问题 时候 身份 号码 电话
手机 银行 密码 邮箱 地址 账户 帐号 证件 护照 联系 帮我 请问 治疗 医生 忽略 指令
系统 提示 规则 之前 以上 现在 投资 股票 理财 保证 收益 这个 那个 一个 我的 你的
"""
_CHINESE_BACKWARDS = frozenset(word[::-1] for word in _CHINESE_WORDS.split()) - {"的我", "的你", "个一"}
_CHINESE_FORWARDS = frozenset(_CHINESE_WORDS.split())


def views(text: str, plain: CanonicalText | None = None) -> tuple[CanonicalText, ...]:
    """The plain view of a text first, then views of what hides in it, nested ones behind their layer's.

    All together are at most three times as long as the plain view. Views of long texts show the surroundings
    of what hides in them, one line each.
    """
    plain = plain or canonical(text)
    found = [plain]
    room = _ROOM * len(plain.text)
    level = [plain]
    for _ in range(_DEPTH):
        deeper: list[CanonicalText] = []
        for view in level:
            overridden = view is plain and not text.isascii() and any(mark in text for mark in _OVERRIDES)
            for beneath in _beneath(view, overridden=overridden):
                if len(beneath.text) <= room and all(beneath.text != known.text for known in found):
                    room -= len(beneath.text)
                    found.append(beneath)
                    deeper.append(beneath)
        level = deeper
    return tuple(found)


def _beneath(view: CanonicalText, *, overridden: bool) -> Iterator[CanonicalText]:
    text = view.text
    words = text.split()
    lengths = list(map(len, words))
    longest = max(lengths, default=0)
    finders = [escapes(text), leet(text), dotted(text), numerals(text)]
    if longest >= _LONG_WORD and any(map(perhaps_encoded, words)):
        finders.append(encoded(text))
    if lengths.count(1) >= _SINGLES:
        finders.append(blanked(text))
    if longest >= _LONG_PAIRS or sum(map(BYTES.__contains__, words)) >= _PAIRS:
        finders.append(encoded_apart(text))
    if edits := apart(list(chain.from_iterable(finders))):
        yield edited(view, edits)
    if "reversed" not in view.name and (overridden or _is_backwards(text, words)):
        yield turned(view, range(len(text) - 1, -1, -1))
        yield turned(view, _each_word(text))


def _is_backwards(text: str, words: list[str]) -> bool:
    backwards = reversed_words().intersection(text.lower().split())
    if len(backwards) > 1 or any(len(word) >= _SURE_WORD for word in backwards):
        return True
    if "@" in text and _EMAIL.search(text):
        return True
    if any(word.endswith(_TOKEN_ENDS) for word in words if len(word) >= _LONG_TOKEN):
        return True
    return not text.isascii() and _CHINESE.search(text) is not None and _is_chinese_backwards(text)


def _is_chinese_backwards(text: str) -> bool:
    """By the pairs of characters; a sentence that begins with its full stop is a sure sign."""
    if text.lstrip()[:1] in _ENDS:
        return True
    pairs = {text[place : place + 2] for place in range(len(text) - 1)}
    backwards = pairs & _CHINESE_BACKWARDS
    return bool(backwards) and len(backwards) >= len(pairs & _CHINESE_FORWARDS)


def _each_word(text: str) -> list[int]:
    """The places of a text's characters with each word turned round where it stands."""
    order = list(range(len(text)))
    for word in _WORD.finditer(text):
        start, end = word.span()
        order[start:end] = range(end - 1, start - 1, -1)
    return order
