"""Work that may not want to end, or breaks: tasks that are cancelled, threads, and blocks that fail."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

log = logging.getLogger("proctor.tasks")

T = TypeVar("T")


class IfBroken:
    """A block of which is told how it broke, if it does; the error goes on.

    It stands around every call: an `ExitStack` costs a multiple of it.
    """

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[BaseException], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        """Nothing has to be done before."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tell(error)


async def end_tasks(tasks: Collection["asyncio.Task[Any]"], *, within: float) -> "set[asyncio.Task[Any]]":
    """The tasks that have not ended so many seconds after they were cancelled."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    left = (await asyncio.wait(running, timeout=within))[1] if running else set()
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # asked for, so that the loop doesn't report it: whoever cancels has the reason
    for task in left:
        log.warning("%s doesn't end although it is cancelled: %r", task.get_name(), task.get_coro())
    return left


async def unless(end: Awaitable[Any], work: Coroutine[Any, Any, T], *, within: float) -> T | None:
    """What work comes to; nothing where the end comes before: then work has so many seconds to end.

    The end is a future of the caller's own, or a coroutine, which is cancelled where work comes before it.
    What it raises is raised: an end that breaks is none.
    """
    doing, ending = asyncio.create_task(work), asyncio.ensure_future(end)
    try:
        await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        ending.result()
        return None
    finally:
        await end_tasks([doing] if ending is end else [doing, ending], within=within)


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What work comes to that nobody leaves half done: who is cancelled meanwhile waits for its end first.

    So a thread that takes something has taken it before it is given back, and what is ended has ended,
    however often it is asked to. For work of bounded length.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # asked for, so that the loop doesn't report it
        raise


def in_own_thread(work: Callable[[], T], *, name: str) -> "asyncio.Future[T]":
    """What blocking work comes to, in a thread that holds up neither the loop nor the end of the process.

    The loop's own threads are few and are waited for at the end: work of unknown length has no place there.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            value = work()
        except StopIteration as error:  # no future takes it
            done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            done.set_exception(error)
        else:
            done.set_result(value)

    context = copy_context()
    done.set_running_or_notify_cancel()
    threading.Thread(target=context.run, args=(run,), name=name, daemon=True).start()
    return asyncio.wrap_future(done)
