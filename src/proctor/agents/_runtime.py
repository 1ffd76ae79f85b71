"""AutoGen's runtime, made so that a run can end it at any moment."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from autogen_core import EVENT_LOGGER_NAME, SingleThreadedAgentRuntime
from autogen_core._single_threaded_agent_runtime import PublishMessageEnvelope
from opentelemetry.trace import NoOpTracerProvider

from proctor.core import end_tasks

PATIENCE = 2.0
"""Seconds that cancelled tasks have to end. An agent that swallows its cancellation holds up no run."""


def _worth_logging(record: logging.LogRecord) -> bool:
    """Leaves out what AutoGen logs as an error whenever a run is suspended: its handlers being cancelled."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


logging.getLogger("autogen_core").addFilter(_worth_logging)
_event_log = logging.getLogger(EVENT_LOGGER_NAME)


class _NoTracing:
    """AutoGen's spans name runs by UUIDs and hold whole prompts: Proctor makes none of them."""

    def trace_block(self, *_arguments: Any, **_named: Any) -> AbstractContextManager[None]:
        return nullcontext()


class KillableRuntime(SingleThreadedAgentRuntime):
    """A runtime that belongs to one run. Abandoning AutoGen's own one would let its agents go on spending."""

    def __init__(self) -> None:
        super().__init__(tracer_provider=NoOpTracerProvider(), ignore_unhandled_exceptions=False)
        self._tracer_helper = _NoTracing()  # type: ignore[assignment]
        self.nested: set[asyncio.Task[Any]] = set()
        """Tasks in which agents take their turns or run others as their tools: AutoGen doesn't end them."""
        self.used = False
        """Whether a group chat runs on it: a single agent needs none."""
        self.broken: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """What an agent's handler raised, also where it was no `Exception`: AutoGen notices that only with
        the next message, which may never come."""

    async def _create_otel_attributes(self, *_arguments: Any, **_named: Any) -> Mapping[str, str]:
        """No attributes: AutoGen would serialise each message for a span that nobody sees."""
        return {}

    def _try_serialize(self, message: Any) -> str:
        """A message for AutoGen's event log, where somebody reads that."""
        return super()._try_serialize(message) if _event_log.isEnabledFor(logging.INFO) else ""

    async def _process_publish(self, message_envelope: PublishMessageEnvelope) -> None:
        await super()._process_publish(message_envelope)
        if self._background_exception is not None and not self.broken.done():
            self.broken.set_result(self._background_exception)

    async def idle(self) -> None:
        """Returns when every message has been handled: a team's answer may be there before."""
        if self.used:
            await self._message_queue.join()

    async def kill(self) -> None:
        """Cancels every handler and waits a moment for their end."""
        tasks = {*self._background_tasks, *self.nested}
        if self._run_context is not None:
            tasks.add(self._run_context._run_task)
        await end_tasks(tasks, within=PATIENCE)
        self._run_context = None
