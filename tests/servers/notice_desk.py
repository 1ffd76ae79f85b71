"""An outbox over questions that a test holds in its hand."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from proctor.core import Decision, NotFound, NoticeSettings
from proctor.notices import Audience, DecisionPage, Due, Kind, LinkKey, Matter, Notice, Notices
from proctor.store import Database
from proctor.testing import FakeClock

KEY = LinkKey(b"k" * 32)
LINKED = NoticeSettings(
    link_base="https://proctor.example.org", link_key_env="KEY", timeout=timedelta(seconds=5)
)
ACTION = {"server": "shop", "tool": "refund", "arguments": {"order": 7, "amount": 120}}


def matter(id: str = "apr_1", **more: object) -> Matter:
    plain = Matter(
        id=id,
        run_id="run_1",
        team="desk",
        agent="clerk",
        waits=True,
        needs_names=False,
        text="clerk wants to call refund.",
        why=("rule: refunds", "risk: money leaves"),
        action=ACTION,
        digest="d1",
        roles=("manager",),
        expires_at=None,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


@dataclass
class Desk:
    """Questions, what is still to be told of them, and what was decided."""

    url: str
    clock: FakeClock = field(default_factory=FakeClock)
    matters: dict[str, Matter] = field(default_factory=dict)
    dues: list[Due] = field(default_factory=list)
    decided: list[tuple[str, Decision]] = field(default_factory=list)
    key: LinkKey | None = KEY
    settings: NoticeSettings = LINKED

    def ask(self, asked: Matter, kind: Kind = "requested", round: str = "1") -> None:
        self.matters[asked.id] = asked
        self.dues.append(Due(matter=asked, kind=kind, round=round))

    def find(self, _connection: Connection, id: str) -> Matter:
        if id not in self.matters:
            raise NotFound(f"there is no approval {id}")
        return self.matters[id]

    def look(self, _connection: Connection, _at: datetime) -> bool:
        return bool(self.dues)

    def due(self, _connection: Connection, _at: datetime) -> Sequence[Due]:
        return self.dues

    @asynccontextmanager
    async def notices(self, *audiences: Audience) -> AsyncIterator[Notices]:
        async with await Database.open(self.url) as database:
            yield Notices(
                database,
                clock=self.clock,
                settings=self.settings,
                key=self.key,
                audiences={audience.role: audience for audience in audiences},
                find=self.find,
                look=self.look,
                due=self.due,
            )

    def page(self, database: Database, key: LinkKey = KEY) -> DecisionPage:
        async def decide(
            approval_id: str, decision: Decision, *, also: Callable[[Connection], None], link_of: str
        ) -> object:
            def apply(connection: Connection) -> None:
                also(connection)

            await database.commit(apply)
            self.decided.append((approval_id, decision))
            return None

        return DecisionPage(
            database,
            clock=self.clock,
            key=key,
            find=self.find,
            decide=decide,
            languages={"chef": "zh"},
        )


async def only(notices: Notices) -> Notice:
    (found,) = await notices.page()
    return found
