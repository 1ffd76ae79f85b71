"""What kind of a value stands behind a name: somebody's own, or something that only holds its place."""

import re
from collections import Counter
from math import log2

_TEMPLATE = re.compile(
    r"(?is)<.*|&lt\b.*|\{\{.*|[$#@!]?[$#@!]\{.*|\$[(\[].*|\$\$?[a-z_]\w*(?:[./@-].*)?|%[({].*|%\w+%?|\[.*\]"
    r"|\{[\w.: ]*\}|!\w+ .*|ENC\[.*|[#.][a-z]+(?:-[a-z]+)*"
)
_MASK = re.compile(r"(?is)[*.x#?_•●…·-]+|.*(?:x{5}|\*{3}|#{4}|\.{3}|…|0{8}|•{3}).*")
_SAMPLE = re.compile(
    r"(?is)(?:.{0,200}?(?:example|placeholder|redacted|masked|dummy|sample|fake|not[_-]?(?:a[_-]|real)"
    r"|change[_ -]?(?:me|it|this)|to[_ -]?be[_ -]|fill[_ -]?(?:me|in)"
    r"|(?:goes|put|key|token|password|secret|value)[_ -]?here)"
    r"|your[a-z_ -]*\Z"
    r"|(?:your|insert|enter|replace|change|choose|provide|supply|specify|use|put|add|type|paste)[_ -]"
    r"|(?:https?|ftp|file)://[^@]*\Z)"
)
_NO_VALUE = re.compile(
    r"(?i)none|null|nil|true|false|undefined|empty|required|optional|default|todo|tbd|n/?a|unset|blank|hidden"
    r"|removed|encrypted|generated|random|unknown"
    r"|(?:text|string|str|number|int|integer|bool|boolean|bytes|any|object|uuid)(?:\[\])?"
)
_CODE = re.compile(
    r"(?:\{?[A-Za-z_$][\w$]*(?:(?:\??\.|::|->)[A-Za-z_$][\w$]*)*\??[(\[].*"  # a call or an item
    r"|[A-Za-z_$]\w*(?:(?:\??\.|::|->)[A-Za-z_$][A-Za-z_]*)+"  # an attribute
    r"|(?:os|process|self|this|env|config|settings|args|request|params|var|local|data|module|secrets|vars)\..*"
    r"|[^\w\s]{1,3}[A-Za-z_>$.-]{1,40}[(\[.].*|\([A-Za-z]*"
    r"|(?:function|new|await|lambda)\b.*|\(?\)? ?=>.*)",
    re.DOTALL,
)
_GLUE = re.compile(r"[+.,)\]}|&] .*|\s.*|.*\s[+.]\s?|,\w+:|\.\$.*", re.DOTALL)
_READ = 200
"""Characters of a value that are looked at to know it for a placeholder."""
_TELLING = re.compile(r"(?i)pass|pwd|secret|token|key|cred|auth|login|user|api")
_PART = re.compile(r"[-_./: @+]+")
_WORDLIKE = re.compile(
    r"[A-Za-z]*[0-9]{0,3}|[A-Z]{2,}|[0-9]{1,12}|[0-9]{1,4}[a-z]{0,2}|[A-Z]?[a-z]+(?:[A-Z][a-z]+){1,6}[0-9]{0,3}"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PATH = re.compile(r"(?:~|\.{1,2})?/(?:[\w.@-]{1,40}/){0,12}+[\w.@-]{0,40}|[A-Za-z]:\\.*", re.DOTALL)
_FILE = re.compile(
    r"[\w./-]+\.(?:py|js|ts|go|rb|java|json|ya?ml|toml|txt|pem|key|crt|cer|env|cfg|conf|ini|xml|html?|md|sh|log|gpg)"
)
_ADDRESS = re.compile(
    r"[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|(?:[\w-]{1,63}\.){1,8}(?:com|org|net|io|dev|local|internal|cn)(?::[0-9]+)?(?:/.*)?"
)
_PLAIN = frozenset(
    {"password", "passwd", "pass", "pwd", "secret", "token", "key", "user", "username", "login"}
)


def is_placeholder(value: str) -> bool:
    """Whether a value is a template, a mask or a sample rather than somebody's own."""
    value = value[:_READ].strip("'\"")
    return not value or bool(
        _TEMPLATE.fullmatch(value)
        or _MASK.fullmatch(value)
        or _SAMPLE.match(value)
        or _NO_VALUE.fullmatch(value)
    )


def is_name(value: str) -> bool:
    """Whether a value only names what should stand there: `db_password`, `userToken`, `secret`."""
    parts = [part for part in _PART.split(value) if part]
    if not all(map(str.isalpha, parts)) or not _TELLING.search(value):
        return False
    return len(parts) > 1 or value.lower() in _PLAIN or value != value.lower()


def is_glue(value: str) -> bool:
    """Whether what stands between two quotes is the code between two texts: ` + name + `."""
    return _GLUE.fullmatch(value) is not None


def is_code(value: str) -> bool:
    """Whether a value without quotes is an expression that gets its value elsewhere."""
    return _CODE.fullmatch(value) is not None


def is_wordlike(value: str) -> bool:
    """Whether a value is made of words and short numbers, as identifiers, paths and addresses are."""
    if len(value) > _READ:
        return False
    return (
        all(_WORDLIKE.fullmatch(part) for part in _PART.split(value))
        or _PATH.fullmatch(value) is not None
        or _FILE.fullmatch(value) is not None
        or _ADDRESS.fullmatch(value) is not None
    )


def is_path(value: str) -> bool:
    """Whether a value leads to a file: `/run/secrets/password`."""
    return value.startswith(("/", "\\", "~/", "./", "../")) and _PATH.fullmatch(value) is not None


def is_uuid(value: str) -> bool:
    """Whether a value is a UUID, which names things more often than it opens them."""
    return _UUID.fullmatch(value) is not None


def bits(value: str) -> float:
    """Shannon's entropy of a value's characters, per character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values())
