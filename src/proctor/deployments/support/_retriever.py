"""The retriever: an agent that looks everything up and asks no model."""

import json
from collections.abc import Sequence
from typing import Any, cast

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, StructuredMessage, TextMessage
from autogen_core import CancellationToken
from autogen_core.tools import Workbench
from pydantic import BaseModel

from proctor.deployments.support._case import (
    Case,
    Passage,
    Wish,
    describe,
    desk_for,
    email_in,
    hindrance,
    orders_in,
    passages_text,
    topic_of,
)
from proctor.deployments.support._shelf import language_of
from proctor.deployments.support.shop import Order, User

_MOST_ORDERS = 3
_PASSAGES = 2
_IN_CHINESE = "(Answer in Chinese.)"
"""The facts of the database are English, which lets a small model forget the customer's language."""
DESK = "desk"
"""The key of a message's metadata that says which desk goes on."""


class Request(BaseModel):
    """What the analyst makes of a customer's message."""

    query: str
    wish: Wish


class Retriever(BaseChatAgent):
    """Posts what the knowledge base and the shop's database hold on a request, and names the next desk."""

    def __init__(self, name: str, workbench: Workbench) -> None:
        super().__init__(name, "Looks up what is known; changes nothing.")
        self._workbench = workbench

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """One text."""
        return (TextMessage,)

    async def on_messages(
        self,
        messages: Sequence[BaseChatMessage],
        cancellation_token: CancellationToken,  # noqa: ARG002 - the run owns cancellation
    ) -> Response:
        """The facts, for the desk in the message's metadata."""
        said = "\n".join(message.to_model_text() for message in messages if message.source == "user")
        request = next(
            (message.content for message in reversed(messages) if isinstance(message, StructuredMessage)),
            Request(query=said, wish="question"),
        )
        # Twice, to weigh as much as a message in which much else may stand (20 of 25 first, not 18).
        case = await self._case(said, f"{request.query}\n{request.query}\n{topic_of(said)}")
        desk = desk_for(request.wish, case)
        facts = "\n".join(describe(case, desk))
        read = case.passages if desk in ("adviser", "products") and not case.orders else case.passages[:1]
        why_not = hindrance(request.wish, case)
        notes = [
            f"(It can't be done, because {why_not}. Tell the customer so.)" if why_not else "",
            _IN_CHINESE if language_of(said) == "zh" else "",
        ]
        parts = [
            f"# From the help articles\n{passages_text(read)}" if read else "",
            f"# From the shop's database\n{facts}" if facts else "",
            "\n".join(filter(None, ["# The customer's message", said, *notes])),
        ]
        content = "\n\n".join(filter(None, parts))
        return Response(chat_message=TextMessage(content=content, source=self.name, metadata={DESK: desk}))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing to forget."""

    async def _case(self, said: str, query: str) -> Case:
        customer: User | None = None
        if email := email_in(said):
            user_id = await self._ask("find_user_id_by_email", email=email)
            if user_id is not None:
                customer = cast("User", await self._ask_json("get_user_details", user_id=user_id))
        named = orders_in(said)[:_MOST_ORDERS]
        own = [order_id for order_id in named if customer is not None and order_id in customer["orders"]]
        orders = [cast("Order", await self._ask_json("get_order_details", order_id=each)) for each in own]
        return Case(
            customer=customer,
            orders=tuple(orders),
            unknown=tuple(order_id for order_id in named if order_id not in own),
            passages=await self._passages(query, language_of(said)),
        )

    async def _passages(self, query: str, language: str) -> tuple[Passage, ...]:
        found = await self._ask_json("search_knowledge", query=query, language=language, limit=_PASSAGES)
        return tuple(Passage(**each) for each in found or ())

    async def _ask_json(self, tool: str, **arguments: Any) -> Any:
        answer = await self._ask(tool, **arguments)
        return None if answer is None else json.loads(answer)

    async def _ask(self, tool: str, **arguments: Any) -> str | None:
        """A tool's answer; nothing where it has none to give."""
        result = await self._workbench.call_tool(tool, arguments)
        return None if result.is_error else result.to_text()
