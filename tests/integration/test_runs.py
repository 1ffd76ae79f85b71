"""What a run does between its start and its end, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import func, select, update

import proctor
from proctor import Decision, Settings
from proctor.core import (
    Conflict,
    DatabaseInUse,
    ModelCall,
    ModelResult,
    ModelUnreachable,
    NotFound,
    ToolCall,
    Usage,
)
from proctor.runs import blobs, runs
from proctor.testing import Reply, ScriptedModel, tool_call

UNASKED = {"approval": "never", "untrusted": "allow"}


@dataclass
class Shop:
    """The world outside: what really happened."""

    cancelled: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    inside: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    """While it is set and not released, a tool waits inside after its effect."""

    def application(self, *, idempotent: bool = False) -> proctor.App:
        app = proctor.App()

        @app.tool(effect="read_only")
        async def look(order: str) -> str:
            """Looks an order up."""
            return f"order {order} is pending"

        @app.tool(effect="idempotent" if idempotent else "consequential")
        async def cancel(order: str, call: ToolCall) -> str:
            """Cancels an order."""
            if call.scope.key not in self.keys:
                self.cancelled.append(order)
                self.keys.append(call.scope.key)
            if self.hold is not None:
                self.inside.set()
                await self.hold.wait()
            return f"order {order} is cancelled"

        @app.team("desk", tools=["look", "cancel"])
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk",
                model_client=ctx.model("small"),
                workbench=ctx.tools("look", "cancel"),
                max_tool_iterations=10,
                model_client_stream=True,
            )

        @app.team("signed")
        def signed(ctx: proctor.TeamContext) -> Team:
            clerk = AssistantAgent("clerk", model_client=ctx.model("small"))
            return RoundRobinGroupChat(
                [clerk, ctx.human("manager")], termination_condition=TextMentionTermination("APPROVE")
            )

        return app


def clerk(call: ModelCall) -> Reply:
    """Looks the order up, cancels it, tells what came of it."""
    results = [str(message["content"]) for message in call.messages if message["role"] == "tool"]
    match len(results):
        case 0:
            return [tool_call("look", order="7")]
        case 1:
            return [tool_call("cancel", order="7")]
        case _:
            return f"The shop says: {results[-1]}"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def make(database_url: str) -> Callable[..., Settings]:
    from conftest import make_settings

    return lambda **more: make_settings(database_url, **more)


@asynccontextmanager
async def opened(
    shop: Shop, settings: Settings, script: object = clerk, **more: object
) -> AsyncIterator[tuple[proctor.Proctor, ScriptedModel]]:
    model = ScriptedModel(script)  # type: ignore[arg-type]
    idempotent = bool(more.pop("idempotent", False))
    more = {"grace": timedelta(0), **more}
    app = shop.application(idempotent=idempotent)
    async with proctor.open(app, settings=settings, providers={"openai": model}, **more) as running:  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            yield running, model


async def types(running: proctor.Proctor, run_id: str) -> list[str]:
    return [event.type for event in await running.runs.events(run_id)]


async def only_approval(running: proctor.Proctor) -> str:
    (approval,) = await running.approvals()
    return approval.id


async def test_a_tool_with_side_effects_waits_for_a_person(shop: Shop, make: Callable[..., Settings]) -> None:
    async with opened(shop, make()) as (running, model):
        run = await running.run("desk", "Cancel order 7")
        assert run.state == "waiting"
        assert shop.cancelled == []
        (approval,) = await running.approvals()
        assert approval.question.action == {"server": "python", "tool": "cancel", "arguments": {"order": "7"}}
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        run = await running.wait(run.id)
        assert (run.state, run.result) == ("completed", "The shop says: order 7 is cancelled")
        assert shop.cancelled == ["7"]
        assert len(model.calls) == 3
        assert (await running.approval(approval.id)).state == "consumed"


async def test_the_log_is_numbered_without_gaps_and_nothing_stands_in_it_twice(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make()) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        await running.decide(await only_approval(running), Decision(kind="approve", by="ann"))
        await running.wait(run.id)
        events = await running.runs.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events] == [
        "run.started",
        "model.called",
        "tool.called",
        "label.raised",
        "model.called",
        "approval.requested",
        "run.waiting",
        "approval.decided",
        "run.resumed",
        "tool.called",
        "model.called",
        "message",
        "run.completed",
    ]


async def test_the_cost_of_a_run_is_the_sum_of_its_calls(shop: Shop, make: Callable[..., Settings]) -> None:
    async with opened(shop, make()) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        await running.decide(await only_approval(running), Decision(kind="approve"))
        run = await running.wait(run.id)
        calls = await running.runs.calls(run.id)
    assert run.cost == sum(call.cost for call in calls) > 0
    assert [call.position for call in calls] == list(range(5))


async def test_a_rejected_tool_call_reaches_the_model_as_a_refusal(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make()) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        await running.decide(
            await only_approval(running), Decision(kind="reject", by="ann", comment="Too late.")
        )
        run = await running.wait(run.id)
    assert run.result == "The shop says: A person refused this action. Too late."
    assert shop.cancelled == []


async def test_a_decision_taken_days_and_restarts_later_continues_the_run(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make()
    async with opened(shop, settings) as (running, _):
        run = await running.run("signed", "Say something")
        assert run.state == "waiting"
    async with opened(shop, settings, executes=False) as (running, _):
        await running.decide(await only_approval(running), Decision(kind="approve", by="ann", comment="fine"))
        assert (await running.runs.get(run.id)).state == "queued"
    async with opened(shop, settings) as (running, model):
        run = await running.wait(run.id)
    assert run.state == "completed"
    assert model.calls == []


async def test_a_question_is_decided_once(shop: Shop, make: Callable[..., Settings]) -> None:
    async with opened(shop, make()) as (running, _):
        await running.run("desk", "Cancel order 7")
        approval = await only_approval(running)
        answers = await asyncio.gather(
            *(running.decide(approval, Decision(kind="approve", by=f"p{n}")) for n in range(8)),
            return_exceptions=True,
        )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_a_run_that_lost_its_model_fails_and_resumes_where_it_stood(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(models={"small": {"model": "m", "price": "free", "retries": 0}}, teams={"desk": UNASKED})

    def broken(call: ModelCall) -> Reply:
        return ModelUnreachable("no route") if call.messages[-1]["role"] == "tool" else clerk(call)

    async with opened(shop, settings, broken) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        assert (run.state, run.error_code) == ("failed", "model_unreachable")
    async with opened(shop, settings) as (running, model):
        await running.resume(run.id)
        run = await running.wait(run.id)
    assert run.state == "completed"
    assert len(model.calls) == 2
    assert shop.cancelled == ["7"]


async def test_a_cancelled_run_makes_no_further_call(shop: Shop, make: Callable[..., Settings]) -> None:
    begun = asyncio.Event()

    async def slow(call: ModelCall) -> Reply:
        begun.set()
        await asyncio.get_running_loop().create_future()
        return clerk(call)

    async with opened(shop, make(), slow) as (running, model):
        run = await running.start("desk", "Cancel order 7")
        await begun.wait()
        await running.runs.cancel(run.id)
        run = await running.wait(run.id)
        assert run.state == "cancelled"
        assert len(model.calls) == 1
        with pytest.raises(Conflict):
            await running.runs.cancel(run.id)


async def test_a_run_that_takes_too_long_fails_typed(shop: Shop, make: Callable[..., Settings]) -> None:
    async def never(_call: ModelCall) -> Reply:
        await asyncio.get_running_loop().create_future()
        return ""

    settings = make(teams={"desk": {"deadline": 0.2}})
    async with opened(shop, settings, never) as (running, _):
        run = await running.run("desk", "Cancel order 7")
    assert (run.state, run.error_code) == ("failed", "deadline_exceeded")


async def test_an_attempt_that_was_overtaken_acts_and_writes_no_more(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    opened_here: list[proctor.Proctor] = []

    async def overtaken(call: ModelCall) -> Reply:
        if call.messages[-1]["role"] == "tool":
            await opened_here[0].database.commit(
                lambda connection: connection.execute(update(runs).values(attempt=9))
            )
        return clerk(call)

    async with opened(shop, settings, overtaken) as (running, _):
        opened_here.append(running)
        run = await running.start("desk", "Cancel order 7")
        await asyncio.gather(running.engine.submit(run.id), return_exceptions=True)
        assert shop.cancelled == []
        assert (await running.runs.get(run.id)).state == "running"


async def crash_inside_the_tool(shop: Shop, settings: Settings, **more: object) -> str:
    shop.hold = asyncio.Event()
    async with opened(shop, settings, **more) as (running, _):
        run = await running.start("desk", "Cancel order 7")
        await shop.inside.wait()
    shop.hold = None
    return run.id


async def test_a_call_in_doubt_is_not_repeated_but_asked_about(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    run_id = await crash_inside_the_tool(shop, settings)
    async with opened(shop, settings) as (running, _):
        run = await running.wait(run_id)
        assert run.state == "waiting"
        (approval,) = await running.approvals()
        assert approval.question.kind == "uncertain"
        await running.decide(approval.id, Decision(kind="respond", comment="order 7 is cancelled", by="ann"))
        run = await running.wait(run_id)
    assert run.result == "The shop says: order 7 is cancelled"
    assert shop.cancelled == ["7"]


async def test_an_idempotent_call_in_doubt_is_repeated_under_its_key(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    run_id = await crash_inside_the_tool(shop, settings, idempotent=True)
    async with opened(shop, settings, idempotent=True) as (running, _):
        run = await running.wait(run_id)
    assert run.state == "completed"
    assert shop.cancelled == ["7"]
    assert len(shop.keys) == 1


async def test_a_resumed_run_that_goes_another_way_after_an_effect_asks_first(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    stop = asyncio.Event()

    async def first(call: ModelCall) -> Reply:
        if len([m for m in call.messages if m["role"] == "tool"]) == 2:
            stop.set()
            await asyncio.get_running_loop().create_future()
        return clerk(call)

    async with opened(shop, settings, first) as (running, _):
        run = await running.start("desk", "Cancel order 7")
        await stop.wait()
        await running.database.commit(lambda _: None)
        await running.database.commit(
            lambda connection: connection.execute(update(runs).values(task="Something else"))
        )
    async with opened(shop, settings) as (running, _):
        run = await running.wait(run.id)
        assert run.state == "waiting"
        (approval,) = await running.approvals()
        assert approval.question.kind == "diverged"
        await running.decide(approval.id, Decision(kind="reject", by="ann"))
        run = await running.wait(run.id)
    assert run.state == "failed"
    assert shop.cancelled == ["7"]


async def test_a_run_does_not_end_while_an_action_of_unknown_end_was_passed_over(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    run_id = await crash_inside_the_tool(shop, settings)
    async with opened(shop, settings, executes=False) as (running, _):
        await running.database.commit(
            lambda connection: connection.execute(update(runs).values(task="Something else"))
        )
    async with opened(shop, settings, ["Nothing to do."]) as (running, _):
        run = await running.wait(run_id)
        assert run.state == "waiting"
        (approval,) = await running.approvals()
        assert approval.question.kind == "diverged"
        assert "cancel" in str(approval.question.action)
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
    async with opened(shop, settings, ["Nothing to do."]) as (running, _):
        run = await running.wait(run_id)
    assert (run.state, run.result) == ("completed", "Nothing to do.")
    assert shop.cancelled == ["7"]


async def test_a_text_that_the_policy_denies_becomes_a_refused_run_and_is_not_kept(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    secret = "ghp_" + "1A2b3C4d5E6f7G8h9I0jK1L2m3N4o5P6q7R8"
    async with opened(shop, make(policies={"input": {"secret": "deny"}})) as (running, model):
        run = await running.run("desk", f"Use my key AKIAIOSFODNN7EXAMPLQ {secret} please")
        kept = await running.runs.get(run.id)
    assert run.state == "refused"
    assert run.result
    assert "AKIA" not in kept.task
    assert model.calls == []


async def test_a_card_number_is_masked_before_anything_is_stored(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make(teams={"desk": UNASKED})) as (running, model):
        run = await running.run("desk", "Cancel order 7, paid with 4111 1111 1111 1111")
        assert run.state == "completed"
        assert "policy.verdict" in await types(running, run.id)
    assert "4111" not in run.task
    assert all("4111" not in str(call.messages) for call in model.calls)


async def test_an_agent_that_uses_up_its_tool_iterations_is_reported(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    def restless(call: ModelCall) -> Reply:
        return [tool_call("look", order=str(len(call.messages)))]

    async with opened(shop, make(teams={"desk": {"max_tool_iterations": 3}}), restless) as (running, model):
        run = await running.run("desk", "Look")
        events = await running.runs.events(run.id)
    assert [dict(event.data) for event in events if event.type == "tool.limit_reached"] == [{"iterations": 3}]
    assert len(model.calls) == 3


async def test_large_values_are_kept_once_beside_the_journal(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make(teams={"desk": UNASKED})) as (running, _):
        run = await running.run("desk", "Cancel order 7. " + "x" * 150_000)
        assert run.state == "completed"
        kept = await running.database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(blobs))
        )
        calls = await running.runs.calls(run.id)
    assert kept == 3
    assert all("xxx" in str(call.request) for call in calls if call.key.kind == "model")


async def test_tokens_and_events_are_streamed(shop: Shop, make: Callable[..., Settings]) -> None:
    async with opened(shop, make(teams={"desk": UNASKED})) as (running, _):
        items = [item async for item in running.stream("desk", "Cancel order 7")]
    text = "".join(item.text for item in items if isinstance(item, proctor.Token))
    assert text == "The shop says: order 7 is cancelled"
    assert isinstance(items[-1], proctor.Event)
    assert items[-1].type == "run.completed"


async def test_a_budget_stops_the_run_before_the_call(shop: Shop, make: Callable[..., Settings]) -> None:
    async with opened(shop, make(budget={"daily_usd": "0.000001"})) as (running, model):
        run = await running.run("desk", "Cancel order 7")
        assert (run.state, run.error_code) == ("failed", "budget_exceeded")
        assert "budget.refused" in await types(running, run.id)
    assert model.calls == []


async def test_two_processes_never_execute_on_one_database(shop: Shop, make: Callable[..., Settings]) -> None:
    settings = make()
    async with opened(shop, settings):
        with pytest.raises(DatabaseInUse):
            async with opened(shop, settings):
                pass
    async with opened(shop, settings) as (running, _):
        assert running.engine.running


async def test_a_process_that_stops_lets_calls_in_progress_end_and_queues_the_run_again(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(call: ModelCall) -> Reply:
        asked.set()
        await go.wait()
        return clerk(call)

    async with opened(shop, settings, slow, grace=timedelta(seconds=20)) as (running, _):
        run = await running.start("desk", "Cancel order 7")
        await asked.wait()
        asyncio.get_running_loop().call_later(0.05, go.set)
    async with opened(shop, settings) as (running, model):
        run = await running.wait(run.id)
    assert run.state == "completed"
    assert len(model.calls) == 2, "the call that was in progress was recorded"


async def test_runs_of_other_applications_are_left_alone(shop: Shop, make: Callable[..., Settings]) -> None:
    settings = make()
    other = proctor.App()
    other.team("elsewhere")(lambda ctx: AssistantAgent("a", model_client=ctx.model("small")))
    async with proctor.open(
        other, settings=settings, executes=False, providers={"openai": ScriptedModel([])}
    ) as running:
        run = await running.start("elsewhere", "hello")
    async with opened(shop, settings) as (running, _):
        await running.engine.idle()
        assert (await running.runs.get(run.id)).state == "queued"


async def test_an_unknown_team_is_named_with_the_likely_one(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make()) as (running, _):
        with pytest.raises(NotFound) as raised:
            await running.run("dsk", "hello")
    assert "desk" in raised.value.hint


async def test_nothing_is_left_behind_when_runs_end(shop: Shop, make: Callable[..., Settings]) -> None:
    before = asyncio.all_tasks()
    async with opened(shop, make()) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        await running.decide(await only_approval(running), Decision(kind="reject"))
        await running.wait(run.id)
    assert asyncio.all_tasks() == before


async def test_a_caller_who_gives_up_while_a_run_is_stored_loses_nothing(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make(teams={"desk": UNASKED})) as (running, _):
        caller = asyncio.create_task(running.run("desk", "Cancel order 7"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await running.database.commit(lambda _: None)
        [kept] = await running.runs.page()
        run = await running.wait(kept.id)
    assert run.state == "completed"


async def test_a_run_that_is_told_to_stop_while_it_comes_to_a_question_stops(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make()
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_call: ModelCall) -> Reply:
        asked.set()
        await go.wait()
        return "Done."

    async with (
        opened(shop, settings, slow) as (running, _),
        opened(shop, settings, executes=False) as (aside, _),
    ):
        run = await running.start("signed", "Say something")
        await asked.wait()
        await aside.runs.cancel(run.id)
        go.set()
        run = await running.wait(run.id)
        assert run.state == "cancelled"
        assert await running.approvals() == ()


async def test_a_failed_run_that_was_told_to_stop_goes_on_when_it_is_resumed(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    async with opened(shop, settings, lambda _: ValueError("broken")) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        assert run.state == "failed"
        await running.database.commit(
            lambda connection: connection.execute(update(runs).values(cancel_requested=True))
        )
    async with opened(shop, settings) as (running, _):
        await running.resume(run.id)
        assert (await running.wait(run.id)).state == "completed"


async def test_a_record_that_cant_be_written_ends_the_run_readably(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    def much(_call: ModelCall) -> Reply:
        return ModelResult(
            message={"role": "assistant", "content": "Done."},
            finish_reason="stop",
            usage=Usage(input=10**30),
            deployment="small",
            model="m",
        )

    settings = make(models={"small": {"model": "m", "price": "free"}})
    async with opened(shop, settings, much) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        assert (run.state, run.error_code) == ("failed", "run")
        await running.resume(run.id)
        assert (await running.wait(run.id)).state == "failed"


async def test_what_people_and_errors_say_is_kept_whatever_its_characters(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    async with opened(shop, make(), lambda _: "a\0b") as (running, _):
        run = await running.run("signed", "Say something")
        decision = Decision(kind="approve", by="p" * 300, comment="c\0\ud800")
        await running.decide(await only_approval(running), decision)
        run = await running.wait(run.id)
        assert run.state == "completed"
    async with opened(shop, make(), lambda _: ValueError("e\0\ud800")) as (running, _):
        run = await running.run("desk", "Cancel order 7")
        assert run.state == "failed"
        assert "e\\u0000\\ud800" in ((await running.runs.get(run.id)).error or "")


async def test_a_tool_that_ends_as_if_cancelled_ends_the_run_at_once(settings: Settings) -> None:
    app = proctor.App()

    @app.tool(effect="read_only")
    async def odd() -> str:
        """Waits for a task that was cancelled."""
        raise asyncio.CancelledError

    @app.team("desk", tools=["odd"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), workbench=ctx.tools("odd"))

    model = ScriptedModel([[tool_call("odd")]])
    async with proctor.open(app, settings=settings, providers={"openai": model}) as running:
        async with asyncio.timeout(20):
            run = await running.run("desk", "hello")
    assert (run.state, run.error_code) == ("failed", "run")


async def test_an_action_of_unknown_end_is_settled_before_another_is_begun(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make(teams={"desk": UNASKED})
    run_id = await crash_inside_the_tool(shop, settings)

    def another_way(call: ModelCall) -> Reply:
        return [tool_call("cancel", order="8")] if call.messages[-1]["role"] != "tool" else "Done."

    async with opened(shop, settings, executes=False) as (running, _):
        await running.database.commit(
            lambda connection: connection.execute(update(runs).values(task="Something else"))
        )
    async with opened(shop, settings, another_way) as (running, _):
        run = await running.wait(run_id)
        [approval] = await running.approvals()
    assert (run.state, approval.question.kind) == ("waiting", "diverged")
    assert shop.cancelled == ["7"]
