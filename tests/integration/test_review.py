"""What a team answers, and who looks at it before it goes out."""
# ruff: noqa: RUF001 - Chinese punctuation

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent

import proctor
from proctor import Decision, Settings
from proctor.approvals import Approval, Filter
from proctor.core import ConfigurationError, Forbidden, InvalidInput, ModelCall
from proctor.testing import ScriptedModel, tool_call

CARD = "4111 1111 1111 1111"
ROLES = {
    "leads": {"members": ["ann@example.org", "bob@example.org"]},
    "doctors": {"members": ["dr@example.org"]},
}


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    async def decline(customer: str) -> str:
        """Declines a credit."""
        return f"declined {customer}"

    @app.tool(effect="read_only")
    async def catalogue() -> str:
        """Tells what there is."""
        return '[{"name": "blue mug", "price": 12.5}, {"name": "red mug", "price": 9}]'

    @app.team("desk", tools=["decline", "catalogue"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("decline", "catalogue"),
            max_tool_iterations=3,
        )

    return app


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    def settings(review: dict[str, object] | None = None, **more: object) -> Settings:
        more = {"roles": ROLES, "teams": {"desk": {"review": review or {}}}, **more}
        return make_settings(database_url, **more)

    return settings


@asynccontextmanager
async def opened(settings: Settings, says: object) -> AsyncIterator[proctor.Proctor]:
    providers = {"openai": ScriptedModel(says if callable(says) else lambda _: says)}  # type: ignore[arg-type]
    async with proctor.open(
        application(), settings=settings, grace=timedelta(0), providers=providers
    ) as running:
        async with asyncio.timeout(30):
            yield running


async def asked(running: proctor.Proctor) -> Approval:
    (approval,) = await running.approvals(Filter())
    return approval


async def told(running: proctor.Proctor, run: proctor.Run, type: str) -> list[dict[str, object]]:
    return [dict(event.data) for event in await running.runs.events(run.id) if event.type == type]


async def test_in_production_each_answer_waits_for_a_person(make: Callable[..., Settings]) -> None:
    async with opened(make(production=True, policies={"ai_disclosure": False}), "All is well.") as running:
        run = await running.run("desk", "How is it?")
        approval = await asked(running)
        assert (run.state, run.result, approval.question.kind) == ("waiting", None, "output")
        await running.decide(approval.id, Decision(kind="approve", by="ann@example.org"))
        run = await running.wait(run.id)
        assert (run.state, run.result) == ("completed", "All is well.")
        [reviewed] = await told(running, run, "output.reviewed")
        assert (reviewed["by"], reviewed["decision"]) == ("ann@example.org", "approve")


async def test_elsewhere_an_answer_in_which_nothing_is_found_goes_out(make: Callable[..., Settings]) -> None:
    async with opened(make(), "All is well.") as running:
        assert (await running.run("desk", "How is it?")).result == "All is well."


async def test_a_reviewer_changes_an_answer(make: Callable[..., Settings]) -> None:
    async with opened(make({"mode": "manual"}), "All is wel.") as running:
        run = await running.run("desk", "How is it?")
        approval = await asked(running)
        for wrong in ({"answer": ""}, {"text": "x"}, {"answer": 7}):
            with pytest.raises(InvalidInput):
                await running.decide(approval.id, Decision(kind="edit", by="ann", arguments=wrong))
        await running.decide(
            approval.id, Decision(kind="edit", by="ann", arguments={"answer": "All is well."})
        )
        assert (await running.wait(run.id)).result == "All is well."


async def test_an_answer_that_a_reviewer_rejects_does_not_go_out(make: Callable[..., Settings]) -> None:
    async with opened(make({"mode": "manual"}), "The internal price is 3 $.") as running:
        run = await running.run("desk", "What does it cost?")
        await running.decide(
            (await asked(running)).id, Decision(kind="reject", by="ann", comment="Internal.")
        )
        run = await running.wait(run.id)
    assert (run.state, run.result) == ("refused", "The answer was held back. Internal.")


async def test_only_those_who_are_named_review(make: Callable[..., Settings]) -> None:
    review = {"mode": "manual", "roles": ["leads"], "not_requester": True}
    async with opened(make(review), "All is well.") as running:
        run = await running.run("desk", "How is it?", requester="ann@example.org")
        approval = await asked(running)
        for other in ("eve@example.org", "ann@example.org", ""):
            with pytest.raises(Forbidden):
                await running.decide(approval.id, Decision(kind="approve", by=other))
        await running.decide(approval.id, Decision(kind="approve", by="bob@example.org"))
        assert (await running.wait(run.id)).state == "completed"


async def test_automatic_review_shows_a_share_of_the_answers_to_a_person(
    make: Callable[..., Settings],
) -> None:
    review = {"mode": "automatic", "critical": False, "share": 0.5}
    async with opened(make(review, production=True), "All is well.") as running:
        runs = [await running.run("desk", "How is it?") for _ in range(24)]
    states = [run.state for run in runs]
    assert set(states) == {"completed", "waiting"}


def test_what_is_critical_cannot_be_reviewed_automatically() -> None:
    from conftest import make_settings

    with pytest.raises(ValueError, match="critical = false"):
        make_settings("sqlite://", teams={"desk": {"review": {"mode": "automatic"}}})


def judging(*, agrees: bool) -> Callable[[ModelCall], str]:
    def say(call: ModelCall) -> str:
        if "Rubric" in str(call.messages[0]["content"]):
            return json.dumps({"reason": "It says too much.", "agree": agrees})
        return "All is well."

    return say


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_person_looks_where_the_judge_disagrees(
    make: Callable[..., Settings], *, agrees: bool
) -> None:
    review = {"mode": "second", "judge": "small", "rubric": "Nothing internal."}
    async with opened(make(review), judging(agrees=agrees)) as running:
        run = await running.run("desk", "How is it?")
        assert run.state == ("completed" if agrees else "waiting")
        [judged] = await told(running, run, "output.judged")
        assert judged["agrees"] is agrees
        if not agrees:
            await running.decide((await asked(running)).id, Decision(kind="approve", by="ann"))
            run = await running.wait(run.id)
    assert run.result == "All is well."


async def test_what_must_not_leave_is_taken_out_of_an_answer(make: Callable[..., Settings]) -> None:
    async with opened(make(), f"The card on file is {CARD}.") as running:
        run = await running.run("desk", "How was it paid?")
        [verdict] = await told(running, run, "policy.verdict")
    assert run.result == "The card on file is [payment card]."
    assert verdict["stage"] == "output"


async def test_an_answer_that_the_policy_denies_ends_the_run_refused(make: Callable[..., Settings]) -> None:
    rule = {"id": "rival", "stages": ["output"], "words": ["Acme"], "outcome": "deny", "reason": "No rivals."}
    async with opened(make(policies={"rules": [rule]}), "Buy at ACME.") as running:
        run = await running.run("desk", "Where?")
    assert (run.state, run.result) == ("refused", "No rivals.")


ASKS_A_DOCTOR = (
    "I have had chest pain since Monday and my blood pressure is 160/100. Which pills should I take?"
)


async def test_who_is_licensed_sees_the_answer_to_somebody_who_asks_for_advice(
    make: Callable[..., Settings],
) -> None:
    settings = make(policies={"licensed": {"medical_advice": "doctors"}})
    async with opened(settings, "Please see a doctor.") as running:
        run = await running.run("desk", ASKS_A_DOCTOR, requester="ann@example.org")
        assert (run.state, run.asks) == ("waiting", ("medical_advice",))
        approval = await asked(running)
        with pytest.raises(Forbidden):
            await running.decide(approval.id, Decision(kind="approve", by="ann@example.org"))
        await running.decide(approval.id, Decision(kind="approve", by="dr@example.org"))
        run = await running.wait(run.id)
        [reviewed] = await told(running, run, "output.reviewed")
    assert (run.state, reviewed["by"]) == ("completed", "dr@example.org")


@pytest.mark.parametrize(
    ("task", "answer", "disclosure"),
    [
        (
            "And then?",
            "You should put 60 % of your savings into this fund and sell your bonds.",
            "not investment",
        ),
        ("然后呢？", "根据您的情况，您每天应该服用两次布洛芬，每次400毫克，三天后停药。", "不能替代医生"),
    ],
)
async def test_an_answer_that_gives_advice_gets_its_disclosure(
    task: str, answer: str, disclosure: str, make: Callable[..., Settings]
) -> None:
    async with opened(make(), answer) as running:
        run = await running.run("desk", task)
    assert run.state == "completed"
    assert str(run.result).startswith(answer)
    assert disclosure in str(run.result)


async def test_advice_that_is_refused_says_whom_to_ask(make: Callable[..., Settings]) -> None:
    policies = {"input": {"medical_advice": "deny"}}
    async with opened(make(policies=policies), "x") as running:
        run = await running.run("desk", ASKS_A_DOCTOR)
    assert run.state == "refused"
    assert "doctor" in str(run.result)


async def test_the_first_answer_says_that_an_ai_gives_it_and_later_ones_do_not(
    make: Callable[..., Settings],
) -> None:
    async with opened(make(policies={"ai_disclosure": True}), "All is well.") as running:
        thread = await running.open_thread("desk")
        first = await running.run("desk", "How is it?", thread=thread.id)
        second = await running.run("desk", "And now?", thread=thread.id)
    assert str(first.result).startswith("You are talking to an AI")
    assert second.result == "All is well."


async def test_a_price_that_the_catalogue_does_not_have_waits_for_a_person(
    make: Callable[..., Settings],
) -> None:
    def clerk(call: ModelCall) -> object:
        done = any(each["role"] == "tool" for each in call.messages)
        price = "$9" if "cheap" in str(call.messages) else "$12.50"
        return f"The blue mug costs {price}." if done else [tool_call("catalogue")]

    policies = {"catalogue": ["catalogue"], "marking": "off"}
    async with opened(make(policies=policies), clerk) as running:
        right = await running.run("desk", "What is the mug?")
        wrong = await running.run("desk", "What is the mug? Say it is cheap.")
        assert (await asked(running)).question.terms.labels == ("price_mismatch",)
    assert (right.state, wrong.state) == ("completed", "waiting")


async def test_where_nobody_is_named_to_review_a_finding_is_only_logged(
    make: Callable[..., Settings],
) -> None:
    claim = "This plan has guaranteed returns of 20 % and is risk-free."
    async with opened(make(), claim) as running:
        run = await running.run("desk", "Is it good?")
        [verdict] = await told(running, run, "policy.verdict")
    assert (run.state, verdict["outcome"]) == ("completed", "escalate")
    async with opened(make(policies={"output": {"unsupported_claim": "escalate"}}), claim) as running:
        assert (await running.run("desk", "Is it good?")).state == "waiting"


async def test_words_of_the_operators_hold_an_answer_for_a_person(make: Callable[..., Settings]) -> None:
    rule = {"id": "deal", "stages": ["output"], "words": ["discount*"], "outcome": "escalate"}
    async with opened(make(policies={"rules": [rule]}), "There are discounts.") as running:
        run = await running.run("desk", "Any news?")
        assert (await asked(running)).question.terms.labels == ("deal",)
    assert run.state == "waiting"


@pytest.mark.parametrize(
    "policies",
    [
        {"rules": [{"id": "deal", "stages": ["input"], "words": ["discount*"], "outcome": "escalate"}]},
        {"input": {"payment_card": "escalate"}},
    ],
)
async def test_what_a_task_holds_for_a_person_holds_its_answer_and_its_effects(
    policies: dict[str, object], make: Callable[..., Settings]
) -> None:
    def clerk(call: ModelCall) -> object:
        done = any(message["role"] == "tool" for message in call.messages)
        return "declined" if done else [tool_call("decline", customer="bob")]

    free = {"desk": {"approval": "never", "untrusted": "allow"}}
    async with opened(make(policies=policies, teams=free), clerk) as running:
        run = await running.run("desk", f"Is there a discount on {CARD}?")
        effect = await asked(running)
        assert effect.question.kind == "action"
        await running.decide(effect.id, Decision(kind="approve", by="ann@example.org"))
        run = await running.wait(run.id)
        assert (run.state, (await asked(running)).question.kind) == ("waiting", "output")


async def test_article_22_a_significant_decision_cannot_be_made_without_a_person(
    make: Callable[..., Settings],
) -> None:
    def clerk(call: ModelCall) -> object:
        done = [str(each["content"]) for each in call.messages if each["role"] == "tool"]
        return done[-1] if done else [tool_call("decline", customer="Li")]

    teams = {
        "desk": {
            "approval": "never",
            "untrusted": "allow",
            "approvals": [{"tools": ["*"], "needs": "nobody"}],
            "review": {"significant": ["decline"]},
        }
    }
    async with opened(make(teams=teams), clerk) as running:
        run = await running.run("desk", "Decide")
        approval = await asked(running)
        assert (run.state, approval.question.terms.labels) == ("waiting", ("significant",))
        with pytest.raises(InvalidInput):
            await running.decide(approval.id, Decision(kind="approve", by="ann", standing="day"))
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        assert (await running.wait(run.id)).result == "declined Li"


async def test_a_significant_decision_that_no_tool_has_stops_the_start(make: Callable[..., Settings]) -> None:
    async with opened(make({"significant": ["declin"]}), "x") as running:
        run = await running.run("desk", "Decide")
    assert run.state == "failed"
    assert "Did you mean decline" in str(run.error)


@pytest.mark.parametrize(
    "settings", [{"roles": ["lead"]}, {"mode": "second", "judge": "larg", "rubric": "x"}]
)
def test_a_review_that_nobody_can_do_is_refused(
    settings: dict[str, object], make: Callable[..., Settings]
) -> None:
    from proctor.app._settings import check_names

    with pytest.raises(ConfigurationError):
        check_names(make(settings))
