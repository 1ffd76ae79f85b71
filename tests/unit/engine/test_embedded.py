"""The embedded engine, with work that is no run."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from proctor.core import DatabaseInUse
from proctor.engine import Duties, EmbeddedEngine

BOUND = 10


class Right:
    """The right to execute, as a test gives it and takes it."""

    def __init__(self) -> None:
        self.refusals = 0
        self.open = threading.Event()
        self.open.set()
        self.taking = threading.Event()
        self.taken = threading.Event()
        self._held = False

    def acquire(self) -> None:
        self.taking.set()
        self.open.wait(BOUND)
        if self.refusals:
            self.refusals -= 1
            raise DatabaseInUse("another process executes")
        self._held = True
        self.taken.set()

    def release(self) -> None:
        self._held = False

    def held(self) -> bool:
        return self._held


class Desk:
    """Work that begins when it is given and ends when it is told to."""

    def __init__(self, *, concurrency: int = 64) -> None:
        self.begun: list[str] = []
        self.any_begun = asyncio.Event()
        self.go = asyncio.Event()
        self.looks: list[Exception | list[str]] = []
        self.asked: list[int] = []
        self.recovered = 0
        self.recovers = True
        self.right = Right()
        duties: Duties[str, str] = Duties(
            due=self._due,
            recover=self._recover,
            orphans=self._nothing,
            execute=self._execute,
            suspend=self.go.set,
        )
        self.engine = EmbeddedEngine(duties, lock=self.right, concurrency=concurrency)

    async def _due(self, limit: int) -> Sequence[str]:
        self.asked.append(limit)
        found = self.looks.pop(0) if self.looks else []
        if isinstance(found, Exception):
            raise found
        return found

    async def _recover(self) -> None:
        if not self.recovers:
            raise ConnectionError("the database is away")
        self.recovered += 1

    async def _nothing(self) -> Sequence[str]:
        return ()

    async def _execute(self, id: str) -> str:
        self.begun.append(id)
        self.any_begun.set()
        await self.go.wait()
        return id


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not holds():
            await asyncio.sleep(0.01)


async def test_work_that_waits_for_its_turn_is_not_begun_when_the_engine_stops() -> None:
    desk = Desk(concurrency=1)
    await desk.engine.start()
    first, second = desk.engine.submit("first"), desk.engine.submit("second")
    async with asyncio.timeout(BOUND):
        await desk.any_begun.wait()
        await desk.engine.stop(timedelta(seconds=5))
    assert desk.begun == ["first"]
    assert (first.result(), second.cancelled()) == ("first", True)


async def test_a_look_for_work_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.looks = [ConnectionError("the database is away"), ["late"]]
    desk.go.set()
    with caplog.at_level(logging.ERROR, "proctor.engine"):
        await desk.engine.start()
        async with asyncio.timeout(BOUND):
            await desk.any_begun.wait()
        await desk.engine.stop(timedelta(0))
    assert desk.begun == ["late"]
    assert len(caplog.records) == 1


async def test_no_more_work_is_asked_for_than_there_are_free_slots() -> None:
    desk = Desk(concurrency=3)
    desk.looks = [["one", "two"], ["three"]]
    await desk.engine.start()
    await until(lambda: desk.begun == ["one", "two", "three"])
    assert (desk.asked, desk.engine.direct) == ([3, 1], False)
    desk.go.set()
    async with asyncio.timeout(BOUND):
        await desk.engine.idle()
    assert desk.engine.direct
    await desk.engine.stop(timedelta(0))
    assert not desk.engine.direct


async def test_a_slot_that_gets_free_is_filled_at_once_where_more_was_due() -> None:
    desk = Desk(concurrency=1)
    desk.looks = [[str(number)] for number in range(50)]
    desk.go.set()
    await desk.engine.start()
    async with asyncio.timeout(5):  # at one look in half a second it would take 25
        while len(desk.begun) < 50:
            await asyncio.sleep(0)
    await desk.engine.stop(timedelta(0))


async def test_an_engine_that_lost_its_right_stops_executing_until_it_has_it_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    await desk.engine.start()
    work = desk.engine.submit("work")
    await until(desk.any_begun.is_set)
    desk.right.refusals = 1
    desk.right.release()
    await until(lambda: not desk.engine.running)
    async with asyncio.timeout(BOUND):
        assert await work == "work", "it came to its call boundary"
    assert desk.engine.submit("meanwhile") is not None
    await until(lambda: desk.engine.running)
    assert (desk.begun, desk.recovered) == (["work"], 2)
    assert "the right to execute runs is lost" in caplog.text
    await desk.engine.stop(timedelta(0))
    assert not desk.right.held()


async def test_a_right_that_is_just_being_taken_is_given_back_when_the_engine_stops() -> None:
    desk = Desk()
    await desk.engine.start()
    desk.right.release()
    for event in (desk.right.open, desk.right.taking, desk.right.taken):
        event.clear()
    await until(desk.right.taking.is_set)
    stopping = asyncio.create_task(desk.engine.stop(timedelta(0)))
    await asyncio.wait({stopping}, timeout=0.2)
    desk.right.open.set()
    await until(desk.right.taken.is_set)
    async with asyncio.timeout(BOUND):
        await stopping
    assert not desk.right.held()


async def test_a_start_that_breaks_gives_the_right_back() -> None:
    desk = Desk()

    desk.recovers = False
    with pytest.raises(ConnectionError):
        await desk.engine.start()
    assert not desk.right.held()
