import asyncio
from contextlib import suppress

import pytest

from proctor.core import unless


async def test_work_that_comes_first_is_the_answer_and_the_end_is_left_alone():
    end = asyncio.get_running_loop().create_future()

    async def work() -> str:
        return "done"

    assert await unless(end, work(), within=1) == "done"
    assert not end.done()


async def test_what_waits_for_the_end_ends_with_the_work():
    left = asyncio.Event()

    async def end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async def work() -> str:
        await asyncio.sleep(0)  # the other has begun
        return "done"

    assert await unless(end(), work(), within=1) == "done"
    assert left.is_set()


async def test_work_is_given_up_where_the_end_comes_first():
    end, left = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def work() -> str:
        end.set_result(None)
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return "done"

    assert await unless(end, work(), within=1) is None
    assert left.is_set()


async def test_an_end_that_breaks_is_none():
    async def end() -> None:
        raise LookupError("nobody is there")

    with pytest.raises(LookupError, match="nobody"):
        await unless(end(), asyncio.Event().wait(), within=1)


async def test_work_that_has_ended_wins_over_the_end():
    end = asyncio.get_running_loop().create_future()

    async def work() -> str:
        end.set_result(None)
        return "done"

    assert await unless(end, work(), within=1) == "done"


async def test_work_that_withstands_is_left_behind_after_a_while():
    end, let_go = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def work() -> None:
        end.set_result(None)
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    assert await unless(end, work(), within=0.05) is None
    let_go.set()


async def test_whoever_waits_can_be_cancelled_and_so_is_the_work():
    begun, left = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    waiting = asyncio.create_task(unless(asyncio.get_running_loop().create_future(), work(), within=1))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert left.is_set()


async def test_what_work_raises_is_raised():
    async def work() -> str:
        raise LookupError("nothing")

    with pytest.raises(LookupError, match="nothing"):
        await unless(asyncio.get_running_loop().create_future(), work(), within=1)
