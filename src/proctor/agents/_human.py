"""A person in a team, for whom the run can wait for days."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from autogen_agentchat.agents import UserProxyAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_core import CancellationToken

from proctor.agents._session import Session
from proctor.core import Question

SHOWN = 8
"""Messages of the conversation that a person is shown with the question."""


class DurableHuman(UserProxyAgent):
    """AutoGen's `UserProxyAgent` whose answer comes through an approval instead of a keyboard.

    `approve` and `reject` say APPROVE and REJECT, followed by the comment; `respond` says the comment alone.
    """

    def __init__(self, session: Session, role: str, *, description: str) -> None:
        super().__init__(role, description=description, input_func=self._ask)
        self._session = session
        self._seen: list[dict[str, str]] = []

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """The person's message, when there is one."""
        self._seen += [{"from": message.source, "text": message.to_model_text()} for message in messages]
        async for item in super().on_messages_stream(messages, cancellation_token):
            yield item

    async def on_reset(self, cancellation_token: CancellationToken | None = None) -> None:
        """Forgets the conversation."""
        self._seen.clear()
        await super().on_reset(cancellation_token)

    async def save_state(self) -> Mapping[str, Any]:
        """The end of the conversation, as far as the person would be shown it."""
        return {"seen": self._seen[-SHOWN:]}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes on in an earlier conversation."""
        self._seen = list(state["seen"])

    async def _ask(self, _prompt: str, _token: CancellationToken | None) -> str:
        shown = self._seen[-SHOWN:]
        text = shown[-1]["text"] if shown else "The team asks for your answer."
        question = Question(kind="reply", role=self.name, text=text, action={"conversation": shown})
        return await self._session.human(self.name, question)
