"""To whom or where a call goes: what its arguments say of that, by names, schema and values.

Nothing here knows which of them may be trusted.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from proctor.core import JsonObject, JsonValue, ToolSpec

LONGEST = 100_000
"""Characters of a value that may be an address as a whole, more than servers take; a longer one is a text."""

LONGEST_NAME = 200
"""Characters of an argument's name that are looked at."""

_ALWAYS = frozenset(
    {
        *("to", "cc", "bcc", "recipient", "recipients", "receiver", "receivers", "addressee"),
        *("addressees", "payee", "payees", "beneficiary", "email", "emails", "mail", "phone", "mobile"),
        *("msisdn", "fax", "iban", "bic", "account", "wallet", "url", "urls", "uri", "uris", "href"),
        *("link", "webhook", "endpoint", "callback", "host", "hostname", "domain", "channel", "channels"),
        *("participant", "participants", "attendee", "attendees", "invitee", "invitees", "assignee"),
        *("assignees", "member", "members", "contact", "contacts", "user", "users", "userid", "username"),
        *("usernames", "handle", "destination", "dest", "target", "remote", "mailbox", "inbox"),
        *("subscriber", "subscribers", "followers", "audience", "chat"),
    }
)
"""Words in an argument's name that say to whom or where."""

_WITHIN = re.compile(
    "recipient|receiver|payee|beneficiar|email|iban|收件|收款|接收|抄送|邮箱|电话|账号|账户|网址|链接"
)
"""What says so anywhere in a name."""

_NEVER = frozenset({"date", "time", "day", "hour", "valid", "up", "range", "page", "limit", "max", "min"})
"""Beside `to`, words that make it an end and no recipient: `valid_to`."""

_FORMATS = frozenset(
    {
        *("email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
        *("uri", "url", "iri", "uri-reference", "iri-reference"),
    }
)
_DESCRIBED = re.compile(
    r"(?:(?:the|an?|list|of|optional|valid)\s+){0,4}(?:\w+\s+)?"
    r"(?:recipient|receiver|payee|beneficiary|e-?mail address|phone number|iban\b|bank account|webhook"
    r"|url\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]]{1,64}@[^\s@<>,;:\"()\[\]]{1,255}")
_NAMED_EMAIL = re.compile(r"[^@<>,;]{0,200}<([^\s@<>]{1,64}@[^\s@<>]{1,255})>")
_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:)?//\S+|(?:mailto|tel|sms|sip|xmpp):\S+|www\.\S+", re.IGNORECASE
)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One value that says to whom or where a call goes."""

    argument: str
    """Where it stands: `to`, `message.cc`."""
    value: str


class RecipientFinder:
    """Finds recipients in calls, and remembers of each tool what its schema says of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ToolSpec, frozenset[str]]] = {}

    def find(
        self, tool: ToolSpec, arguments: JsonObject, named: Collection[str] | None
    ) -> Iterator[Recipient]:
        """The recipients of a call, each once. Where arguments are `named`, it is these and no others."""
        described = frozenset(named) if named is not None else self._described(tool)
        seen: set[Recipient] = set()
        waiting: list[tuple[str, JsonValue, bool]] = [("", arguments, False)]
        while waiting:
            place, value, chosen = waiting.pop()
            if isinstance(value, Mapping):
                for name, item in value.items():
                    if "@" in name or "/" in name:  # `{"zed@example.org": "may write"}`
                        waiting.append((place, name, chosen))
                    path = f"{place}.{name}" if place else name
                    goes = chosen or name in described or path in described
                    waiting.append((path, item, goes or (named is None and _says_whom(name[:LONGEST_NAME]))))
            elif isinstance(value, Sequence) and not isinstance(value, str):
                waiting.extend((place, item, chosen) for item in value)
            else:
                parts = _parts(value) if chosen else _addresses(value) if named is None else ()
                found = [Recipient(argument=place, value=part) for part in parts]
                yield from (one for one in dict.fromkeys(found) if one not in seen)
                seen.update(found)

    def _described(self, tool: ToolSpec) -> frozenset[str]:
        key = (tool.server, tool.name)
        known = self._known.get(key)
        if known is None or known[0] is not tool:
            known = self._known[key] = (tool, frozenset(_by_schema(tool.parameters)))
        return known[1]


def forms_of(value: str) -> tuple[str, ...]:
    """The value as whoever gives orders may have written it, meaning the same recipient."""
    forms = [value]
    plain = re.sub(r"^(?:https?://|mailto:|tel:|[@#])", "", value, flags=re.IGNORECASE)
    for form in (value, plain):
        forms += [form, form.rstrip("/"), form.lower()]
    if _is_iban(value):
        compact = _compact(value)
        forms += [compact, " ".join(compact[at : at + 4] for at in range(0, len(compact), 4))]
    return tuple(dict.fromkeys(form for form in forms if len(form) > 1 or form == value))


@lru_cache(maxsize=4096)
def _says_whom(name: str) -> bool:
    name = unicodedata.normalize("NFKC", name)
    words = {word.lower() for word in _WORD.findall(name)}
    found = ({name.lower()} | words) & _ALWAYS
    if found and not (found == {"to"} and words & _NEVER):
        return True
    return _WITHIN.search(name.lower().replace("_", "").replace("-", "")) is not None


def _by_schema(schema: JsonValue) -> Iterator[str]:
    """Names of properties, anywhere in a schema, whose format or description says to whom or where."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            properties = part.get("properties")
            if isinstance(properties, Mapping):
                yield from (name for name, one in properties.items() if _is_described(one))
            waiting.extend(part.values())
        elif isinstance(part, Sequence) and not isinstance(part, str):
            waiting.extend(part)


def _is_described(schema: JsonValue) -> bool:
    if not isinstance(schema, Mapping):
        return False
    items = schema.get("items")
    formats = {str(one.get("format")) for one in (schema, items) if isinstance(one, Mapping)}
    return bool(formats & _FORMATS) or _DESCRIBED.match(str(schema.get("description", ""))) is not None


def _parts(value: JsonValue) -> Iterator[str]:
    """What an argument that says to whom holds: several where they are listed in one text."""
    if value is None or isinstance(value, bool):
        return
    text = str(value).strip()
    listed = [text] if _LINK.fullmatch(text) else re.split(r"[,;\n]", text)
    for part in map(str.strip, listed):
        if part:
            named = _NAMED_EMAIL.fullmatch(part)
            yield named[1] if named else part


def _addresses(value: JsonValue) -> Iterator[str]:
    """What a value holds that is nothing but addresses, whatever its argument is called."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return
    text = value.strip()
    if _is_iban(text):
        yield text
        return
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    bare = [part.strip("<>") for part in parts]
    if all(_EMAIL.fullmatch(part) or _LINK.fullmatch(part) for part in bare):
        yield from bare


def _is_iban(text: str) -> bool:
    compact = _compact(text)
    if not _IBAN.fullmatch(compact):
        return False
    # ISO 13616: the first four characters go to the end, letters count from 10, and the rest by 97 is 1.
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _compact(text: str) -> str:
    return re.sub(r"[ -]", "", text[:64]).upper() if len(text) <= 64 else ""  # noqa: PLR2004 - no IBAN is so long
