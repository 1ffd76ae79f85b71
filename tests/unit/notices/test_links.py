"""A link decides once, for one person, about one action; looking at it decides nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser

import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from proctor.core import Decision, MissingSetting, NoticeSettings
from proctor.notices import LinkKey, Matter
from proctor.store import Database
from servers.notice_desk import KEY, Desk, matter

FORM = {"decision": "approve", "comment": "fine"}
TO_ANN = {"voter": "ann@example.org", "role": "manager", "life": timedelta(days=3)}


@dataclass
class Browser:
    database: Database
    http: httpx2.AsyncClient
    desk: Desk

    async def link(self, asked: Matter, **more: object) -> str:
        self.desk.matters[asked.id] = asked
        options = {"notice_id": "ntc_1", "at": self.desk.clock.now(), **TO_ANN, **more}
        token = await self.database.commit(lambda connection: KEY.make(connection, asked, **options))  # type: ignore[arg-type]
        return f"/decide/{token}"


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}


@asynccontextmanager
async def browser(desk: Desk, key: LinkKey = KEY) -> AsyncIterator[Browser]:
    async with await Database.open(desk.url) as database:
        transport = httpx2.ASGITransport(app=Starlette(routes=[desk.page(database, key).route]))
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://proctor") as http,
            asyncio.timeout(30),
        ):
            yield Browser(database, http, desk)


async def test_a_link_decides_once_as_the_person_it_was_sent_to(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        first = await there.http.post(link, data=FORM)
        second = await there.http.post(link, data={"decision": "reject"})
        look = await there.http.get(link)
    assert (first.status_code, second.status_code, look.status_code) == (200, 410, 410)
    assert desk.decided == [
        ("apr_1", Decision(kind="approve", comment="fine", by="ann@example.org", digest="d1"))
    ]


async def test_looking_at_a_link_never_decides(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        looks = [await there.http.get(link, params=FORM) for _ in range(3)]
        head = await there.http.head(link)
        other = await there.http.put(link, data=FORM)
    assert [look.status_code for look in looks] == [200] * 3
    assert (head.status_code, other.status_code) == (200, 405)
    assert desk.decided == []


async def test_of_two_who_press_at_once_one_decides(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        answers = await asyncio.gather(*(there.http.post(link, data=FORM) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410, 410]
    assert len(desk.decided) == 1


async def test_a_changed_link_is_refused_and_tells_nothing(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        tampered = link[:-1] + ("A" if link[-1] != "A" else "B")
        answers = [
            await there.http.get(tampered),
            await there.http.post(tampered, data=FORM),
            await there.http.get("/decide/" + "A" * 64),
            await there.http.get("/decide/nonsense!"),
        ]
    assert [answer.status_code for answer in answers] == [403, 403, 404, 404]
    assert not any("refund" in answer.text or "apr_1" in answer.text for answer in answers)
    assert desk.decided == []


async def test_who_writes_into_the_database_can_not_make_a_link_say_more(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        await there.database.commit(
            lambda connection: connection.execute(text("UPDATE links SET voter = 'eve@example.org'"))
        )
        answer = await there.http.post(link, data=FORM)
    assert (answer.status_code, desk.decided) == (403, [])


async def test_a_link_of_another_key_is_refused(desk: Desk) -> None:
    async with browser(desk, LinkKey(b"other" * 8)) as there:
        answer = await there.http.get(await there.link(matter()))
    assert answer.status_code == 403


async def test_the_database_holds_nothing_that_a_link_could_be_made_of(desk: Desk) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        rows = await there.database.read(
            lambda connection: connection.execute(text("SELECT * FROM links")).all()
        )
    token = link.removeprefix("/decide/")
    assert token[:20] not in str(rows)


async def test_a_link_ends_with_its_time_and_with_its_question(desk: Desk) -> None:
    async with browser(desk) as there:
        now = desk.clock.now()
        long = await there.link(matter("apr_1"), notice_id="ntc_1")
        short = await there.link(matter("apr_2", expires_at=now + timedelta(hours=1)), notice_id="ntc_2")
        desk.clock.advance(3600)
        hour = [(await there.http.get(link)).status_code for link in (long, short)]
        desk.clock.advance(3 * 24 * 3600)
        late = await there.http.post(long, data=FORM)
    assert hour == [200, 410]
    assert (late.status_code, desk.decided) == (410, [])


@pytest.mark.parametrize("changed", [{"digest": "d2"}, {"waits": False}])
async def test_a_link_is_void_once_its_question_has_changed(desk: Desk, changed: dict[str, object]) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        desk.matters["apr_1"] = matter(**changed)
        answers = [await there.http.get(link), await there.http.post(link, data=FORM)]
    assert [answer.status_code for answer in answers] == [410, 410]
    assert desk.decided == []


@pytest.mark.parametrize(
    "form",
    [{}, {"decision": "edit"}, {"decision": "approve", "comment": "x" * 4001}, {"comment": "y" * 40_000}],
)
async def test_a_form_that_is_not_understood_leaves_the_link_as_it_is(
    desk: Desk, form: dict[str, str]
) -> None:
    async with browser(desk) as there:
        link = await there.link(matter())
        wrong = await there.http.post(link, data=form)
        right = await there.http.post(link, data=FORM)
    assert (wrong.status_code, right.status_code) == (400, 200)


async def test_the_page_shows_the_exact_action_and_nothing_can_run_in_it(desk: Desk) -> None:
    arguments = {"note": "</pre><script>alert(1)</script>", "to": "\u202egnp.exe", "amount": 120}
    asked = matter(
        text='"><img src=x onerror=alert(1)>',
        why=("risk: <b>bold</b>",),
        action={"tool": "pay<i>", "arguments": arguments},
    )
    async with browser(desk) as there:
        page = await there.http.get(await there.link(asked))
    assert "&quot;amount&quot;: 120" in page.text
    assert "\\u202egnp.exe" in page.text
    parts = Parts()
    parts.feed(page.text)
    assert not parts.tags & {"script", "img", "b", "i", "a", "link", "iframe"}
    assert not parts.attributes & {"src", "href", "style", "onerror", "onclick", "action"}
    headers = page.headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"


async def test_a_message_that_is_sent_again_carries_the_same_link(desk: Desk) -> None:
    async with browser(desk) as there:
        first = await there.link(matter())
        desk.clock.advance(60)
        again = await there.link(matter())
        other = await there.link(matter(), notice_id="ntc_2")
    assert first == again
    assert first != other


async def test_a_chinese_role_decides_in_chinese(desk: Desk) -> None:
    async with browser(desk) as there:
        page = await there.http.get(await there.link(matter(), role="chef", voter="link:chef"))
    assert "批准" in page.text
    assert "link:chef" in page.text


def test_a_key_that_is_absent_or_short_is_refused() -> None:
    settings = NoticeSettings(link_base="https://proctor.example.org", link_key_env="LINK_KEY")
    for environ in ({}, {"LINK_KEY": "short"}):
        with pytest.raises(MissingSetting):
            LinkKey.load(settings, environ)
    assert LinkKey.load(settings, {"LINK_KEY": "k" * 32}) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"link_base": "http://proctor.example.org", "link_key_env": "KEY"},
        {"link_base": "https://proctor.example.org/?a=b", "link_key_env": "KEY"},
        {"link_base": "https://proctor.example.org"},
        {"link_key_env": "KEY"},
    ],
)
def test_links_that_would_be_unsafe_or_dead_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"link|address|give"):
        NoticeSettings.model_validate(wrong)


@pytest.mark.parametrize(("role", "words"), [("manager", "What it answers"), ("chef", "所答复的问题")])
async def test_the_page_shows_an_answer_as_it_would_be_read(desk: Desk, role: str, words: str) -> None:
    answer = "Yes.\n\nTake <b>two</b>."
    asked = matter(
        agent="", answer=answer, task="What helps?", action={"arguments": {"answer": answer}, "found": []}
    )
    async with browser(desk) as there:
        page = (await there.http.get(await there.link(asked, role=role))).text
    assert "<pre>Yes.\n\nTake &lt;b&gt;two&lt;/b&gt;.</pre>" in page
    assert f"<h2>{words}</h2><pre>What helps?</pre>" in page
    assert "arguments" not in page
