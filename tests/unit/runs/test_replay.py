"""The past of a resumed run comes back in its order."""

import asyncio
from datetime import UTC, datetime

from proctor.runs import CallKey, RecordedCall
from proctor.runs._replay import Replay


def recorded(agent: str, position: int) -> RecordedCall:
    return RecordedCall(
        key=key(agent),
        position=position,
        attempt=1,
        request={},
        outcome={"text": agent},
        cost=0,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ms=1.0,
    )


def key(agent: str) -> CallKey:
    return CallKey(agent=agent, kind="model", fingerprint="f", occurrence=0)


async def ask(replay: Replay, agent: str, heard: list[str]) -> RecordedCall | None:
    answer = await replay.answer(key(agent))
    heard.append(agent)
    return answer


async def test_answers_are_released_in_the_order_in_which_they_were_recorded() -> None:
    replay = Replay([recorded("a", 0), recorded("b", 1), recorded("c", 2)])
    heard: list[str] = []
    async with asyncio.timeout(20):
        await asyncio.gather(*(ask(replay, agent, heard) for agent in "cba"))
    assert heard == ["a", "b", "c"]
    assert replay.over


async def test_an_answer_that_nobody_asks_for_holds_up_no_other() -> None:
    replay = Replay([recorded("lost", 0), recorded("b", 1)])
    heard: list[str] = []
    async with asyncio.timeout(20):
        await ask(replay, "b", heard)
    assert [call.key.agent for call in replay.unmatched()] == ["lost"]
    await replay.close()


async def test_a_new_call_waits_until_the_past_is_over() -> None:
    replay = Replay([recorded("a", 0), recorded("b", 1)])
    heard: list[str] = []

    async def late() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        await ask(replay, "a", heard)
        await ask(replay, "b", heard)

    async with asyncio.timeout(20):
        new, _ = await asyncio.gather(ask(replay, "new", heard), late())
    assert new is None
    assert heard == ["a", "b", "new"]


async def test_a_new_call_in_an_unfinished_past_goes_on_once_nothing_moves() -> None:
    replay = Replay([recorded("a", 0)])
    heard: list[str] = []
    async with asyncio.timeout(20):
        assert await ask(replay, "new", heard) is None
    await replay.close()


async def test_calls_that_nobody_will_ask_for_again_hold_up_no_other() -> None:
    replay = Replay([recorded("lost", 0), recorded("b", 1)])
    heard: list[str] = []
    async with asyncio.timeout(1.9):  # less than its patience
        new = asyncio.create_task(ask(replay, "new", heard))
        await asyncio.sleep(0)
        replay.skip([key("lost"), key("never recorded")])
        await ask(replay, "b", heard)
        assert await new is None
    assert heard == ["b", "new"]
    assert replay.over


async def test_a_past_of_which_all_is_skipped_is_over() -> None:
    replay = Replay([recorded("a", 0), recorded("b", 1)])
    heard: list[str] = []
    async with asyncio.timeout(1.9):
        new = asyncio.create_task(ask(replay, "new", heard))
        for _ in range(5):
            await asyncio.sleep(0)
        replay.skip([key("a"), key("b")])
        assert await new is None
    assert replay.over
