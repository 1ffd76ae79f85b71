"""Many small tasks, few model calls: an agent of your own sorts a day's messages, twenty with each call.

`proctor run batch.py:triage - < messages.txt`, one message a line. With `--patient` and a deployment that has
`batch = true`, the calls also go at the provider's price for batches.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_core import CancellationToken
from pydantic import BaseModel

import proctor

app = proctor.App()


class Sorted(BaseModel):
    """What a message is about."""

    about: Literal["order", "refund", "complaint", "other"]
    urgent: bool


class Clerk(BaseChatAgent):
    """Sorts all messages of its task."""

    def __init__(self, ctx: proctor.TeamContext) -> None:
        super().__init__("clerk", "Sorts messages.")
        self._ctx = ctx

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """Its answer is a text."""
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], _cancellation_token: CancellationToken
    ) -> Response:
        """How many messages are about what, and which can't wait."""
        letters = messages[-1].to_model_text().splitlines()
        found = await self._ctx.batch("What is this message about?", letters, model="small", answer=Sorted)
        lines = [f"{about}: {count}" for about, count in Counter(each.about for each in found).most_common()]
        lines += [f"! {text}" for text, each in zip(letters, found, strict=True) if each.urgent]
        return Response(chat_message=TextMessage(source=self.name, content="\n".join(lines)))

    async def on_reset(self, _cancellation_token: CancellationToken) -> None:
        """It keeps nothing."""


@app.team("triage")
def triage(ctx: proctor.TeamContext) -> Clerk:
    """One agent, which makes its calls through `ctx.batch`."""
    return Clerk(ctx)
