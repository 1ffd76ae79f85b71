"""Secrets that show by their own form: tokens as providers publish them, and passwords inside addresses."""

import re
from collections.abc import Iterator

from proctor.policies._reading import Finding
from proctor.policies.secrets._placeholders import bits, is_placeholder
from proctor.policies.secrets._proofs import PROOFS
from proctor.policies.secrets._rules import SecretRule, secret_rules

_SHORTEST_TOKEN = 16
_LONG_WORD = 32
_NEAR = 100
_SAMPLE = re.compile(r"EXAMPLE|example|0{10}|1234567890")
_MASKED = re.compile(r"[xX]{5}|(?i:your)[_-]|\*\*\*|#{4}|placeholder")
_PROVEN, _FORMED, _UNPROVEN, _SAMPLED = 1.0, 0.95, 0.7, 0.3

_IN_ADDRESS = re.compile(
    r"(?<=://)(?P<user>[^\s:/@'\"<>]{0,100}):(?P<value>[^\s/'\"<>]{2,200}?)@(?=[\w\[$.{-])(?![^\s/]{0,80}@)",
    re.ASCII,
)
"""`scheme://name:password@host`."""
_TOKEN_IN_ADDRESS = re.compile(
    r"(?<=://)(?P<value>[A-Za-z0-9_-]{20,120})(?::x-oauth-basic)?@[\w\[]", re.ASCII
)
_USER = (
    r"(?<=\s)-(?:u|-user|-proxy-user|-auth|a)[ =]{0,3}[\"'{]{0,2}[^\s:\"'/]{0,60}[\"'}]{0,2}:"
    r"[\"'{]{0,2}(?P<value>[^\s\"'}]{4,100})"
)
_MYSQL = (
    r"(?:mysql(?:dump|admin)?|mariadb)\b[^\n|;]{0,80}? -p"
    r"(?P<value>[^\s\"']{4,60}|\"[^\"\n]{4,60}\"|'[^'\n]{4,60}')"
)
_SSHPASS = r"sshpass -p ?[\"']?(?P<value>[^\s\"']{4,60})"
_PSEXEC = r"(?i:psexec)(?:\.exe)?\b[^\n]{0,120}? -p (?P<value>[^\s\"']{3,60})"
_IDENTIFIED = r"(?i:identified (?:with \w{1,40} )?by) ?[\"'](?P<value>[^\"'\n]{3,80})[\"']"
_WITH_PASSWORD = r"(?i:with (?:encrypted )?password) [\"'](?P<value>[^\"'\n]{3,80})[\"']"
_CREDENTIAL = r"[Cc]redential\(\s{0,20}[\"'][^\"'\n]{1,80}[\"'],\s{0,20}[\"'](?P<value>[^\"'\n]{4,100})[\"']"
_ON_COMMAND_LINE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("-u", "--user", "--proxy-user", "--auth", "-a"), _USER),
    (("mysql", "mariadb"), _MYSQL),
    (("sshpass",), _SSHPASS),
    (("sexec", "SEXEC", "sExec"), _PSEXEC),
    (("dentified", "DENTIFIED"), _IDENTIFIED),
    (("assword ", "ASSWORD "), _WITH_PASSWORD),
    (("redential(",), _CREDENTIAL),
)
"""By what must stand in a text."""
_PLAIN_WORDS = frozenset({"password", "passwd", "pass", "pwd", "test"})
_LEAST_TOKEN_BITS = 3.3


def formed_secrets(text: str) -> Iterator[Finding]:
    """Where tokens of known form stand, and passwords in addresses and on command lines."""
    yield from _tokens(text)
    if "://" in text and "@" in text:
        for match in _IN_ADDRESS.finditer(text):
            value = match["value"]
            sample = value.lower() in _PLAIN_WORDS or value == match["user"]
            if not sample and not is_placeholder(value):
                yield _finding("in-address", *match.span("value"), 0.9)
        for match in _TOKEN_IN_ADDRESS.finditer(text):
            if bits(match["value"]) >= _LEAST_TOKEN_BITS and any(map(str.isdigit, match["value"])):
                yield _finding("in-address", *match.span("value"), 0.8)
    for words, pattern in _ON_COMMAND_LINE:
        if any(word in text for word in words):
            yield from _given(re.compile(pattern, re.ASCII), text)


def _given(pattern: re.Pattern[str], text: str) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        value = match["value"].strip("\"'<>")
        if not value.isdigit() and not is_placeholder(value) and value.lower() not in _PLAIN_WORDS:
            yield _finding("on-command-line", *match.span("value"), 0.85)


def _tokens(text: str) -> Iterator[Finding]:
    long_words = "\n".join([word for word in text.split() if len(word) >= _SHORTEST_TOKEN])
    has_longest = len(long_words) >= _LONG_WORD
    for rule in secret_rules():
        where = text if rule.spaced else long_words
        if not where or (not rule.keywords and not has_longest):
            continue
        for keyword in rule.keywords or ("",):
            if keyword in where:
                yield from _of_rule(rule, text)
                break


def _of_rule(rule: SecretRule, text: str) -> Iterator[Finding]:
    for match in rule.compiled.finditer(text):
        start, end = match.span("value" if "value" in rule.compiled.groupindex else 0)
        value = text[start:end]
        if bits(value[:400]) < rule.entropy or not _is_near(rule.near, text, match):
            continue
        confidence = _FORMED
        if rule.proof:
            proven = PROOFS[rule.proof](value)
            if not proven and rule.proof_needed:
                continue
            confidence = _PROVEN if proven else _UNPROVEN
        if confidence < _PROVEN and _MASKED.search(value):
            continue
        if confidence < _PROVEN and _SAMPLE.search(value):
            confidence = _SAMPLED
        yield _finding(rule.id, start, end, confidence)


def _is_near(words: tuple[str, ...], text: str, match: re.Match[str]) -> bool:
    if not words:
        return True
    around = text[max(0, match.start() - _NEAR) : match.end() + _NEAR].lower()
    return any(word in around for word in words)


def _finding(rule: str, start: int, end: int, confidence: float) -> Finding:
    return Finding(kind="secret", start=start, end=end, confidence=confidence, detail=f"secret.{rule}")
