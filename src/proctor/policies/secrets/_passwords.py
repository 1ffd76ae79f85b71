# ruff: noqa: RUF001 - quotation marks as people write them
"""Passwords that somebody gives away in a sentence, told from talk about passwords."""

import re
from collections.abc import Iterator

from proctor.policies._reading import Finding
from proctor.policies.secrets._named_values import is_mixed
from proctor.policies.secrets._names import places
from proctor.policies.secrets._placeholders import is_code, is_name, is_placeholder, is_wordlike
from proctor.policies.secrets._words import is_usual, speaks

_QUOTED = r"(?P<quote>[\"'`“‘«])(?P<quoted>[^\"'`“”‘’«»\n]{3,100})[\"'`”’»]"
_BARE = r"(?P<bare>[^\s\"'`<>,;\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]{3,64}+)"
_HINTS = ("pass", "pw", "psw", "pin")
_NAME = re.compile(r"(?:(?P<pin>pin(?: code| number)?)|pass ?(?:word|phrase|code|wd)|pass|pwd?|psw)(?![a-z])")
_SPOKEN = re.compile(
    r"(?: (?i:for|to|of|on|in|at|with) (?:[^\s.:?!,;]{1,40} ){0,6}?"
    r"(?:[^\s.:?!,;]|[.:](?=\w)){1,50}?)?"
    r"(?P<verb> ?(?:=|:|->|→)| (?i:is|was|to|as|are|used to be|(?:has been|was|is) (?:re)?set to"
    r"|(?:has been |was )?changed to|will be|should be))"
    r"(?: (?i:now|still|just|currently|simply|literally))?[: ]{1,3}"
    rf"(?:{_QUOTED}|{_BARE})(?P<more>,? ?\w)?",
)
_JUXTAPOSED = re.compile(rf"(?: |\()(?:{_QUOTED}|{_BARE})")
_GIVING = re.compile(
    r"(?i)(?:use|with|using|enter|try|type|and|login|log in|(?:user(?:name)?|login) \S{1,40}|,|/)\s{1,8}"
    r"(?:the |my |this )?\Z"
)
_LONGEST_BEFORE = 60
_PAIR = re.compile(
    r"(?i)(?:(?:user(?: ?name)?|login|account|id|账号|帐号|账户|用户名?|用户名称) ?(?:[/&+,和与、]|and) ?"
    r"(?:pass(?:word|wd)?|pwd?|密码|口令)"
    r"|cred(?:ential)?s?|log ?in(?: with| using| as)?|登录|账号密码|用户名密码)"
    r" ?(?:is|are|:|=|是|为|用)? ?[\"'`(]?(?P<user>[\w.@+-]{2,60}) ?(?:[/|]|:(?!//)) ?"
    r"(?P<bare>[^\s\"'`<>,;|)\u3000-\u303f\u4e00-\u9fff]{4,64}+)"
)
_CHINESE = re.compile(
    r"(?P<name>密码|密碼|口令|PIN码)(?:[一-鿿]{0,8}?(?P<sign>是|为|為|成了?|叫|用|:|=|->|→)[一-鿿]{0,2}?| )?"
    r"[ :]{0,3}(?P<quote>[\"'“”‘「『【`(]?)(?P<bare>[!#-&(-+\-./0-9:<-Z\\^_a-z{-~]{4,64}+)"
    r"(?P<counted> ?[位次个個年月天分小条种])?"
)
_CHINESE_KEY = re.compile(
    r"(?:密钥|秘钥|密鑰|令牌|私钥|凭证|凭据|授权码)(?:[一-鿿]{0,6}?(?:是|为|為|成了?|:|=)| )?[ :]{0,3}"
    r"[\"'“「`]?(?P<bare>[A-Za-z0-9_+/=.~-]{8,400}+)"
)
_CHINESE_WORDS = ("密", "口令", "PIN码", "令牌", "凭", "私钥", "授权码")
_PAIRED = ("pass", "pwd", "pw", "cred", "login", "log in", "账", "帐", "登录", "用户")
_SHORTEST_UNSIGNED = 6
_LONG_VALUE = 32
_SHORTEST_BARE = 4
_SHORTEST_CHINESE_KEY = 12
_PINS = range(4, 9)


def spoken_passwords(text: str, small: str) -> Iterator[Finding]:
    """Where a password or PIN is given away in words; `small` is the text in small letters."""
    yield from _in_english(text, small)
    if any(word in text for word in _CHINESE_WORDS):
        yield from _in_chinese(text)
    if any(word in small for word in _PAIRED):
        yield from _in_pairs(text)


def _in_english(text: str, small: str) -> Iterator[Finding]:
    done = 0
    for place in places(small, _HINTS):
        if place < done or (place and text[place - 1].isascii() and text[place - 1].isalpha()):
            continue
        name = _NAME.match(small, place)
        if name is None:
            continue
        said = _SPOKEN.match(text, name.end()) if name[0] != "pass" else None
        put = _JUXTAPOSED.match(text, name.end())
        if found := (said and _spoken(said, name)) or (put and _juxtaposed(text, put, name)):
            yield found
        for match in (said, put):
            if match and len(_value(match)[0]) > _LONG_VALUE:
                done = match.end()  # what stands in a long value is no word of a sentence


def _in_pairs(text: str) -> Iterator[Finding]:
    """`credentials: name / value`."""
    for match in _PAIR.finditer(text):
        value = match["bare"].rstrip(".!?")
        if is_mixed(value) and not is_placeholder(value) and not is_code(value) and "/" not in value:
            yield _finding("pair", match.start("bare"), value, 0.7)


def _spoken(match: re.Match[str], name: re.Match[str]) -> Finding | None:
    """`password for the shop is value`."""
    value, start = _value(match)
    to = match["verb"].strip().lower() == "to"
    if name["pin"]:  # "change my PIN to 1234" is an order, and useless without its number
        given = value.isdigit() and len(value) in _PINS and not to
        return _finding("pin", start, value, 0.8) if given else None
    quoted = match["quoted"] is not None
    if speaks(value) if quoted else is_code(value):
        return None
    if to and not quoted and is_wordlike(value) and not _has_digit(value):
        return None
    sure = quoted or is_mixed(value) or not match["more"]
    return _finding("spoken", start, value, 0.8) if sure and _is_own(value) else None


def _juxtaposed(text: str, match: re.Match[str], name: re.Match[str]) -> Finding | None:
    """`use password value`."""
    if text[max(0, name.start() - 1) : name.start()] in ("-", "_"):
        return None
    value, start = _value(match)
    given = _GIVING.search(text[max(0, name.start() - _LONGEST_BEFORE) : name.start()]) is not None
    if match["quoted"] is not None:
        sure = given or (is_mixed(value) and not is_wordlike(value))
    else:
        sure = _has_digit(value) and is_mixed(value) and not is_code(value)
        sure = sure and (given or not is_wordlike(value)) and len(value) >= _SHORTEST_UNSIGNED
    return _finding("spoken", start, value, 0.7) if sure and not value.isdigit() and _is_own(value) else None


def _in_chinese(text: str) -> Iterator[Finding]:
    for match in _CHINESE.finditer(text):
        value, start = _value(match)
        known = match["sign"] or match["quote"] or len(value) >= _SHORTEST_UNSIGNED
        mixed = is_mixed(value) or (bool(match["quote"] or match["sign"]) and _is_own(value))
        if (
            known
            and mixed
            and not match["counted"]
            and not is_placeholder(value)
            and len(value) >= _SHORTEST_BARE
        ):
            yield _finding("spoken", start, value, 0.8)
    for match in _CHINESE_KEY.finditer(text):
        value = match["bare"]
        if (
            _has_digit(value)
            and not is_wordlike(value)
            and not is_placeholder(value)
            and len(value) >= _SHORTEST_CHINESE_KEY
        ):
            start = match.start("bare")
            yield Finding(
                kind="secret",
                start=start,
                end=start + len(value),
                confidence=0.8,
                detail="secret.named-value",
            )


def _finding(rule: str, start: int, value: str, confidence: float) -> Finding:
    return Finding(
        kind="password", start=start, end=start + len(value), confidence=confidence, detail=f"password.{rule}"
    )


def _is_own(value: str) -> bool:
    return (
        not is_usual(value)
        and not is_placeholder(value)
        and not is_name(value)
        and any(map(str.isalnum, value))
    )


def _has_digit(value: str) -> bool:
    return any(map(str.isdigit, value))


def _value(match: re.Match[str]) -> tuple[str, int]:
    """The value of a match without the sentence's own full stop, and its place."""
    if match.groupdict().get("quoted"):
        return match["quoted"], match.start("quoted")
    value = match["bare"].rstrip(".?!'\"") or match["bare"]
    if "(" not in value:
        value = value.rstrip(").") or value
    return value, match.start("bare")
