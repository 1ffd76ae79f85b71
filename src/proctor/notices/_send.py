"""One message to one address, by `apprise`. Knows no approval.

Nothing of an address leaves this module: `apprise` logs hosts, paths and tokens, so its log is cut off, and
what failed is told in words of our own.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from proctor.core import MissingSetting
from proctor.notices._texts import Message

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

_TALKATIVE = ("urllib3", "requests_oauthlib", "oauthlib")
"""Loggers that tell whole addresses and tokens when they debug."""
_STATUS = re.compile(r"\berror=(\d{3})\b")


SLACK = 5.0
"""Seconds that a service has to answer after nobody waits for it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way to reach one recipient, or several where they can't be told apart."""

    name: str
    """How the outbox calls it: `slack:1`, `mailto:2:ann@example.org`. It holds no secret."""
    url: str
    mailbox: str = ""
    """The one mailbox that a mail goes to."""


def targets(urls: Sequence[str]) -> tuple[Target, ...]:
    """The ways that a role's addresses offer: mail to several recipients is one for each.

    An address that can't be read is kept: sending to it tells so. This loads `apprise`, which takes most of a
    second, so it is no work for the event loop.
    """
    found = []
    for place, url in enumerate(urls, start=1):
        scheme = url.partition("://")[0].lower() if "://" in url else "unreadable"
        name = f"{scheme[:32]}:{place}"
        mailboxes = _mailboxes(_plugin(url))
        if mailboxes:
            found += [Target(name=f"{name}:{mailbox}", url=url, mailbox=mailbox) for mailbox in mailboxes]
        else:
            found.append(Target(name=name, url=url))
    return tuple(found)


def send(target: Target, message: Message, timeout: timedelta) -> str:
    """Why the message wasn't taken; empty where it was. It blocks."""
    import apprise

    plugin: Any = _plugin(target.url)
    if plugin is None:
        return "the address can't be read, or names a service that apprise doesn't know"
    # Longer than the caller waits, who has better words for it. What the address itself says stands above.
    patience = timeout.total_seconds() + SLACK
    if plugin.socket_connect_timeout == type(plugin).socket_connect_timeout:
        plugin.socket_connect_timeout = patience
    if plugin.socket_read_timeout == type(plugin).socket_read_timeout:
        plugin.socket_read_timeout = patience
    if target.mailbox:
        plugin.targets = [(name, address) for name, address in plugin.targets if address == target.mailbox]
    sender = apprise.Apprise(asset=_asset())
    sender.add(plugin)
    text = apprise.NotifyFormat.TEXT
    result = sender.notify(body=message.body, title=message.subject, body_format=text)
    if result:
        return ""
    for one in result:
        for attempt in one:
            for entry in attempt:
                if status := _STATUS.search(entry.message):
                    return f"the service answered with HTTP status {status[1]}"
    return "the service can't be reached, or refused the message"


def _mailboxes(plugin: Any) -> tuple[str, ...]:
    """The recipients of a mail, where each gets it alone: who is in copy would get another one's link."""
    from apprise.plugins.email import NotifyEmail

    if not isinstance(plugin, NotifyEmail) or plugin.cc or plugin.bcc:
        return ()
    return tuple(dict.fromkeys(address for _, address in plugin.targets))


def _plugin(url: str) -> "NotifyBase | None":
    """A fresh sender for an address: one that was used before would hold the next message back."""
    _load()
    from apprise import Apprise

    found: NotifyBase | None = Apprise.instantiate(url, asset=_asset())
    return found


@cache
def _load() -> None:
    """Loads `apprise` with its log cut off.

    Raises:
        MissingSetting: it isn't installed.
    """
    try:
        import apprise  # noqa: F401 - loads it
    except ImportError:
        raise MissingSetting(
            "roles have `notify` addresses, but what sends to them isn't installed",
            hint="Install it: pip install 'proctor-runtime[notify]'",
        ) from None
    log = logging.getLogger("apprise")
    log.addFilter(_cut)
    log.propagate = False
    log.addHandler(logging.NullHandler())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)


def _cut(record: logging.LogRecord) -> bool:
    """Lets only HTTP statuses through: all else may hold a secret, whoever listens."""
    status = _STATUS.search(record.getMessage())
    if status is not None:
        record.msg, record.args, record.exc_info = status[0], (), None
    return status is not None


@cache
def _asset() -> "AppriseAsset":
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="Proctor",
        app_desc="Proctor",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        secure_logging=True,
        storage_mode="memory",
        service_timeout=0,  # else it sends in threads that a process waits for at its end
    )
