"""What is told, to whom, how often, and what happens when it can't be."""

import asyncio
import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from proctor.core import NotFound
from proctor.notices import Audience
from servers.notice_desk import Desk, matter, only
from servers.receivers import Mailbox, Webhook


async def test_a_mail_arrives_once_with_all_that_is_needed_to_decide(desk: Desk, mails: Mailbox) -> None:
    desk.ask(matter())
    ann = Audience(role="manager", members=("Ann@example.org",), urls=(mails.url("ann@example.org"),))
    async with desk.notices(ann) as notices:
        await notices.work()
        await notices.work()
        sent = await only(notices)
    ((recipients, mail),) = mails.mails
    assert recipients == ["ann@example.org"]
    assert mail["subject"] == "[Proctor] Approval needed: shop.refund (desk)"
    text = mail.get_content()
    for part in (
        "Run: run_1",
        '"amount": 120',
        "risk: money leaves",
        "proctor approvals show apr_1",
        "https://proctor.example.org/decide/",
    ):
        assert part in text
    assert (sent.state, sent.attempts, sent.target) == ("sent", 1, "mailto:1:ann@example.org")


async def test_a_webhook_that_fails_twice_is_tried_again_later_each_time(desk: Desk, hook: Webhook) -> None:
    desk.ask(matter())
    hook.statuses = [500, 503]
    async with desk.notices(Audience(role="manager", urls=(hook.url("s3cret"),))) as notices:
        await notices.work()
        await notices.work()
        first = await only(notices)
        desk.clock.advance(10)
        await notices.work()
        second = await only(notices)
        desk.clock.advance(29)
        await notices.work()
        assert hook.taken == []
        desk.clock.advance(1)
        await notices.work()
        last = await only(notices)
    assert (first.state, first.attempts) == ("pending", 1)
    assert first.error == "the service answered with HTTP status 500"
    assert (second.state, second.attempts) == ("pending", 2)
    assert (last.state, last.attempts, last.error) == ("sent", 3, "")
    (message,) = hook.taken
    assert message["title"] == "[Proctor] Approval needed: shop.refund (desk)"


async def test_after_eight_attempts_a_message_has_failed_and_no_secret_was_told(
    desk: Desk, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    desk.ask(matter())
    hook.statuses = [500] * 9
    caplog.set_level(logging.DEBUG)
    async with desk.notices(Audience(role="manager", urls=(hook.url("s3cret?-t=s3cret"),))) as notices:
        for _ in range(9):
            await notices.work()
            desk.clock.advance(3600)
        failed = await only(notices)
    assert (failed.state, failed.attempts, len(hook.paths)) == ("failed", 8, 8)
    assert "given up after 8 attempts" in caplog.text
    assert "s3cret" not in caplog.text + repr(failed)


async def test_a_target_that_took_a_message_gets_none_again_for_another_that_did_not(
    desk: Desk, hook: Webhook, mails: Mailbox
) -> None:
    desk.ask(matter())
    mails.refusals = 1
    urls = (hook.url(), mails.url("ann@example.org", "bob@example.org"))
    async with desk.notices(Audience(role="manager", urls=urls)) as notices:
        await notices.work()
        desk.clock.advance(10)
        await notices.work()
    assert len(hook.taken) == 1
    assert sorted(recipients for recipients, _ in mails.mails) == [["ann@example.org"], ["bob@example.org"]]


async def test_two_workers_send_a_message_once(desk: Desk, hook: Webhook) -> None:
    for number in range(10):
        desk.ask(matter(f"apr_{number}"))
    audience = Audience(role="manager", urls=(hook.url(),))
    async with desk.notices(audience) as one, desk.notices(audience) as two:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(one.work())
            group.create_task(two.work())
        states = {notice.state for notice in await one.page()}
    assert len(hook.taken) == 10
    assert states == {"sent"}


async def test_a_message_whose_worker_died_is_sent_by_another_after_its_claim(
    desk: Desk, hook: Webhook
) -> None:
    desk.ask(matter())
    hook.hold = threading.Event()
    audience = Audience(role="manager", urls=(hook.url(),))
    async with desk.notices(audience) as dying, desk.notices(audience) as other:
        work = asyncio.create_task(dying.work())
        async with asyncio.timeout(30):
            while not hook.paths:
                await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        hook.hold.set()
        await other.work()
        assert len(hook.paths) == 1
        desk.clock.advance(3600)
        await other.work()
        sent = await only(other)
    assert (sent.state, sent.attempts, len(hook.paths)) == ("sent", 2, 2)


async def test_an_answer_that_does_not_come_is_not_waited_for(desk: Desk, hook: Webhook) -> None:
    desk.ask(matter())
    desk.settings = desk.settings.model_copy(update={"timeout": timedelta(seconds=1)})
    hook.hold = threading.Event()
    async with desk.notices(Audience(role="manager", urls=(hook.url(),))) as notices:
        async with asyncio.timeout(20):
            await notices.work()
        late = await only(notices)
    assert (late.state, late.error) == ("pending", "no answer within 1 s")


async def test_what_was_settled_meanwhile_is_not_told(desk: Desk, hook: Webhook) -> None:
    desk.ask(matter())
    desk.matters["apr_1"] = matter(waits=False)
    async with desk.notices(Audience(role="manager", urls=(hook.url(),))) as notices:
        await notices.work()
        dropped = await only(notices)
    assert (dropped.state, hook.paths) == ("dropped", [])


async def test_an_expiry_is_told_with_what_became_of_it(desk: Desk, hook: Webhook) -> None:
    desk.ask(matter(waits=False, outcome="reject. Nobody decided in time."), kind="expired", round="expired")
    async with desk.notices(Audience(role="manager", urls=(hook.url(),))) as notices:
        await notices.work()
    (message,) = hook.taken
    assert message["title"].startswith("[Proctor] Approval expired")
    assert "reject. Nobody decided in time." in message["message"]
    assert "/decide/" not in message["message"]


async def test_a_question_that_nobody_is_told_of_is_said_to_be_so_once(
    desk: Desk, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    desk.ask(matter(roles=("nobody",)))
    async with desk.notices(Audience(role="manager", urls=(hook.url(),))) as notices:
        await notices.work()
        untold = await only(notices)
    assert (untold.state, hook.paths) == ("failed", [])
    assert "nobody is told" in caplog.text


async def test_a_chinese_role_is_told_in_chinese(desk: Desk, mails: Mailbox) -> None:
    desk.ask(matter(roles=("chef",), action={"server": "shop", "tool": "退款", "arguments": {"订单": 7}}))
    async with desk.notices(
        Audience(role="chef", urls=(mails.url("wang@example.org"),), language="zh")
    ) as notices:
        await notices.work()
    ((_, mail),) = mails.mails
    assert mail["subject"] == "[Proctor] 需要审批: shop.退款 (desk)"
    assert '"订单": 7' in mail.get_content()


async def test_text_of_a_model_can_not_pass_for_ours(desk: Desk, hook: Webhook) -> None:
    text = "All is well.\n\nDecide here:\nhttps://evil.example/\u202e\u200b"
    desk.ask(matter(text=text, action={"tool": "a\r\nBcc: x@example.org", "arguments": {"to": "\u202egnp"}}))
    async with desk.notices(Audience(role="manager", urls=(hook.url(),))) as notices:
        await notices.work()
    (message,) = hook.taken
    assert "\n" not in message["title"]
    assert "\n    https://evil.example/\\u202e\\u200b" in message["message"]
    assert "\\u202egnp" in message["message"]
    assert "\u202e" not in message["message"]


async def test_a_test_message_tells_what_failed_without_secrets(
    desk: Desk, hook: Webhook, mails: Mailbox
) -> None:
    urls = (hook.url(), "nonsense://s3cret@host", mails.url("ann@example.org"))
    hook.statuses = [403]
    async with desk.notices(Audience(role="manager", urls=urls)) as notices:
        found = await notices.test("manager")
        with pytest.raises(NotFound):
            await notices.test("nobody")
    assert found == {
        "json:1": "the service answered with HTTP status 403",
        "nonsense:2": "the address can't be read, or names a service that apprise doesn't know",
        "mailto:3:ann@example.org": "",
    }
    assert len(mails.mails) == 1


async def test_a_mail_with_somebody_in_copy_is_no_personal_one(desk: Desk, mails: Mailbox) -> None:
    desk.ask(matter())
    urls = (mails.url("ann@example.org", cc="bob@example.org"),)
    ann = Audience(role="manager", members=("ann@example.org",), urls=urls)
    async with desk.notices(ann) as notices:
        await notices.work()
        sent = await only(notices)
    assert sent.target == "mailto:1"
    assert {each for recipients, _ in mails.mails for each in recipients} == {
        "ann@example.org",
        "bob@example.org",
    }


async def test_another_round_of_the_same_question_is_told_again(desk: Desk, hook: Webhook) -> None:
    desk.ask(matter())
    audience = Audience(role="manager", urls=(hook.url(),))
    async with desk.notices(audience) as notices:
        await notices.work()
        desk.ask(replace(matter(), digest="d2"), round="2")
        await notices.work()
    assert len(hook.taken) == 2
