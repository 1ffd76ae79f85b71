"""Addresses in texts, and whether they lead to one of some hosts, however the host is written."""

import re
import socket
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from proctor.tools._hidden import without_hidden
from proctor.tools._words import words_of

Address: TypeAlias = IPv4Address | IPv6Address

_WEB = frozenset({"http", "https", "ws", "wss", "ftp", "ftps"})
_LONGEST = 4096
_AROUND = "\x00\x20\t\r\n\u3000\xa0<>()[]\"'`"
"""What may stand around an address in a text."""
_ADDRESS_WORDS = frozenset(
    {
        *("url", "urls", "uri", "uris", "href", "host", "hosts", "hostname", "endpoint", "webhook", "proxy"),
        *("baseurl", "网址", "链接地址"),
    }
)
"""Words in an argument's name that say that it is an address, also without `https://`."""
_MAYBE_WORDS = frozenset(
    {"link", "links", "domain", "domains", "site", "website", "server", "origin", "callback"}
)
"""Words after which a text is an address if it looks like a host."""

_WHOLE = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,30}:)?[/\\]{2}|(?:https?|wss?|ftps?|file):|(?:javascript|vbscript|blob|view-source):"
    r"|data:[\w/+.;=-]*,",
    re.IGNORECASE,
)
"""How a text begins that is an address by itself."""
_LIKE_HOST = re.compile(r"[^\s/?#]{1,253}[.:][^\s/?#]{1,253}(?:[/?#]\S*)?|localhost\b.*", re.IGNORECASE)
_BLANK = re.compile(r"[\x00-\x20\x7f-\xa0]")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?")
_OWN = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain", "test", "invalid")
"""Ends of names that are no public host's."""


@lru_cache(maxsize=4096)
def _says(name: str) -> bool | None:
    """Whether an argument's name says that it is an address; nothing where it may be one."""
    words = set(words_of(name[:_LONGEST]))
    if words & _ADDRESS_WORDS:
        return True
    return None if words & _MAYBE_WORDS else False


def may_be_address(name: str, value: str) -> bool:
    """Whether a text may be read as an address, by its argument's name or else by itself."""
    if _WHOLE.match(_bare(value)) is not None:
        return True
    said = _says(name)
    return said is True or (said is None and _LIKE_HOST.fullmatch(value.strip()) is not None)


class Hosts:
    """The hosts to which addresses may lead: `example.com`, `*.example.com`, `example.com:8443`, an IP.

    `*` is any public host. What isn't public, this machine above all, has to be named itself.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._exact: set[tuple[str | Address, int | None]] = set()
        self._above: set[tuple[str, int | None]] = set()
        self._public = False
        for pattern in patterns:
            host, port = _host_and_port(pattern)
            if pattern == "*":
                self._public = True
            elif host.startswith("*."):
                self._above.add((_canonical(host[2:]), port))
            else:
                self._exact.add((_as_ip(_canonical(host)) or _canonical(host), port))

    def why_not(self, value: str) -> str:
        """Why an address may not be followed, as half a sentence; empty where it may."""
        text = value.strip()
        if not text or text.casefold() == "about:blank" or (text[0] in "/?#" and not _WHOLE.match(text)):
            return ""  # goes on from a page that was reached
        if len(text) > _LONGEST or _BLANK.search(text) or "\\" in text:
            return "is no plain address: it is too long, or holds blanks or backslashes"
        if text.startswith("//"):
            text = f"https:{text}"
        elif not _WHOLE.match(text):
            text = f"https://{text}"
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return "is no address that can be read"
        if parts.scheme.casefold() not in _WEB or not re.match(r"[a-z]+://[^/]", text, re.IGNORECASE):
            return "is no whole address of the web"
        if "@" in parts.netloc:
            return "names a user before its host, behind which another host may hide"
        return self._why_not_host(parts, port)

    def _why_not_host(self, parts: SplitResult, port: int | None) -> str:
        host = _canonical(parts.hostname or "")
        if "%" in host:
            return "hides its host behind percent signs"
        address = _as_ip(host)
        if address is None and not _HOST.fullmatch(host):
            return "has a host that can't be read"
        port = port or {"http": 80, "ws": 80, "https": 443, "wss": 443}.get(parts.scheme.casefold(), 21)
        if self._is_named(address or host, port):
            return ""
        if self._public and (address.is_global if address else _is_public(host)):
            return ""
        return f"leads to {address or host}, which is no host for this tool"

    def _is_named(self, host: str | Address, port: int) -> bool:
        if not {(host, None), (host, port)}.isdisjoint(self._exact):
            return True
        if not isinstance(host, str):
            return False
        labels = host.split(".")
        above = {".".join(labels[place:]) for place in range(1, len(labels))}
        return any((one, each) in self._above for one in above for each in (None, port))


def _host_and_port(pattern: str) -> tuple[str, int | None]:
    host, colon, port = pattern.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return pattern.strip("[]"), None


def _canonical(host: str) -> str:
    """The host as resolvers read it: plain characters, small letters, no dot at its end.

    Beyond ASCII resolvers differ, so such a host is named by its `xn--` form alone.
    """
    return unicodedata.normalize("NFKC", host).lower().removesuffix(".")


def _as_ip(host: str) -> Address | None:
    """The IP that a host is, also as one number, in parts, or in other bases, as resolvers take it."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host)) if _HOST.fullmatch(host) else None
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(host: str) -> bool:
    return "." in host and not any(host == end or host.endswith(f".{end}") for end in _OWN)


def _bare(value: str) -> str:
    """The text as browsers take it: without blanks around it, and without what they drop within."""
    return re.sub(r"[\t\r\n]", "", without_hidden(value[:_LONGEST])[0].strip(_AROUND))
