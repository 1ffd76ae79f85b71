"""E-mail addresses and IP addresses."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv6Address

from proctor.policies.personal._labels import label_before

_LATIN = r"A-Za-z0-9\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_HAN = r"\u3400-\u9fff"
_IN_LEET = r"(?:c0m|0rg|n3t|3du|g0v|1nf0|inf0|c0|d3|35)"
"""Top-level domains as leet writes them; the rest of an address can't be told from other addresses."""
_TOP = rf"(?:xn--[A-Za-z0-9-]{{2,59}}|{_IN_LEET}|[A-Za-z\u00c0-\u024f\u0400-\u052f]{{2,24}})"
_ANOTHER_AT = re.compile(r"(?<![A-Za-z0-9.@])[A-Za-z0-9.]{1,30}@(?:[A-Za-z0-9.]{0,30}@)?\Z")
"""In leet an `@` may also be a letter."""
_HAN_DOMAIN = rf"(?:[{_HAN}A-Za-z0-9-]{{1,30}}\.){{1,4}}[{_HAN}]{{2,8}}"
_EMAIL = re.compile(
    rf"(?<![{_LATIN}.!#$%&'*+/=?^_`{{|}}~-])(?P<local>[{_LATIN}!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}+)@"
    rf"(?P<domain>(?:[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?\.){{1,8}}{_TOP}|{_HAN_DOMAIN})(?![{_LATIN}])"
)
_HAN_EMAIL = re.compile(
    rf"(?<![{_HAN}A-Za-z0-9._-])[{_HAN}][{_HAN}A-Za-z0-9._-]{{0,30}}+@"
    rf"(?:{_HAN_DOMAIN}|(?:[{_HAN}A-Za-z0-9-]{{1,40}}\.){{1,4}}[A-Za-z]{{2,24}})"
)
_QUOTED_EMAIL = re.compile(r"\"[^\"\n@]{1,64}\"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_LITERAL_EMAIL = re.compile(r"(?<![A-Za-z0-9.+_-])[A-Za-z0-9._+-]{1,64}+@\[[0-9A-Fa-f.:]{2,45}\]")
_DOT = r" ?(?:[(\[{<]dot[)\]}>]| dot |点) ?"
_SPOKEN = re.compile(
    rf"(?<![A-Za-z0-9._-])(?P<local>[A-Za-z0-9][A-Za-z0-9._+-]{{1,63}}+(?:{_DOT}[A-Za-z0-9]{{1,30}})?)"
    r" ?(?:[(\[{<](?:at|@)[)\]}>]| at |艾特) ?"
    rf"[A-Za-z0-9-]{{2,63}}(?:(?:{_DOT}|\.)[A-Za-z0-9-]{{2,63}}){{0,3}}(?:{_DOT}|\.)(?P<top>[A-Za-z]{{2,10}})\b",
    re.IGNORECASE,
)
_AT_SIGNS = (" at ", " AT ", " At ", "at)", "at]", "at}", "at>", "AT", "@)", "@]", "艾特")
_SPOKEN_SIGN = re.compile(r"(?i)[(\[{<](?:at|@)[)\]}>]| at [a-z0-9-]{2,63}(?: dot |\.)|艾特")
_PLAIN_AT = re.compile(r"(?i) at [a-z0-9-]{2,63}\.")
_TOP_LEVELS = frozenset(
    [
        "com",
        "org",
        "net",
        "edu",
        "gov",
        "io",
        "co",
        "uk",
        "de",
        "fr",
        "es",
        "it",
        "cn",
        "jp",
        "in",
        "au",
        "ca",
        "us",
        "eu",
        "ru",
        "br",
        "nl",
        "se",
        "ch",
        "me",
        "info",
        "biz",
        "app",
        "dev",
        "ai",
        "tv",
        "hk",
        "tw",
        "sg",
        "kr",
        "mil",
        "int",
        "pl",
        "pt",
        "be",
        "at",
        "dk",
        "fi",
        "no",
        "cz",
        "gr",
        "ie",
        "nz",
        "za",
        "mx",
        "ar",
        "cl",
    ]
)
_FILE_ENDINGS = ("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "html")
_IN_ADDRESS = re.compile(r"://[^\s/]{0,80}\Z")


def emails(text: str) -> Iterator[tuple[int, int, float]]:
    """Where e-mail addresses stand, also spelt out: `li at example dot com`."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            local = match["local"].lstrip("'.*|/=`")
            start = match.end("local") - len(local)
            if before := _ANOTHER_AT.search(text, max(0, start - 64), start):
                start = before.start()
            if local and not _means_something_else(text, start, match):
                yield start, match.end(), 0.98
        for pattern in (_HAN_EMAIL, _QUOTED_EMAIL, _LITERAL_EMAIL):
            for match in pattern.finditer(text):
                yield *match.span(), 0.9
    if any(sign in text for sign in _AT_SIGNS) and _SPOKEN_SIGN.search(text):
        for match in _SPOKEN.finditer(text):
            if match["top"].lower() in _TOP_LEVELS and _is_spoken(match[0], match["local"]):
                yield *match.span(), 0.85


def _means_something_else(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether it is a file, a repository or who logs in to a host."""
    after = text[match.end() : match.end() + 1]
    return (
        match["domain"].rpartition(".")[2] in _FILE_ENDINGS
        or after == "/"
        or (after == ":" and match["local"] == "git")
        or _IN_ADDRESS.search(text, max(0, start - 84), start) is not None
    )


def _is_spoken(written: str, local: str) -> bool:
    """Whether more than `look at example.com` is meant."""
    return not _PLAIN_AT.search(written) or any(not letter.isalpha() for letter in local)


_V4 = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][-./])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}"
    r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?![0-9A-Za-z_])(?!\.[0-9])(?!-[0-9A-Za-z])"
)
_V6 = re.compile(
    r"(?<![0-9A-Za-z_.])(?<![0-9A-Fa-f:]:)(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}+"
    r"(?:[0-9A-Fa-f]{1,4})?(?:(?:\.[0-9]{1,3}){3})?(?![0-9A-Za-z_])(?!:[0-9A-Fa-f])"
    r"|(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{3,4}::[0-9A-Fa-f]{0,4}(?![0-9A-Za-z_:])"
)
_DOTTED = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_NOBODYS = ("127.", "0.", "255.")
_VERSION_LIKE = 20
"""Four parts that are all lower are as likely a version or a chapter."""
_FEWEST_GROUPS = 3


def ip_addresses(text: str) -> Iterator[tuple[int, int, float]]:
    """Where IP addresses stand that may be somebody's: no version numbers, loopbacks or masks."""
    if _DOTTED.search(text):
        for match in _V4.finditer(text):
            label = label_before(text, match.start())
            low = all(int(part) < _VERSION_LIKE for part in match[0].split("."))
            if (
                match[0].startswith(_NOBODYS)
                or label in ("version", "other")
                or (low and label not in ("ip", "address"))
            ):
                continue
            yield *match.span(), 0.9
    if _COLONS.search(text):
        for match in _V6.finditer(text):
            if _is_v6(match[0]):
                yield *match.span(), 0.9


def _is_v6(written: str) -> bool:
    try:
        address = IPv6Address(written)
    except AddressValueError:
        return False
    groups = [group for group in written.split(":") if group]
    telling = len(groups) >= _FEWEST_GROUPS or written.lower().startswith(("fe80", "fc", "fd", "2"))
    return telling and any(map(str.isdigit, written)) and not address.is_loopback
