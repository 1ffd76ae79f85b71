"""What kind of a value stands behind a name: somebody's own, or something that only holds its place."""

import re
from collections import Counter
from math import log2

_PLACEHOLDER = re.compile(
    r"(?is)"
    r"<.*|\{\{.*|[$#@!]?[$#@!]\{.*|\$[(\[].*|\$\$?[a-z_]\w*|%[({].*|%\w+%?|\[.*\]|\{[\w.: ]*\}|!\w+ .*|ENC\[.*"  # templates
    r"|[*.x#?_•●…·-]+|.*(?:x{5}|\*{3}|\.{3}|…|0{8}|•{3}).*"  # masks
    r"|.*(?:example|placeholder|redacted|masked|dummy|sample|fake|not[_-]?(?:a[_-]|real)|change[_ -]?(?:me|it|this)"
    r"|to[_ -]?be[_ -]|fill[_ -]?(?:me|in)|(?:goes|put|key|token|password|secret|value)[_ -]?here).*"
    r"|(?:your|insert|enter|replace|change|choose|provide|supply|specify|use|put|add|type|paste)(?![a-z]*[0-9])[_ -].*|your[a-z_ -]*"
    r"|(?:https?|ftp|file)://[^@]*"
    r"|none|null|nil|true|false|undefined|empty|(?:text|string|str|number|int|integer|bool|boolean|bytes|any|object|uuid)(?:\[\])?"
    r"|required|optional|default|todo|tbd|n/?a|unset|blank|hidden|removed|encrypted|generated|random|unknown"
)
_CODE = re.compile(
    r"(?:\{?[A-Za-z_$][\w$]*(?:(?:\??\.|::|->)[A-Za-z_$][\w$]*)*\??[(\[].*"  # a call or an item
    r"|[A-Za-z_$]\w*(?:(?:\??\.|::|->)[A-Za-z_$][A-Za-z_]*)+"  # an attribute
    r"|(?:os|process|self|this|env|config|settings|args|request|params|var|local|data|module|secrets|vars)\..*"
    r"|[(&*!@+|^-].{0,2}[A-Za-z_]+[(.].*|function\b.*|new\b.*|await\b.*|\(?\)? ?=>.*|lambda\b.*)",
    re.DOTALL,
)
_TELLING = re.compile(r"(?i)pass|pwd|secret|token|key|cred|auth|login|user|api")
_PART = re.compile(r"[-_./: @+]+")
_WORDLIKE = re.compile(
    r"[A-Za-z]*[0-9]{0,3}|[A-Z]{2,}|[0-9]{1,12}|[0-9]{1,4}[a-z]{0,2}|[A-Z]?[a-z]+(?:[A-Z][a-z]+){1,6}[0-9]{0,3}"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PATH = re.compile(
    r"(?:~|\.{1,2})?/(?:[\w.@-]{1,40}/?){1,12}|[A-Za-z]:\\.*|(?:[\w-]{1,30}/){2,9}[\w.-]{0,40}", re.DOTALL
)
_FILE = re.compile(
    r"[\w./-]+\.(?:py|js|ts|go|rb|java|json|ya?ml|toml|txt|pem|key|crt|cer|env|cfg|conf|ini|xml|html?|md|sh|log|gpg)"
)
_ADDRESS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:com|org|net|io|dev|local|internal|cn)(?::[0-9]+)?(?:/.*)?"
)
_SAME_LETTERS = 4


def is_placeholder(value: str) -> bool:
    """Whether a value is a template, a mask or a sample rather than somebody's own."""
    if _PLACEHOLDER.fullmatch(value) is not None:
        return True
    letters_only = all(part.isalpha() or not part for part in _PART.split(value))
    return letters_only and _TELLING.search(value) is not None


def is_code(value: str) -> bool:
    """Whether a value without quotes is an expression that gets its value elsewhere."""
    return _CODE.fullmatch(value) is not None


def is_wordlike(value: str) -> bool:
    """Whether a value is made of words and short numbers, as identifiers, paths and addresses are."""
    return (
        all(_WORDLIKE.fullmatch(part) for part in _PART.split(value))
        or _PATH.fullmatch(value) is not None
        or _FILE.fullmatch(value) is not None
        or _ADDRESS.fullmatch(value) is not None
    )


def is_uuid(value: str) -> bool:
    """Whether a value is a UUID, which names things more often than it opens them."""
    return _UUID.fullmatch(value) is not None


def bits(value: str) -> float:
    """Shannon's entropy of a value's characters, per character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values())
