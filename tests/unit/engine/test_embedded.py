"""The embedded engine, with work that is no run."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from proctor.engine import EmbeddedEngine


class NobodyElse:
    def acquire(self) -> None: ...
    def release(self) -> None: ...


class Desk:
    """Work that begins when it is given and ends when it is told to."""

    def __init__(self, *, concurrency: int = 64) -> None:
        self.begun: list[str] = []
        self.any_begun = asyncio.Event()
        self.go = asyncio.Event()
        self.looks: list[Exception | list[str]] = []
        self.engine: EmbeddedEngine[str, str] = EmbeddedEngine(
            lock=NobodyElse(),
            due=self._due,
            recover=self._recover,
            execute=self._execute,
            suspend=self.go.set,
            concurrency=concurrency,
        )

    async def _due(self) -> Sequence[str]:
        found = self.looks.pop(0) if self.looks else []
        if isinstance(found, Exception):
            raise found
        return found

    async def _recover(self) -> Sequence[str]:
        return ()

    async def _execute(self, id: str) -> str:
        self.begun.append(id)
        self.any_begun.set()
        await self.go.wait()
        return id


async def test_work_that_waits_for_its_turn_is_not_begun_when_the_engine_stops() -> None:
    desk = Desk(concurrency=1)
    await desk.engine.start()
    first, second = desk.engine.submit("first"), desk.engine.submit("second")
    async with asyncio.timeout(10):
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
        async with asyncio.timeout(10):
            await desk.any_begun.wait()
        await desk.engine.stop(timedelta(0))
    assert desk.begun == ["late"]
    assert len(caplog.records) == 1
