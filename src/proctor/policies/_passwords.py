"""Passwords that somebody gives away, told from talk about passwords."""

import re
from collections.abc import Iterator

from proctor.policies._numbers import Place
from proctor.policies._placeholders import is_placeholder

_QUOTED = r"(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{3,100})(?P=quote)"
_SETTING = re.compile(
    r"(?i)(?:pass[ _-]?(?:word|phrase|code|wd)|passwd|pwd|pswd|[_-]pass)[\w-]{0,24}+[\"'\])]{0,3}(?: string)?"
    rf"[ \t]{{0,3}}(?P<sign>=>|:=|={{1,3}}|:)[ \t]{{0,3}}"
    rf"(?:{_QUOTED}|(?P<bare>[^\s\"'`<>,;]{{3,100}}+))(?P<more>[ \t]*\w)?",
    re.ASCII,
)
_SENTENCE = re.compile(
    r"(?i)\b(?:(?P<pin>pin(?: code| number)?)|pass ?(?:word|phrase|code)|passwd|pwd)"
    r"(?: (?:for|to|of|on) (?:[^\n.:?!]|\.(?=\w)){1,40}?)? (?P<verb>is|was|to|as)(?: now| still)?[: ]{1,3}"
    rf"(?:{_QUOTED}|(?P<bare>[^\s\"'`<>,;]{{3,64}}+))(?P<more>,? ?\w)?",
    re.ASCII,
)
_CHINESE = re.compile(
    r"(?:密码|密碼|口令)(?:[一-鿿]{0,4}?(?P<sign>是|为|為|成了?|:|=)| )?[ :]{0,3}[\"'「『]?"
    r"(?P<bare>[!-+\--:<-~]{4,64}+)(?P<counted> ?[位次个個年月天分小])?"
)

_USUAL_WORDS = """
about again already also always another any available back been before being best better blank
broken but case changing cool correct could down easy either empty enough even exactly expired false
fine for fully getting given going gone good great hard have here hidden how i'm important incorrect
insecure invalid it just known later lost mine missing most much must need needed never new next
nice no not nothing null of ok okay old only or other our out over please poor private required
right safe same secret secure set should simple simply so somehow something soon still strong such
that the their them then there this too true type unknown unsafe until used useless valid very weak
what when where which why with without work works wrong yes you your
"""
"""Words that follow "my password is" when none is given away."""
_USUAL = frozenset(_USUAL_WORDS.split())
_COMMON_ENDINGS = ("ing", "ed", "able", "ible", "ly", "ive")
_MOST_PARTS = 2
"""`case-sensitive` is a word; what has more hyphens is a passphrase."""
_SHORTEST_UNSIGNED = 6


def passwords(text: str) -> Iterator[Place]:
    """Where a password or PIN stands as a value: in a setting, an English sentence or a Chinese one."""
    for match in _SETTING.finditer(text):
        value, place = _value(match)
        sure = match["quoted"] or "=" in match["sign"] or _is_mixed(value) or not match["more"]
        if sure and not _is_usual(value) and not is_placeholder(value):
            yield place
    for match in _SENTENCE.finditer(text):
        value, place = _value(match)
        if match["pin"] and not (value.isdigit() and match["verb"] in ("is", "was")):
            continue  # "change my PIN to 1234" is an order, and useless without its number
        sure = match["quoted"] or _is_mixed(value) or not match["more"]
        if sure and not _is_usual(value) and not is_placeholder(value):
            yield place
    for match in _CHINESE.finditer(text):
        value, place = _value(match)
        known = match["sign"] or len(value) >= _SHORTEST_UNSIGNED
        if known and not match["counted"] and _is_mixed(value) and not is_placeholder(value):
            yield place


def _value(match: re.Match[str]) -> tuple[str, Place]:
    """The value of a match with its place, without the sentence's own full stop."""
    if match.groupdict().get("quoted"):
        return match["quoted"], match.span("quoted")
    value = match["bare"].rstrip(".?!)'\"") or match["bare"]
    return value, (match.start("bare"), match.start("bare") + len(value))


def _is_mixed(value: str) -> bool:
    """Whether a value holds what words don't: a digit, a sign within, or capitals beyond the first letter."""
    value = value.strip("()[]{}<>*_.!?")
    inner = value[1:]
    return any(not character.isalpha() and character not in "'-/" for character in value) or (
        inner != inner.lower() and not value.isupper()
    )


def _is_usual(value: str) -> bool:
    words = value.lower().split("-")
    return len(words) <= _MOST_PARTS and any(
        word in _USUAL or word.endswith("n't") or (word.isalpha() and word.endswith(_COMMON_ENDINGS))
        for word in words
    )
