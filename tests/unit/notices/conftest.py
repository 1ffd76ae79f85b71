"""An outbox on each kind of database, and real receivers for what it sends."""

from collections.abc import Iterator

import pytest

from servers.notice_desk import Desk
from servers.receivers import Mailbox, Webhook, mail_server, webhook_receiver


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


@pytest.fixture
def mails() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook_receiver() as receiver:
        yield receiver
