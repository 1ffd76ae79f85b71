"""Secrets and passwords that stand as values behind names that tell so, in settings, code and sentences."""

import re
from collections.abc import Iterator

from proctor.policies._reading import Finding
from proctor.policies.secrets._names import TellingName, telling_names
from proctor.policies.secrets._placeholders import (
    bits,
    is_code,
    is_glue,
    is_name,
    is_path,
    is_placeholder,
    is_uuid,
    is_wordlike,
)
from proctor.policies.secrets._words import is_usual, speaks

_QUOTED = r"(?:[@bfrLu]|@\")?(?P<quote>\\?[\"'`])(?P<quoted>(?:(?!(?P=quote))[^\n]){3,400}+)(?P=quote)"
_BARE = r"(?P<bare>[^\s\"'`<,;\u2018-\u201d\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]{3,400}+)"
_TYPE = (
    r"(?:[ \t]{0,3}:[ \t]{0,2}(?:&?'?[a-z]{1,8} )?"
    r"(?:str|string|String|char|Optional\[str\]|SecretStr|Secret)\b\??(?=[ \t]{0,3}=))?(?: string)?"
)
_SIGN = (
    r"=>|:{1,3}=|\?=|\|\|=|={1,3}|!={1,2}|::?|->|→|\|(?=[ \t]?[^|\n])|\.assign\("
    r"|[(,](?=[ \t]{0,3}[@\"'`\\])"
    r"|[\"']?,?\s{1,20}[\"']?value[\"']?[ \t]{0,3}[:=]"  # name: X, value: …
    r"|[ \t]{0,2}\{\s{1,20}(?:(?:description|type)[^\n]{0,200}\n\s{1,20}){0,3}"
    r"default[ \t]{0,20}="  # Terraform
    r"|(?:type=\"?\w{1,20}\"? )?value ?=|>(?:</key>)?\s{0,20}(?:<string>)?|</key>\s{0,20}<string>"
    r"|(?:是|为|為|叫|设为|改为|改成了?|变成了?)[:]?"
)
_SIGNED = re.compile(
    rf"(?P<close>\\?[\"'`\])}}*]{{0,4}})(?:\[[0-9]{{0,5}}\])?{_TYPE}[ \t]{{0,40}}(?P<sign>{_SIGN})"
    r"(?:[ \t]|\\?\n[ \t]{1,20}){0,40}(?P<scheme>(?i:bearer|basic|token|apikey|digest|ssws)[ \t]{1,2})?"
    rf"(?:{_QUOTED}|{_BARE})(?P<more>[ \t]?[\w(])?"
)
_SPOKEN = re.compile(
    r"(?: (?:for|to|of|on|in|at|from) [^.\n:?!]{1,60}?)? (?:is|was|are|=|:)(?: now| still| just)?[: ]{1,3}"
    rf"(?:{_QUOTED}|{_BARE})"
)
_UNSIGNED = re.compile(rf"[\"']?[ \t]{{1,4}}(?:--(?:body|value|data)[ =])?(?:{_QUOTED}|{_BARE})")
_COMPARED = re.compile(r"([\"'])(?P<value>[^\"'\n]{4,200})\1[ \t]{0,2}[!=]={1,2}[ \t]{0,2}\Z")
_QUERY = re.compile(r"&(?:amp;)?[\w.-]{1,40}=|\\[nrt]|\\?\\u00(?:26|3d)|\\[\"']")
_COMPARISONS = ("==", "===", "!=", "!==")
_SENTENCE_END = ".?!:)]}>*\\,"
_ELLIPSIS = "..."
"""What ends so is only the beginning of a secret."""
_LONGEST_COMPARED = 210

_LONG_VALUE = 64
_SHORTEST = 4
_SHORTEST_SECRET = 8
_SHORTEST_RANDOM = 10
_SHORTEST_KEY = 16
_SHORTEST_LETTERS = 16
_NUMBERS = range(15, 40)
"""Digits of numbers that are secrets; shorter ones are counts and times."""
_RANDOM_BITS = 2.7
_FEW_SIGNS = 3
_TRANSITIONS = 5
_SIGNS = re.compile(r"[^A-Za-z0-9\s_./:-]")
_TURN = re.compile(r"[a-z][A-Z]|[A-Z][a-z][A-Z]")


def named_values(text: str, small: str) -> Iterator[Finding]:
    """Where values stand that their names tell to be secrets or passwords; `small` is it in small letters."""
    done = 0
    for name in telling_names(text, small):
        if name.start < done:
            continue
        match = _SIGNED.match(text, name.end)
        found = (
            (match and _signed(text, name, match))
            or _compared(text, name)
            or _spoken(text, name)
            or _on_command_line(text, name)
        )
        if found:
            done = found.end
            yield found
        elif match and len(_value(match)[0]) > _LONG_VALUE:
            done = match.end()  # names in what is no value are none


def _signed(text: str, name: TellingName, match: re.Match[str]) -> Finding | None:
    """`name = value`, and what means the same elsewhere."""
    quoted = match["quoted"] is not None
    if not quoted and match["sign"] in _COMPARISONS:
        return None  # a question about a variable
    if match["scheme"] and match["scheme"].lower().startswith("basic"):
        return None  # a rule of its own decodes it
    value, start = _value(match)
    if len(value) < _SHORTEST or (quoted and is_glue(value)):
        return None
    doubtful = match["sign"] in (",", "|") or (
        match["sign"][0] == ">" and text[name.start - 1 : name.start] != "<"
    )
    if name.tells == "password":
        judge = _quoted_password if quoted else _bare_password
        confidence = judge(value, match, doubtful)
    else:
        weak = name.tells == "key" and not match["scheme"]
        confidence = _secret(value, quoted=quoted, weak=weak or (doubtful and not is_uuid(value)))
    return _finding(name, start, value, confidence)


def _compared(text: str, name: TellingName) -> Finding | None:
    """`"value" == name`."""
    if not text[max(0, name.start - 3) : name.start].rstrip().endswith("="):
        return None
    from_ = max(0, name.start - _LONGEST_COMPARED)
    match = _COMPARED.search(text[from_ : name.start])
    if match is None:
        return None
    value = match["value"]
    confidence = _secret(value, quoted=True, weak=name.tells == "key")
    return _finding(name, from_ + match.start("value"), value, confidence)


def _spoken(text: str, name: TellingName) -> Finding | None:
    """`the secret for the shop is value`. Passwords have a page of their own."""
    if name.tells == "password" or (match := _SPOKEN.match(text, name.end)) is None:
        return None
    value, start = _value(match)
    confidence = _secret(value, quoted=match["quoted"] is not None, weak=name.tells == "key")
    return _finding(name, start, value, confidence)


def _on_command_line(text: str, name: TellingName) -> Finding | None:
    """`--password value`, `password "value"`, and `login x password value` as netrc files say."""
    match = _UNSIGNED.match(text, name.end)
    if match is None:
        return None
    value, start = _value(match)
    option = text[name.start : name.start + 1] == "-"
    if option and not value.startswith("-"):
        usual = is_usual(value) if name.tells == "password" else not _looks_random(value, _SHORTEST_SECRET)
        confidence = 0.0 if usual or _is_no_password(value) or len(value) < _SHORTEST else 0.8
    elif name.tells == "key" or match["quoted"] is None:
        known = len(value) >= _SHORTEST_KEY and name.tells != "password"
        confidence = _secret(value, quoted=False, weak=True) if known else 0.0
    else:
        confidence = _secret(value, quoted=True, weak=False)
    return _finding(name, start, value, confidence)


def _finding(name: TellingName, start: int, value: str, confidence: float) -> Finding | None:
    if not confidence:
        return None
    kind = "password" if name.tells == "password" else "secret"
    return Finding(
        kind=kind, start=start, end=start + len(value), confidence=confidence, detail=f"{kind}.named-value"
    )


def _value(match: re.Match[str]) -> tuple[str, int]:
    """A match's value without what belongs to the sentence or the line, and its place."""
    if match["quoted"] is not None:
        return match["quoted"], match.start("quoted")
    value = match["bare"]
    if cut := _QUERY.search(value):
        value = value[: cut.start()]
    if value.endswith(_ELLIPSIS):
        return value, match.start("bare")
    while value and value[-1] in _SENTENCE_END and not _is_closed(value):
        value = value[:-1]
    return value, match.start("bare")


def _is_closed(value: str) -> bool:
    """Whether a bracket at the end was opened in the value."""
    opened = {")": "(", "]": "[", "}": "{"}.get(value[-1])
    return opened is not None and opened in value


def _is_no_password(value: str) -> bool:
    return is_placeholder(value) or is_usual(value) or is_name(value) or not any(map(str.isalnum, value))


def _quoted_password(value: str, _: re.Match[str], doubtful: bool) -> float:  # noqa: FBT001 - as its twin
    """How sure it is that a text behind the name of a password is one."""
    if _is_no_password(value) or speaks(value) or is_path(value):
        return 0.0
    if doubtful and (not is_mixed(value) or is_wordlike(value)):
        return 0.0
    return 0.7 if doubtful else 0.85


def _bare_password(value: str, match: re.Match[str], doubtful: bool) -> float:  # noqa: FBT001 - as its twin
    """How sure it is that a value without quotes behind the name of a password is one."""
    in_connection = match["sign"] == "=" and match.string[match.end("bare") : match.end("bare") + 1] == ";"
    if in_connection and match["close"] == "" and value.isalpha() and " " not in match[0]:
        return 0.0 if is_placeholder(value) else 0.6
    if _is_no_password(value) or is_code(value) or is_path(value):
        return 0.0
    if is_mixed(value):
        return 0.85 if not doubtful or not is_wordlike(value) else 0.0
    # A word: a value in a file of settings, a variable in code, just a word in a sentence.
    assigned = match["sign"] == "=" and match.start("sign") == match.end("close") and not match["more"]
    in_settings = match["sign"] in (":", "=>") and not match["more"] and value.islower()
    return 0.6 if assigned or in_settings else 0.0


def _secret(value: str, *, quoted: bool, weak: bool) -> float:
    """How sure it is that a value behind the name of a secret is one."""
    if is_placeholder(value) or is_name(value) or (not quoted and is_code(value)):
        return 0.0
    if weak:
        return 0.7 if _looks_random(value, _SHORTEST_KEY) and not is_uuid(value) else 0.0
    return 0.85 if _looks_random(value, _SHORTEST_SECRET if quoted else _SHORTEST_RANDOM) else 0.0


def _looks_random(value: str, shortest: int) -> bool:
    """Whether a value is no word, number, path or address."""
    if value.isdigit():
        return len(value) in _NUMBERS
    if len(value) < shortest or " " in value or bits(value) < _RANDOM_BITS:
        return False
    digits = any(map(str.isdigit, value))
    letters = any(map(str.isalpha, value))
    if len(set(_SIGNS.findall(value))) >= _FEW_SIGNS and letters:
        return True
    if is_wordlike(value):
        return False
    if digits and letters:
        return True
    return (
        letters
        and len(value) >= _SHORTEST_LETTERS
        and "_" not in value
        and len(_TURN.findall(value)) * _TRANSITIONS >= len(value)
    )


def is_mixed(value: str) -> bool:
    """Whether a value holds what words don't: a digit, a sign within, or capitals beyond the first letter."""
    value = value.strip("()[]{}<>*_.!?")
    inner = value[1:]
    return any(not character.isalpha() and character not in "'-/" for character in value) or (
        inner != inner.lower() and not value.isupper()
    )
