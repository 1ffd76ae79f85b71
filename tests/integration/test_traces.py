"""What a collector sees of runs: whole traces, whoever executes them, and nothing that it must not see."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract

import proctor
from conftest import make_settings
from e2e.test_cli import WANTS_REFUND, Terminal, endpoint, terminal  # noqa: F401 - fixtures
from integration.test_tools_mcp import command
from proctor import Decision
from proctor.core import InvalidInput, ModelRefused
from proctor.telemetry import incoming
from proctor.testing import ScriptedModel, tool_call
from servers.collector import Collected, Span, collector
from servers.openai_endpoint import Endpoint, completion, says, serving
from servers.ports import free_port

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collected() -> Iterator[Collected]:
    with collector() as running:
        yield running


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="read_only")
    def look_up(order: str) -> str:
        """Finds an order."""
        if order == "none":
            raise ValueError("there is no such order: top secret")
        return f"{order} is on its way to ann@example.org"

    @app.tool(effect="consequential")
    def refund(order: str) -> str:
        """Pays an order back."""
        return f"{order} is paid back"

    @app.team("desk", tools=["look_up", "refund"])
    def desk(ctx: proctor.TeamContext) -> Team:
        tools = ctx.tools("look_up", "refund")
        clerk = AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=tools, max_tool_iterations=5
        )
        boss = AssistantAgent("boss", model_client=ctx.model("small"))
        return RoundRobinGroupChat([clerk, boss], termination_condition=MaxMessageTermination(3))

    return app


def traced(folder: Path, collected: Collected, **telemetry: Any) -> proctor.Settings:
    told = {"endpoint": collected.url, **telemetry}
    return make_settings(f"sqlite:///{folder}/proctor.db", telemetry=told, release="1.4.0")


async def one_run(
    folder: Path,
    collected: Collected,
    script: list[Any],
    *,
    task: str = "Where is order 7?",
    **telemetry: Any,
) -> proctor.Run:
    """A run from its start to its end; all that is told of it has arrived."""
    settings = traced(folder, collected, **telemetry)
    model = ScriptedModel(script)
    async with (
        asyncio.timeout(60),
        proctor.open(application(), settings=settings, providers={"openai": model}) as running,
    ):
        return await running.run("desk", task)


LOOKS_UP = [tool_call("look_up", order="7")]


def tree(spans: list[Span]) -> dict[str, list[str]]:
    """The names of the spans below each one."""
    by_id = {span.id: span for span in spans}
    found: dict[str, list[str]] = {}
    for span in sorted(spans, key=lambda one: (one.start, one.name)):
        above = by_id[span.parent].name if span.parent in by_id else span.parent
        found.setdefault(above, []).append(span.name)
    return found


async def test_a_run_is_one_trace_of_its_agents_calls_and_tools(tmp_path: Path, collected: Collected):
    run = await one_run(tmp_path, collected, [LOOKS_UP, "On its way.", "Thank you."])
    assert run.state == "completed", run.error
    assert len({span.trace for span in collected.spans}) == 1
    assert tree(collected.spans) == {
        "": ["invoke_workflow desk"],
        "invoke_workflow desk": ["invoke_agent clerk", "invoke_agent boss"],
        "invoke_agent clerk": ["chat gpt-5.4-mini", "execute_tool look_up", "chat gpt-5.4-mini"],
        "invoke_agent boss": ["chat gpt-5.4-mini"],
    }
    [root] = collected.named("invoke_workflow")
    assert root.about == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "desk",
        "proctor.run.id": run.id,
        "proctor.team": "desk",
        "proctor.tenant": "default",
        "proctor.state": "completed",
        "proctor.attempts": 1,
        "proctor.release": "1.4.0",
    }
    assert run.finished_at is not None
    assert abs(root.start / 1e9 - run.created_at.timestamp()) < 1e-4
    assert abs(root.end / 1e9 - run.finished_at.timestamp()) < 1e-4
    assert {
        (span.resource["service.name"], span.resource["service.version"]) for span in collected.spans
    } == {("proctor", "1.4.0")}
    assert run.trace == f"00-{root.trace}-{root.id}-01"


async def test_a_models_span_tells_its_tokens_and_alone_the_cost(tmp_path: Path, collected: Collected):
    run = await one_run(tmp_path, collected, [LOOKS_UP, "On its way.", "Thank you."])
    first = collected.named("chat")[0]
    assert first.kind == 3  # a client's
    key = first.about.pop("proctor.call.key")
    assert len(key) == 32
    assert first.about == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.response.model": "gpt-5.4-mini",
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.usage.input_tokens": first.about["gen_ai.usage.input_tokens"],
        "gen_ai.usage.output_tokens": first.about["gen_ai.usage.output_tokens"],
        "gen_ai.agent.name": "clerk",
        "server.address": "api.openai.com",
        "server.port": 443,
        "proctor.run.id": run.id,
        "proctor.team": "desk",
        "proctor.deployment": "small",
        "proctor.attempts": 1,
        "proctor.cached": False,
        "proctor.cost_micros": first.about["proctor.cost_micros"],
    }
    costs = [span.about.get("proctor.cost_micros", 0) for span in collected.spans]
    assert sum(costs) == run.cost > 0
    [tool] = collected.named("execute_tool")
    assert {"gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.tool.call.id"} < tool.about.keys()


async def test_metrics_of_the_convention_reach_the_collector(tmp_path: Path, collected: Collected):
    await one_run(tmp_path, collected, [LOOKS_UP, "On its way.", "Thank you."])
    assert collected.metrics.keys() == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.execute_tool.duration",
        "gen_ai.invoke_agent.duration",
        "gen_ai.invoke_workflow.duration",
    }
    [calls] = collected.metrics["gen_ai.client.operation.duration"]
    assert (calls["count"], calls["gen_ai.request.model"]) == (3, "gpt-5.4-mini")
    used = {
        point["gen_ai.token.type"]: point["sum"] for point in collected.metrics["gen_ai.client.token.usage"]
    }
    told = {
        kind: sum(span.about[f"gen_ai.usage.{kind}_tokens"] for span in collected.named("chat"))
        for kind in ("input", "output")
    }
    assert used == told
    [runs] = collected.metrics["gen_ai.invoke_workflow.duration"]
    assert (runs["count"], runs["gen_ai.workflow.name"]) == (1, "desk")


def test_a_run_is_one_trace_across_processes_and_a_wait_for_a_person(
    terminal: Terminal,  # noqa: F811
    endpoint: Endpoint,  # noqa: F811
    collected: Collected,
):
    terminal.environ["PROCTOR_TELEMETRY__ENDPOINT"] = collected.url
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded."))]
    terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")
    terminal("approvals", "decide", approval["id"], "--approve", "--by", "ann")

    spans = collected.spans
    assert len({span.trace for span in spans}) == 1
    assert len({span.resource["service.instance.id"] for span in spans}) == 2
    [root] = collected.named("invoke_workflow")
    assert {span.parent for span in spans} <= {"", *(span.id for span in spans)}
    assert (root.about["proctor.state"], root.about["proctor.attempts"]) == ("completed", 2)
    assert [
        (each.about["proctor.attempt"], each.about["proctor.state"]) for each in collected.named("segment")
    ] == [
        (1, "waiting"),
        (2, "completed"),
    ]
    # The first model call is answered from the journal the second time: nothing is told of it again.
    assert len(collected.named("chat")) == len(endpoint.bodies) == 2
    asked, done = collected.named("execute_tool")
    assert [name for name, _ in asked.events] == ["approval.requested"]
    assert asked.about["proctor.outcome"] == "suspended"
    [wait] = collected.named("approval")
    assert wait.about["proctor.approval.id"] == approval["id"]
    assert wait.about["proctor.approval.decision"] == "approve"
    assert (wait.parent, done.links) == (root.id, (wait.id,))
    assert asked.start < wait.start < wait.end < done.end
    assert not any("ann" in str(span.about) for span in spans)


async def test_a_run_belongs_under_its_callers_span(tmp_path: Path, collected: Collected):
    trace = incoming({"traceparent": CALLER})
    model = ScriptedModel(["Yes.", "Yes."])
    async with proctor.open(
        application(), settings=traced(tmp_path, collected), providers={"openai": model}
    ) as running:
        run = await running.run("desk", "Is it?", trace=trace)
        with pytest.raises(InvalidInput):
            await running.start("desk", "Is it?", trace="nonsense")
    assert run.trace == CALLER
    [root] = collected.named("invoke_workflow")
    assert (root.trace, root.parent) == (CALLER[3:35], CALLER[36:52])
    assert {span.trace for span in collected.spans} == {root.trace}


@pytest.mark.parametrize(("share", "trace"), [(0.0, ""), (1.0, CALLER[:-1] + "0")])
async def test_what_is_not_sampled_makes_no_spans_and_is_measured_all_the_same(
    tmp_path: Path, collected: Collected, share: float, trace: str
):
    model = ScriptedModel(["Yes.", "Yes."])
    settings = traced(tmp_path, collected, share=share)
    async with proctor.open(application(), settings=settings, providers={"openai": model}) as running:
        assert (await running.run("desk", "Is it?", trace=trace)).state == "completed"
    assert collected.spans == []
    [runs] = collected.metrics["gen_ai.invoke_workflow.duration"]
    assert runs["count"] == 1


async def test_failures_are_told_by_their_codes(tmp_path: Path, collected: Collected):
    run = await one_run(
        tmp_path, collected, [[tool_call("look_up", order="none")], ModelRefused("top secret prompt")]
    )
    assert run.state == "failed"
    codes = {span.name: span.about["error.type"] for span in collected.spans if span.failed}
    assert codes == {
        "execute_tool look_up": "failed",
        "chat gpt-5.4-mini": "model_refused",
        "invoke_workflow desk": "model_refused",
    }
    assert b"top secret" not in b"".join(collected.bodies)


async def test_a_failed_run_that_is_resumed_sends_its_root_once_and_its_segments_tell_the_rest(
    tmp_path: Path, collected: Collected
):
    settings = traced(tmp_path, collected)
    replies = [ModelRefused("no"), ModelRefused("no"), "On its way.", "Thank you.", ModelRefused("no")]
    async with proctor.open(
        application(), settings=settings, providers={"openai": ScriptedModel(replies)}
    ) as running:
        run = await running.run("desk", "Where is order 7?")
        for _ in range(2):
            await running.resume(run.id)
            run = await running.wait(run.id)
        assert run.state == "completed", run.error
        other = await running.run("desk", "Where is order 8?")
        assert (await running.runs.cancel(other.id)).state == "cancelled"
    roots, segments = collected.named("invoke_workflow"), collected.named("segment")
    assert [(root.about["proctor.run.id"], root.about["proctor.state"]) for root in roots] == [
        (run.id, "failed"),
        (other.id, "failed"),
    ]
    assert [
        (one.about["proctor.attempt"], one.about["proctor.state"], one.about.get("error.type"))
        for one in segments
    ] == [(2, "failed", "model_refused"), (3, "completed", None)]
    assert [one.failed for one in segments] == [True, False]
    assert {one.parent for one in segments} == {roots[0].id}
    assert len({span.id for span in collected.spans}) == len(collected.spans)
    ends = collected.metrics["gen_ai.invoke_workflow.duration"]
    assert sum(end["count"] for end in ends) == 4, "each end is measured, and none twice"


async def test_texts_are_left_out_unless_they_are_wanted_and_then_redacted(
    tmp_path: Path, collected: Collected
):
    script = [LOOKS_UP, "It goes to ann@example.org.", "Thank you."]
    await one_run(tmp_path, collected, script, task="Where is order 7? My card: 4111 1111 1111 1111")
    for word in (b"order 7", b"ann@example.org", b"4111", b"Thank you"):
        assert word not in b"".join(collected.bodies)
    collected.spans.clear()
    collected.bodies.clear()

    await one_run(
        tmp_path, collected, script, task="Where is order 7? My card: 4111 1111 1111 1111", content="redacted"
    )
    assert b"4111 1111" not in b"".join(collected.bodies)
    first, second, _ = collected.named("chat")
    [asked] = [each for each in json.loads(first.about["gen_ai.input.messages"]) if each["role"] == "user"]
    assert asked["parts"][0]["content"].startswith("Where is order 7? My card: ")
    [wanted] = json.loads(first.about["gen_ai.output.messages"])
    assert (wanted["finish_reason"], wanted["parts"][0]["name"]) == ("tool_calls", "look_up")
    assert json.loads(second.about["gen_ai.input.messages"])[-1]["parts"][0]["type"] == "tool_call_response"
    [tool] = collected.named("execute_tool")
    assert json.loads(tool.about["gen_ai.tool.call.arguments"]) == {"order": "7"}
    assert tool.about["gen_ai.tool.call.result"].startswith("7 is on its way")


async def test_a_collector_that_is_away_harms_no_run_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    nobody = Collected(port=free_port())
    for _ in range(2):
        caplog.clear()
        run = await one_run(tmp_path, nobody, [LOOKS_UP, "On its way.", "Thank you."])
        assert run.state == "completed"
        told = [record.getMessage() for record in caplog.records if record.name == "proctor.telemetry"]
        assert told == [
            "the collector doesn't take what is sent (ConnectError); runs go on",
            "7 spans were not taken by the collector",
        ]
        assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


async def test_a_collector_that_hangs_holds_up_no_end(tmp_path: Path, collected: Collected):
    collected.hold.clear()
    settings, model = traced(tmp_path, collected), ScriptedModel(["Yes.", "Yes."])
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        async with proctor.open(application(), settings=settings, providers={"openai": model}) as running:
            run = await running.run("desk", "Hello")
            began = loop.time()
        took = loop.time() - began
    collected.hold.set()
    assert run.state == "completed"
    assert took < 8  # it gives the collector 2 s; what is left would take 10


async def test_no_variable_of_the_environment_names_a_collector(
    tmp_path: Path, collected: Collected, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer of-another")
    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db")
    model = ScriptedModel(["Yes.", "Yes."])
    async with proctor.open(application(), settings=settings, providers={"openai": model}) as running:
        run = await running.run("desk", "Is it?")
    assert (run.state, run.trace) == ("completed", "")
    assert not collected.came.is_set()

    monkeypatch.setenv("COLLECTOR_KEY", "k-1")
    await one_run(tmp_path, collected, ["Yes.", "Yes."], headers_env={"x-key": "COLLECTOR_KEY"})
    assert {headers.get("x-key") for headers in collected.headers} == {"k-1"}
    assert not any("authorization" in headers for headers in collected.headers)


@pytest.mark.parametrize("propagate", [True, False])
async def test_models_and_tools_are_told_the_trace_only_where_that_is_wanted(
    tmp_path: Path,
    collected: Collected,
    *,
    propagate: bool,
):
    app = proctor.App()

    @app.team("desk", tools=["lab"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("lab"), max_tool_iterations=5
        )

    about = completion(None, tool_calls=[{"id": "c", "type": "function"}], finish_reason="tool_calls")
    about["choices"][0]["message"]["tool_calls"][0]["function"] = {"name": "about", "arguments": "{}"}
    with serving() as model:
        model.replies = [says(about), says(completion("Done."))]
        settings = make_settings(
            f"sqlite:///{tmp_path}/proctor.db",
            models={"small": {"model": "m", "base_url": model.url, "price": "free"}},
            tools={"lab": {"command": command("tool_server.py"), "effects": {"about": "read_only"}}},
            telemetry={"endpoint": collected.url, "propagate": propagate},
        )
        # A host that traces its own requests: its trace is not ours to give away.
        outside = attach(extract({"traceparent": CALLER, "baggage": "customer=ann"}))
        try:
            async with asyncio.timeout(60), proctor.open(app, settings=settings) as running:
                run = await running.run("desk", "Go.")
        finally:
            detach(outside)
    assert run.state == "completed", run.error
    assert CALLER[3:35] not in str(model.headers)
    told = str(model.bodies[-1]["messages"][-1]["content"])
    assert "baggage" not in told
    assert CALLER[3:35] not in told
    if not propagate:
        assert not any("traceparent" in headers for headers in model.headers)
        assert "traceparent" not in told
        return
    chats, [tool] = collected.named("chat"), collected.named("execute_tool")
    assert [headers["traceparent"] for headers in model.headers] == [
        f"00-{span.trace}-{span.id}-01" for span in chats
    ]
    assert f"00-{tool.trace}-{tool.id}-01" in told


async def test_a_decision_that_was_taken_is_not_told_again_by_a_later_attempt(
    tmp_path: Path, collected: Collected
):
    settings = traced(tmp_path, collected)
    model = ScriptedModel(
        [[tool_call("refund", order="7")], [tool_call("refund", order="8")], "Both are paid.", "Thank you."]
    )
    for _ in range(3):
        async with proctor.open(application(), settings=settings, providers={"openai": model}) as running:
            page = await running.runs.page()
            run = await (running.wait(page[0].id) if page else running.run("desk", "Refund both."))
            for approval in await running.approvals():
                await running.decide(approval.id, Decision(kind="approve", by="ann"))
            run = await running.wait(run.id)
            if run.state == "completed":
                break
    assert run.state == "completed", run.error
    assert len(collected.named("approval")) == 2
    assert len(collected.named("chat")) == len(model.calls) == 4
    assert {span.parent for span in collected.spans} <= {"", *(span.id for span in collected.spans)}
