"""The support teams: analyst → retriever → one of the desks → where configured, a person who confirms."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.messages import BaseChatMessage, StructuredMessage
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow

import proctor
from proctor.deployments.support._case import DeskName
from proctor.deployments.support._retriever import DESK, Request, Retriever
from proctor.deployments.support._shelf import Shelf

_ANALYST = """\
You read messages that customers send to an online shop. You don't answer them: you say what they want.
query: what to look up in the shop's help articles, in the customer's language, at most ten words.
wish: what the customer asks you for, one of
question: how something works, how long it takes, what is possible, what it costs
product: the price, the variants or the availability of a product
order: the state, the parcel or the payment of an order
cancel: cancel an order
change: change the address, the items or the payment of an order
return: send back or exchange items of an order
profile: change the address of the account
person: talk to a person

Examples:
Do you take back shoes that I have worn? {"query": "returning worn items", "wish": "question"}
到货需要几天? {"query": "配送时间", "wish": "question"}
How much is the blue kettle? {"query": "kettle price", "wish": "product"}
Has #W1 left yet? {"query": "order sent", "wish": "order"}
Stop #W1, I don't want it now. {"query": "cancelling an order", "wish": "cancel"}
订单 #W1 不要了。 {"query": "取消订单", "wish": "cancel"}
Send #W1 to my office: 1 Main St. {"query": "changing the address of an order", "wish": "change"}
The coat in #W1 is too small, I'm sending it back. {"query": "returning items", "wish": "return"}
I moved to 1 Main St, note it in my account. {"query": "changing my address", "wish": "profile"}
Let me speak to somebody. {"query": "talking to a person", "wish": "person"}"""

_VOICE = """\
You answer customers of the online shop Lantern & Loom. The facts have been looked up for you: rely on them \
alone, and copy names, figures and numbers exactly. Answer in the customer's language, in one to three short \
sentences. Answer just what was asked, with the figures that it asks for: how many days, how much, which \
number. Nothing is done unless a tool did it: never say so otherwise. If the facts don't hold the answer, \
say so and offer to hand over to a person."""

_REVISER = """\
A manager has read the last answer to a customer. Write the final message to the customer in the customer's \
language: what the manager says counts more than the answer. If the manager only rejects the answer, say \
that a colleague will write to the customer by e-mail, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """An actor: the few tools that its cases need, and what it is told beside the voice."""

    agent: str
    tools: tuple[str, ...] = ()
    task: str = ""


_ACT = (
    "The customer and the order have been checked: call the tool once if the customer asks for the action "
    "clearly. If something that it needs is missing, ask for it instead. Afterwards tell what was done"
)

DESKS: dict[DeskName, Desk] = {
    "adviser": Desk(agent="adviser"),
    "products": Desk(
        agent="product_actor",
        tools=("store.get_product_details",),
        task="Prices and availability change: look the product up by its product id before you answer.",
    ),
    "cancellations": Desk(
        agent="cancel_actor",
        tools=("store.cancel_pending_order",),
        task=f"{_ACT}, and when and how the money is refunded.",
    ),
    "changes": Desk(
        agent="change_actor",
        tools=(
            "store.modify_pending_order_address",
            "store.modify_pending_order_items",
            "store.modify_pending_order_payment",
            "store.get_product_details",
        ),
        task=f"{_ACT}.",
    ),
    "returns": Desk(
        agent="return_actor",
        tools=(
            "store.return_delivered_order_items",
            "store.exchange_delivered_order_items",
            "store.get_product_details",
        ),
        task=f"{_ACT}.",
    ),
    "profiles": Desk(agent="profile_actor", tools=("store.modify_user_address",), task=f"{_ACT}."),
    "handovers": Desk(
        agent="handover_actor",
        tools=("store.transfer_to_human_agents",),
        task="Hand the customer over with a short summary, then say so.",
    ),
}
LOOK_UP = (
    "search_knowledge",
    "store.find_user_id_by_email",
    "store.get_user_details",
    "store.get_order_details",
)
"""The retriever's tools: all of them only read."""
TOOLS = [*LOOK_UP, *dict.fromkeys(tool for desk in DESKS.values() for tool in desk.tools)]


def make_app() -> proctor.App:
    """The support desk as an application.

    Its configuration has a model `small` and a tool server `store`: `proctor-store-mcp --root FOLDER`.
    """
    shelf = Shelf()
    app = proctor.App(lifespan=shelf.opened)
    app.tool(effect="read_only")(shelf.search_knowledge)

    @app.team("support", tools=TOOLS)
    def support(ctx: proctor.TeamContext) -> Team:
        """Answers by itself; what changes something waits for a person."""
        return _flow(ctx, last=[])

    @app.team("support_reviewed", tools=TOOLS)
    def support_reviewed(ctx: proctor.TeamContext) -> Team:
        """As `support`, and a manager reads each answer before it is the customer's."""
        manager = ctx.human("manager", description="Reads the answer before the customer does.")
        reviser = AssistantAgent("reviser", model_client=ctx.model("small"), system_message=_REVISER)
        return _flow(ctx, last=[manager, reviser])

    return app


def _flow(ctx: proctor.TeamContext, *, last: list[ChatAgent]) -> Team:
    analyst = AssistantAgent(
        "analyst",
        model_client=ctx.model("small"),
        system_message=_ANALYST,
        output_content_type=Request,
        output_content_type_format="Wish: {wish}. Looked up: {query}",
    )
    retriever = Retriever("retriever", ctx.tools(*LOOK_UP))
    graph = DiGraphBuilder().add_node(analyst).add_node(retriever).add_edge(analyst, retriever)
    for agent in last:
        graph.add_node(agent)
    for name, desk in DESKS.items():
        actor = _actor(ctx, desk)
        graph.add_node(actor, activation="any")
        graph.add_edge(retriever, actor, condition=_goes_to(name))
        if last:
            graph.add_edge(actor, last[0], activation_condition="any")
    for before, after in pairwise(last):
        graph.add_edge(before, after, condition=_is_no_approval)
    return GraphFlow(
        graph.get_participants(), graph=graph.build(), custom_message_types=[StructuredMessage[Request]]
    )


def _actor(ctx: proctor.TeamContext, desk: Desk) -> AssistantAgent:
    return AssistantAgent(
        desk.agent,
        model_client=ctx.model("small"),
        system_message=f"{_VOICE}\n{desk.task}".strip(),
        workbench=ctx.tools(*desk.tools) if desk.tools else None,
        max_tool_iterations=10 if desk.tools else 1,
        model_client_stream=True,
    )


def _goes_to(name: DeskName) -> Callable[[BaseChatMessage], bool]:
    def condition(message: BaseChatMessage) -> bool:
        return message.metadata.get(DESK) == name

    return condition


def _is_no_approval(message: BaseChatMessage) -> bool:
    return not message.to_model_text().startswith("APPROVE")


app = make_app()
"""The application, for `proctor run proctor.deployments.support:support "…"`."""
