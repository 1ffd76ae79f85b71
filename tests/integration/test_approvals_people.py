"""Who decides, on which terms, and what the run makes of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat

import proctor
from proctor import Decision, Settings
from proctor.approvals import Approval, Filter
from proctor.core import ConfigurationError, Conflict, Forbidden, InvalidInput, ModelCall, ModelRefused
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call

ROLES = {
    "manager": {"members": ["ann@example.org", "Bob@example.org", "cem@example.org"]},
    "board": {"members": ["dora@example.org", "ann@example.org"]},
}
CARD = "4111 1111 1111 1111"


@dataclass
class Bank:
    """The world outside: what really happened."""

    refunds: list[tuple[str, float]] = field(default_factory=list)
    inside: asyncio.Event = field(default_factory=asyncio.Event)
    holds: bool = False
    """Whether a refund waits inside for ever, after its effect."""

    def application(self) -> proctor.App:
        app = proctor.App()

        @app.tool(effect="consequential")
        async def refund(order: str, amount: float) -> str:
            """Pays money back."""
            self.refunds.append((order, amount))
            if self.holds:
                self.inside.set()
                await asyncio.get_running_loop().create_future()
            return f"refunded {amount:g} of order {order}"

        @app.tool(effect="read_only")
        async def look(order: str) -> str:
            """Looks an order up."""
            return f"order {order} is pending"

        @app.team("desk", tools=["refund", "look"])
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk",
                model_client=ctx.model("small"),
                workbench=ctx.tools("refund", "look"),
                max_tool_iterations=10,
            )

        @app.team("signed")
        def signed(ctx: proctor.TeamContext) -> Team:
            clerk = AssistantAgent("clerk", model_client=ctx.model("small"))
            return RoundRobinGroupChat(
                [clerk, ctx.human("manager")],
                termination_condition=TextMentionTermination("APPROVE"),
                max_turns=4,
            )

        return app


def results(call: ModelCall) -> list[str]:
    return [str(message["content"]) for message in call.messages if message["role"] == "tool"]


def refunds(*amounts: float, order: str = "7") -> Callable[[ModelCall], Reply]:
    """Asks for refunds one after the other, then tells what came of them."""

    def clerk(call: ModelCall) -> Reply:
        done = results(call)
        if len(done) < len(amounts):
            return [tool_call("refund", order=order, amount=amounts[len(done)])]
        return " / ".join(done)

    return clerk


def refund_of_the_task(call: ModelCall) -> Reply:
    if done := results(call):
        return done[-1]
    return [tool_call("refund", order=str(call.messages[-1]["content"]), amount=20)]


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    def settings(*rules: dict[str, object], human: bool = False, **more: object) -> Settings:
        team = {"approvals": rules}
        return make_settings(
            database_url, teams={"signed": team} if human else {"desk": team}, roles=ROLES, **more
        )

    return settings


@asynccontextmanager
async def opened(
    bank: Bank, settings: Settings, script: object, **more: object
) -> AsyncIterator[proctor.Proctor]:
    more = {"grace": timedelta(0), "providers": {"openai": ScriptedModel(script)}, **more}  # type: ignore[arg-type]
    async with proctor.open(bank.application(), settings=settings, **more) as running:  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            yield running


async def asked(running: proctor.Proctor, **wanted: object) -> Approval:
    (approval,) = await running.approvals(Filter(**wanted))  # type: ignore[arg-type]
    return approval


def yes(by: str = "", **more: object) -> Decision:
    return Decision(kind="approve", by=by, **more)  # type: ignore[arg-type]


async def test_the_first_rule_that_matches_says_who_is_asked(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    settings = make(
        {"tools": ["refund"], "when": {"amount": {"above": 100}}, "roles": ["manager"], "risk": "much money"},
        {"tools": ["python.*"], "needs": "nobody"},
    )
    async with opened(bank, settings, refunds(20, 500)) as running:
        run = await running.run("desk", f"Refund order 7, paid with {CARD}")
        assert bank.refunds == [("7", 20)]
        approval = await asked(running)
        terms = approval.question.terms
        assert (terms.rule, terms.risk, approval.roles) == ("approvals.1", "much money", ("manager",))
        assert "refund" in str(approval.conversation) or approval.conversation[0]["from"] == "task"
        assert "4111" not in str(approval.conversation)
        with pytest.raises(Forbidden):
            await running.decide(approval.id, yes("eve@example.org"))
        with pytest.raises(Forbidden):
            await running.decide(approval.id, yes())
        await running.decide(approval.id, yes(" BOB@Example.org "))
        run = await running.wait(run.id)
    assert run.state == "completed"
    assert bank.refunds == [("7", 20), ("7", 500)]


TOKENS = "".join(f"ghp_{number:02}fT4cZu0aK7sV2mQx9Wd5Lr8Ye1Hn3Bj6Gk " for number in range(70))


@pytest.mark.parametrize("before", [f"{'x ' * 995}", f"{TOKENS}{'x ' * 61}"])
async def test_what_an_approver_neednt_see_stays_out_across_the_edge_of_a_long_text(
    bank: Bank, make: Callable[..., Settings], before: str
) -> None:
    unscreened = {"input": {"payment_card": "allow", "secret": "allow"}}
    async with opened(bank, make(policies=unscreened), refunds(500)) as running:
        await running.run("desk", f"{before}{CARD}{' y' * 2_000}")
        shown = str((await asked(running)).conversation[0]["text"])
    assert "4111" not in shown
    assert "ghp_" not in shown
    assert shown.endswith("…")


async def test_a_read_only_tool_waits_where_a_rule_names_it(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    def clerk(call: ModelCall) -> Reply:
        return results(call)[-1] if results(call) else [tool_call("look", order="7")]

    async with opened(bank, make({"tools": ["look"]}), clerk) as running:
        run = await running.run("desk", "Look")
        assert run.state == "waiting"
        await running.decide((await asked(running)).id, yes())
        run = await running.wait(run.id)
        assert (await asked(running, state="consumed")).decision == yes()
    assert run.result == "order 7 is pending"


async def test_a_person_edits_the_arguments_and_the_model_is_told(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    async with opened(bank, make(), refunds(500)) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        for wrong in ({"order": "7"}, {"order": "7", "amount": "much"}, {"order": "7", "amount": 1, "x": 2}):
            with pytest.raises(InvalidInput):
                await running.decide(approval.id, Decision(kind="edit", arguments=wrong))
        edited = {"order": "7", "amount": 50}
        await running.decide(approval.id, Decision(kind="edit", by="ann", arguments=edited))
        run = await running.wait(run.id)
        call = next(call for call in await running.runs.calls(run.id) if call.key.kind == "tool")
    assert bank.refunds == [("7", 50)]
    assert run.result is not None
    assert "A person changed the arguments" in run.result
    assert call.request["arguments"] == {"order": "7", "amount": 500}
    assert call.outcome is not None
    assert call.outcome["edited"] == edited


async def test_an_edit_for_which_another_rule_holds_is_asked_of_those_whom_it_names(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    much = {"tools": ["refund"], "when": {"amount": {"above": 100}}, "roles": ["board"], "quorum": 2}
    settings = make(much, {"tools": ["refund"], "roles": ["manager"]})
    async with opened(bank, settings, refunds(20)) as running:
        run = await running.run("desk", "Refund order 7")
        first = await asked(running)
        edited = {"order": "7", "amount": 99_999}
        await running.decide(first.id, Decision(kind="edit", by="bob@example.org", arguments=edited))
        run = await running.wait(run.id)
        assert (run.state, bank.refunds) == ("waiting", [])
        other = await asked(running)
        assert (other.question.kind, other.roles, other.quorum) == ("edited", ("board",), 2)
        assert other.action["arguments"] == edited
        again = Decision(kind="edit", by="ann@example.org", arguments={"order": "7", "amount": 1})
        with pytest.raises(InvalidInput):
            await running.decide(other.id, again)
        with pytest.raises(Forbidden):
            await running.decide(other.id, yes("bob@example.org"))
        await running.decide(other.id, yes("dora@example.org"))
        await running.decide(other.id, yes("ann@example.org"))
        run = await running.wait(run.id)
        (call,) = [call for call in await running.runs.calls(run.id) if call.key.kind == "tool"]
        states = {approval.state for approval in await running.approvals(Filter(state=None))}
    assert bank.refunds == [("7", 99_999)]
    assert call.outcome is not None
    assert (call.outcome["edited"], states) == (edited, {"consumed"})


async def test_who_is_asked_about_an_edit_may_refuse_it(bank: Bank, make: Callable[..., Settings]) -> None:
    much = {"tools": ["refund"], "when": {"amount": {"above": 100}}, "roles": ["board"]}
    async with opened(bank, make(much), refunds(20)) as running:
        run = await running.run("desk", "Refund order 7")
        edited = {"order": "7", "amount": 500}
        await running.decide((await asked(running)).id, Decision(kind="edit", arguments=edited))
        await running.wait(run.id)
        refusal = Decision(kind="reject", by="dora@example.org", comment="Too much.")
        await running.decide((await asked(running)).id, refusal)
        run = await running.wait(run.id)
    assert (run.state, bank.refunds) == ("completed", [])
    assert "Too much." in str(run.result)


async def test_an_edit_that_needs_a_second_person_waits_for_one(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    second = {"roles": ["board"], "when": {"amount": {"above": 100}}}
    settings = make({"tools": ["refund"], "roles": ["manager"], "second": second})
    async with opened(bank, settings, refunds(20)) as running:
        run = await running.run("desk", "Refund order 7")
        edited = {"order": "7", "amount": 5_000}
        first = Decision(kind="edit", by="bob@example.org", arguments=edited)
        await running.decide((await asked(running)).id, first)
        await running.wait(run.id)
        assert bank.refunds == []
        other = await asked(running)
        await running.decide(other.id, yes("bob@example.org"))
        await running.decide(other.id, yes("dora@example.org"))
        await running.wait(run.id)
    assert bank.refunds == [("7", 5_000)]


async def test_an_edit_within_the_rule_that_asked_is_asked_of_nobody_else(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    settings = make({"tools": ["refund"], "roles": ["manager"]})
    async with opened(bank, settings, refunds(20)) as running:
        run = await running.run("desk", "Refund order 7")
        edit = Decision(kind="edit", by="bob@example.org", arguments={"order": "7", "amount": 21})
        await running.decide((await asked(running)).id, edit)
        run = await running.wait(run.id)
    assert (run.state, bank.refunds) == ("completed", [("7", 21)])


async def test_a_rule_narrows_what_may_be_edited(bank: Bank, make: Callable[..., Settings]) -> None:
    async with opened(bank, make({"tools": ["refund"], "editable": ["amount"]}), refunds(500)) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        other = {"order": "8", "amount": 500}
        with pytest.raises(InvalidInput) as raised:
            await running.decide(approval.id, Decision(kind="edit", arguments=other))
        assert raised.value.message.startswith("order:")
        lower = {"order": "7", "amount": 5}
        await running.decide(approval.id, Decision(kind="edit", arguments=lower))
        await running.wait(run.id)
    assert bank.refunds == [("7", 5)]


async def test_a_rule_forbids_editing(bank: Bank, make: Callable[..., Settings]) -> None:
    async with opened(bank, make({"tools": ["refund"], "editable": "nothing"}), refunds(500)) as running:
        await running.run("desk", "Refund order 7")
        approval = await asked(running)
        lower = {"order": "7", "amount": 5}
        with pytest.raises(InvalidInput):
            await running.decide(approval.id, Decision(kind="edit", arguments=lower))


async def test_two_of_three_must_agree_and_one_may_refuse(bank: Bank, make: Callable[..., Settings]) -> None:
    settings = make({"tools": ["refund"], "roles": ["manager"], "quorum": 2})
    async with opened(bank, settings, refunds(10, 20)) as running:
        run = await running.run("desk", "Refund order 7")
        first = await asked(running)
        voted = await running.decide(first.id, yes("ann@example.org"))
        assert (voted.state, voted.approvals) == ("pending", 1)
        with pytest.raises(Conflict):
            await running.decide(first.id, yes("ANN@example.org"))
        assert [each.id for each in await running.approvals(Filter(person="bob@example.org"))] == [first.id]
        assert await running.approvals(Filter(person="ann@example.org")) == ()
        decided = await running.decide(first.id, yes("bob@example.org"))
        assert decided.state == "decided"
        await running.wait(run.id)
        assert bank.refunds == [("7", 10)]
        second = await asked(running)
        await running.decide(second.id, yes("ann@example.org"))
        await running.decide(second.id, Decision(kind="reject", by="cem@example.org", comment="Too much."))
        run = await running.wait(run.id)
        types = [event.type for event in await running.runs.events(run.id)]
    assert bank.refunds == [("7", 10)]
    assert types.count("approval.voted") == 2
    assert types.count("approval.decided") == 2


async def test_an_edit_is_another_action_that_all_vote_on_anew(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    settings = make({"tools": ["refund"], "roles": ["manager"], "quorum": 2})
    async with opened(bank, settings, refunds(500)) as running:
        run = await running.run("desk", "Refund order 7")
        shown = await asked(running)
        await running.decide(shown.id, yes("ann@example.org"))
        edit = Decision(kind="edit", by="bob@example.org", arguments={"order": "7", "amount": 5})
        edited = await running.decide(shown.id, edit)
        assert (edited.state, edited.approvals) == ("pending", 1)
        assert edited.action["arguments"] == edit.arguments
        with pytest.raises(Conflict):
            await running.decide(shown.id, yes("cem@example.org", digest=shown.digest))
        await running.decide(shown.id, yes("ann@example.org", digest=edited.digest))
        await running.wait(run.id)
    assert bank.refunds == [("7", 5)]


async def test_whoever_asked_for_the_run_does_not_decide(bank: Bank, make: Callable[..., Settings]) -> None:
    settings = make({"tools": ["refund"], "not_requester": True})
    async with opened(bank, settings, refunds(5)) as running:
        await running.run("desk", "Refund order 7", requester="Ann@example.org")
        approval = await asked(running)
        assert approval.requester == "Ann@example.org"
        for by in ("ann@example.org", ""):
            with pytest.raises(Forbidden):
                await running.decide(approval.id, yes(by))
        assert await running.approvals(Filter(person="ann@example.org")) == ()
        await running.decide(approval.id, yes("bob@example.org"))


async def test_a_member_hands_the_decision_to_another_person(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    settings = make({"tools": ["refund"], "roles": ["manager"]})
    async with opened(bank, settings, refunds(5)) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        with pytest.raises(Forbidden):
            await running.runs.desk.delegate(approval.id, by="eve", to="flo")
        await running.runs.desk.delegate(approval.id, by="ann@example.org", to="Flo")
        assert [each.id for each in await running.approvals(Filter(person="flo"))] == [approval.id]
        assert await running.approvals(Filter(person="ann@example.org")) == ()
        with pytest.raises(Forbidden):
            await running.decide(approval.id, yes("ann@example.org"))
        await running.decide(approval.id, yes("flo"))
        await running.wait(run.id)
        events = await running.runs.events(run.id)
    assert bank.refunds == [("7", 5)]
    assert [dict(event.data) for event in events if event.type == "approval.delegated"] == [
        {"id": approval.id, "by": "ann@example.org", "to": "Flo"}
    ]


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ({}, "This action was not carried out. Nobody decided in time."),
        ({"on_expiry": "respond", "default": "Ask next week."}, "Ask next week."),
        ({"on_expiry": "approve"}, "refunded 5 of order 7"),
    ],
)
async def test_what_nobody_decides_in_time_has_a_stated_outcome(
    bank: Bank, make: Callable[..., Settings], rule: dict[str, object], result: str
) -> None:
    clock = FakeClock()
    settings = make({"tools": ["refund"], "expires": "PT1H", **rule})
    async with opened(bank, settings, refunds(5), clock=clock) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        assert await running.runs.desk.expire() == ()
        clock.advance(3600)
        with pytest.raises(Conflict):
            await running.decide(approval.id, yes())
        assert await running.runs.desk.expire() == (run.id,)
        assert await running.runs.desk.expire() == ()
        run = await running.wait(run.id)
        events = [event.type for event in await running.runs.events(run.id)]
    assert run.result is not None
    assert run.result.endswith(result)
    assert events.count("approval.expired") == 1


async def test_an_expired_question_is_passed_on_and_then_rejected(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    clock = FakeClock()
    rule = {
        "tools": ["refund"],
        "roles": ["manager"],
        "expires": "PT1H",
        "on_expiry": "escalate",
        "escalate_to": ["board"],
    }
    async with opened(bank, make(rule), refunds(5), clock=clock) as running:
        run = await running.run("desk", "Refund order 7")
        clock.advance(3600)
        assert await running.runs.desk.expire() == ()
        approval = await asked(running, role="board")
        assert (approval.roles, approval.escalations) == (("board",), 1)
        with pytest.raises(Forbidden):
            await running.decide(approval.id, yes("bob@example.org"))
        clock.advance(3600)
        assert await running.runs.desk.expire() == (run.id,)
        await running.wait(run.id)
        events = [event.type for event in await running.runs.events(run.id)]
    assert events.count("approval.escalated") == 1
    assert bank.refunds == []


async def test_a_human_of_the_team_who_does_not_answer_in_time_is_answered_for(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    clock = FakeClock()
    rule = {"human": "manager", "expires": "P1D", "on_expiry": "respond", "default": "APPROVE, by default"}
    async with opened(bank, make(rule, human=True), ["A draft."], clock=clock) as running:
        run = await running.run("signed", "Write")
        clock.advance(86_400)
        assert await running.runs.desk.expire() == (run.id,)
        run = await running.wait(run.id)
        said = [call.outcome for call in await running.runs.calls(run.id) if call.key.kind == "human"]
    assert run.state == "completed"
    assert said == [{"text": "APPROVE, by default", "by": "expiry"}]


async def test_a_standing_approval_answers_later_calls_until_it_is_revoked(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    async with opened(bank, make(), refunds(5, 5, 6, 5)) as running:
        run = await running.run("desk", "Refund order 7")
        await running.decide((await asked(running)).id, yes("ann", standing="run"))
        await running.wait(run.id)
        assert bank.refunds == [("7", 5), ("7", 5)]
        other = await asked(running)
        assert other.question.action["arguments"] == {"order": "7", "amount": 6}
        (given,) = await running.runs.desk.standing()
        assert (given.scope, given.exact, given.made_by) == ("run", True, "ann")
        await running.runs.desk.revoke(given.id, by="bob")
        with pytest.raises(Conflict):
            await running.runs.desk.revoke(given.id, by="bob")
        assert await running.runs.desk.standing() == ()
        await running.decide(other.id, yes("ann"))
        run = await running.wait(run.id)
        assert run.state == "waiting", "the fourth call is asked about again"
        decided = [
            str(event.data["by"])
            for event in await running.runs.events(run.id)
            if event.type == "approval.decided"
        ]
    assert decided == ["ann", f"standing:{given.id}", "ann"]
    assert bank.refunds == [("7", 5), ("7", 5), ("7", 6)]


async def test_a_standing_approval_for_named_arguments_lets_the_others_differ(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    async with opened(bank, make(), refund_of_the_task) as running:
        run = await running.run("desk", "7")
        first = await asked(running)
        with pytest.raises(InvalidInput):
            await running.decide(first.id, yes("ann", standing="day", same=("colour",)))
        with pytest.raises(InvalidInput):
            await running.decide(first.id, yes("ann", standing="thread"))
        await running.decide(first.id, yes("ann", standing="day", same=("amount",)))
        await running.wait(run.id)
        again = await running.run("desk", "8")
        again = await running.wait(again.id)
        if again.state == "waiting":
            again = await running.wait(again.id)
        elsewhere = await running.run("desk", "9", tenant="other")
    assert again.result == "refunded 20 of order 8"
    assert elsewhere.state == "waiting", "another tenant's calls are others"
    assert bank.refunds == [("7", 20), ("8", 20)]


async def test_an_approval_stands_for_a_conversation(bank: Bank, make: Callable[..., Settings]) -> None:
    wants: list[Reply] = [[tool_call("refund", order="7", amount=20)], "Done."]
    async with opened(bank, make(), [*wants, *wants, *wants]) as running:
        thread = await running.open_thread("desk")
        run = await running.run("desk", "Refund order 7", thread=thread.id)
        await running.decide((await asked(running)).id, yes("ann", standing="thread"))
        await running.wait(run.id)
        again = await running.run("desk", "And again", thread=thread.id)
        while again.state in ("waiting", "queued"):
            assert await running.approvals() == ()
            again = await running.wait(again.id)
        elsewhere = await running.run("desk", "Refund order 7")
    assert (again.state, elsewhere.state) == ("completed", "waiting")
    assert len(bank.refunds) == 2


async def test_a_day_ends_at_midnight_utc(bank: Bank, make: Callable[..., Settings]) -> None:
    clock = FakeClock()
    clock.advance(23 * 3600)
    async with opened(bank, make(), refund_of_the_task, clock=clock) as running:
        run = await running.run("desk", "7")
        await running.decide((await asked(running)).id, yes("ann", standing="day"))
        await running.wait(run.id)
        clock.advance(3600)
        assert (await running.run("desk", "7")).state == "waiting"


async def test_nobody_approves_in_advance_what_they_may_not_decide(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    settings = make({"tools": ["refund"], "not_requester": True})
    async with opened(bank, settings, refund_of_the_task) as running:
        run = await running.run("desk", "7", requester="bob")
        await running.decide((await asked(running)).id, yes("ann", standing="day"))
        await running.wait(run.id)
        own = await running.run("desk", "7", requester="ann")
        assert own.state == "waiting"
        assert (await asked(running)).run_id == own.id


async def test_calls_made_in_parallel_are_asked_about_in_one_wait(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    def clerk(call: ModelCall) -> Reply:
        if done := results(call):
            return " / ".join(done)
        return [tool_call("refund", order=order, amount=1) for order in "abc"]

    async with opened(bank, make(), clerk) as running:
        run = await running.run("desk", "Refund three orders")
        waiting = await running.approvals()
        assert len(waiting) == 3
        for approval in waiting:
            await running.decide(approval.id, yes("ann"))
        run = await running.wait(run.id)
        while run.state == "waiting":
            run = await running.wait(run.id)
    assert run.state == "completed"
    assert sorted(bank.refunds) == [("a", 1), ("b", 1), ("c", 1)]


async def test_many_questions_are_rejected_together(bank: Bank, make: Callable[..., Settings]) -> None:
    settings = make({"tools": ["refund"], "when": {"order": {"equals": "3"}}, "roles": ["manager"]})
    async with opened(bank, settings, refund_of_the_task) as running:
        runs = [await running.run("desk", str(number)) for number in range(4)]
        done = await running.runs.desk.reject_all(Filter(team="desk"), by="eve", comment="Not today.")
        assert len(done.rejected) == 3
        assert [approval.run_id for approval, _ in done.left] == [runs[3].id]
        await running.engine.idle()
        states = [(await running.runs.get(run.id)).state for run in runs]
    assert states == ["completed", "completed", "completed", "waiting"]
    assert bank.refunds == []


async def test_a_second_person_agrees_after_the_first(bank: Bank, make: Callable[..., Settings]) -> None:
    settings = make({"tools": ["refund"], "roles": ["manager"], "second": {"roles": ["board"]}})
    async with opened(bank, settings, refunds(5)) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        first = await running.decide(approval.id, yes("ann@example.org"))
        assert (first.state, first.stage, first.roles) == ("pending", 2, ("board",))
        with pytest.raises(Conflict):
            await running.decide(approval.id, yes("ann@example.org"))
        with pytest.raises(Forbidden):
            await running.decide(approval.id, yes("bob@example.org"))
        decided = await running.decide(approval.id, yes("dora@example.org"))
        assert decided.decision == yes("ann@example.org, dora@example.org")
        run = await running.wait(run.id)
    assert bank.refunds == [("7", 5)]


async def test_a_share_of_calls_needs_a_second_person(bank: Bank, make: Callable[..., Settings]) -> None:
    settings = make({"tools": ["refund"], "second": {"share": 0.5}})
    async with opened(bank, settings, refund_of_the_task) as running:
        for number in range(20):
            await running.run("desk", str(number))
        seconds = [approval.question.terms.second is not None for approval in await running.approvals()]
    assert 2 <= sum(seconds) <= 18


def judged(agree: bool, amount: float = 5) -> tuple[Callable[[ModelCall], Reply], list[ModelCall]]:  # noqa: FBT001
    seen: list[ModelCall] = []

    def answer(call: ModelCall) -> Reply:
        if call.model == "large":
            seen.append(call)
            return json.dumps({"reason": "It is more than the order cost.", "agree": agree})
        return refunds(amount, amount)(call)

    return answer, seen


JUDGED = {"tools": ["refund"], "second": {"judge": "large", "rubric": "Never more than the order cost."}}
MODELS = {name: {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}} for name in ("small", "large")}


async def test_a_judge_agrees_after_the_person_as_a_call_of_the_run(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    script, seen = judged(agree=True)
    async with opened(bank, make(JUDGED, models=MODELS), script) as running:
        run = await running.run("desk", "Refund order 7")
        await running.decide((await asked(running)).id, yes("ann"))
        await running.wait(run.id)
        await running.decide((await asked(running)).id, yes("ann"))
        run = await running.wait(run.id)
        calls = await running.runs.calls(run.id)
    assert bank.refunds == [("7", 5), ("7", 5)]
    assert run.state == "completed"
    assert len(seen) == 2, "each call is judged once, also where two are alike"
    assert [call.key.agent for call in calls].count("clerk/(aside)") == 2
    assert run.cost == sum(call.cost for call in calls)


async def test_where_the_judge_disagrees_another_person_is_asked(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    script, seen = judged(agree=False)
    async with opened(bank, make(JUDGED, models=MODELS), script) as running:
        run = await running.run("desk", "Refund order 7")
        await running.decide((await asked(running)).id, yes("ann"))
        run = await running.wait(run.id)
        assert run.state == "waiting"
        second = await asked(running)
        assert second.question.kind == "second"
        assert "more than the order cost" in second.question.text
        with pytest.raises(Forbidden):
            await running.decide(second.id, yes("Ann"))
        await running.decide(second.id, Decision(kind="reject", by="bob", comment="The judge is right."))
        run = await running.wait(run.id)
        consumed = await running.approvals(Filter(state="consumed"))
    assert bank.refunds == []
    assert len(seen) == 1
    assert [approval.question.kind for approval in consumed] == ["action", "second"]


async def test_after_a_crash_those_who_decided_are_asked_about_what_they_decided(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    script, seen = judged(agree=True)
    settings = make(JUDGED | {"roles": ["manager"]}, models=MODELS)
    bank.holds = True
    async with opened(bank, settings, script) as running:
        run = await running.run("desk", "Refund order 7")
        edit = Decision(kind="edit", by="bob@example.org", arguments={"order": "7", "amount": 3})
        await running.decide((await asked(running)).id, edit)
        await bank.inside.wait()
    bank.holds = False
    async with opened(bank, settings, script) as running:
        run = await running.wait(run.id)
        assert run.state == "waiting"
        doubt = await asked(running)
        assert (doubt.question.kind, doubt.roles) == ("uncertain", ("manager",))
        assert doubt.action["arguments"] == edit.arguments
        with pytest.raises(Forbidden):
            await running.decide(doubt.id, yes("eve"))
        await running.decide(doubt.id, yes("bob@example.org"))
        run = await running.wait(run.id)
    assert bank.refunds == [("7", 3), ("7", 3)]
    assert len(seen) == 1, "the judge's opinion is recorded"


async def test_time_never_stands_in_for_the_person_whom_a_judges_doubt_asks(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    script, _ = judged(agree=False)
    clock = FakeClock()
    rule = JUDGED | {"expires": "PT1H", "on_expiry": "approve"}
    async with opened(bank, make(rule, models=MODELS), script, clock=clock) as running:
        run = await running.run("desk", "Refund order 7")
        await running.decide((await asked(running)).id, yes("ann"))
        await running.wait(run.id)
        assert (await asked(running)).question.kind == "second"
        clock.advance(3600)
        assert await running.runs.desk.expire() == (run.id,)
        run = await running.wait(run.id)
    assert bank.refunds == []


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ({"second": {"roles": ["board"]}}, None),
        ({"second": {"roles": ["board"]}}, yes("bob@example.org")),
        (
            {"quorum": 2},
            Decision(kind="edit", by="bob@example.org", arguments={"order": "7", "amount": 99_999}),
        ),
    ],
)
async def test_time_never_stands_in_for_a_second_person_or_for_those_who_didnt_see_an_edit(
    bank: Bank, make: Callable[..., Settings], rule: dict[str, object], first: Decision | None
) -> None:
    clock = FakeClock()
    timed = {"tools": ["refund"], "roles": ["manager"], "expires": "PT1H", "on_expiry": "approve"}
    async with opened(bank, make(timed | rule), refunds(5), clock=clock) as running:
        run = await running.run("desk", "Refund order 7")
        approval = await asked(running)
        if first is not None:
            await running.decide(approval.id, first)
        clock.advance(3600)
        assert await running.runs.desk.expire() == (run.id,)
        run = await running.wait(run.id)
    assert (run.state, bank.refunds) == ("completed", [])


async def test_a_judge_that_fails_asks_the_second_person_whose_word_stands(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    works: list[ModelCall] = []
    fails = [ModelRefused("The judge is ill.")]

    def script(call: ModelCall) -> Reply:
        if call.model != "large":
            return refunds(5)(call)
        works.append(call)
        return fails[0] if fails else json.dumps({"reason": "Fine.", "agree": True})

    async with opened(bank, make(JUDGED, models=MODELS), script) as running:
        run = await running.run("desk", "Refund order 7")
        await running.decide((await asked(running)).id, yes("ann"))
        run = await running.wait(run.id)
        assert run.state == "waiting"
        second = await asked(running)
        assert (second.question.kind, second.barred) == ("second", ("ann",))
        fails.clear()
        await running.decide(second.id, Decision(kind="reject", by="bob"))
        run = await running.wait(run.id)
    assert (run.state, bank.refunds, len(works)) == ("completed", [], 1)


async def test_a_human_of_the_team_is_asked_without_what_an_approver_neednt_see(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    said = [f"The card is {CARD}, the key {key}.", "never"]
    async with opened(bank, make(human=True), lambda _call: said.pop(0)) as running:
        run = await running.run("signed", "Confirm")
        question = (await asked(running)).question
        requested = [event for event in await running.runs.events(run.id) if "approval" in event.type]
        await running.decide((await asked(running)).id, yes("ann"))
        run = await running.wait(run.id)
    shown = f"{question} {[event.data for event in requested]}"
    assert "4111" not in shown
    assert key not in shown
    assert "The card is" in question.text
    assert (run.state, said) == ("completed", ["never"])


@pytest.mark.parametrize(
    "rule",
    [
        {"tools": ["refund"], "roles": ["manger"]},
        {"tools": ["refund"], "roles": ["board"], "quorum": 3},
        {"tools": ["refund"], "second": {"judge": "large", "rubric": "Be strict."}},
    ],
)
async def test_a_rule_that_nobody_could_meet_is_refused_at_the_start(
    bank: Bank, make: Callable[..., Settings], rule: dict[str, object]
) -> None:
    with pytest.raises(ConfigurationError):
        async with opened(bank, make(rule), []):
            pass


async def test_a_rule_for_a_tool_that_no_team_has_stops_its_runs(
    bank: Bank, make: Callable[..., Settings]
) -> None:
    async with opened(bank, make({"tools": ["refnd"]}), refunds(5)) as running:
        run = await running.run("desk", "Refund order 7")
    assert (run.state, run.error_code) == ("failed", "configuration")
    assert bank.refunds == []
