"""AutoGen's memories, whose contents somebody else may have written."""

from typing import Any

from autogen_core import CancellationToken
from autogen_core.memory import Memory, MemoryContent, MemoryQueryResult, UpdateContextResult
from autogen_core.model_context import ChatCompletionContext
from pydantic import BaseModel

from proctor.agents._session import Session


class WatchedMemory(Memory):
    """A memory whose contents count as untrusted, but for those that the run knows: `ctx.trust` tells it."""

    component_config_schema = BaseModel

    def __init__(self, session: Session, memory: Memory) -> None:
        self._session = session
        self._memory = memory
        self._source = f"memory.{getattr(memory, 'name', type(memory).__name__)}"

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """What the memory adds to an agent's context."""
        before = [message.content for message in await model_context.get_messages()]
        result = await self._memory.update_context(model_context)
        parts = [str(found.content) for found in result.memories.results]
        for message in await model_context.get_messages():
            if isinstance(message.content, str) and message.content not in before:
                self._session.derive(message.content, parts or [message.content], self._source)
        return result

    async def query(
        self,
        query: str | MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """What the memory finds."""
        return await self._memory.query(query, cancellation_token, **kwargs)

    async def add(self, content: MemoryContent, cancellation_token: CancellationToken | None = None) -> None:
        """Adds to the memory what may be kept beyond the run."""
        if isinstance(content.content, str):
            kept = self._session.memorable(content.content)
            if kept is None:
                return
            content = content.model_copy(update={"content": kept})
        await self._memory.add(content, cancellation_token)

    async def clear(self) -> None:
        """Empties the memory."""
        await self._memory.clear()

    async def close(self) -> None:
        """Closes the memory."""
        await self._memory.close()
