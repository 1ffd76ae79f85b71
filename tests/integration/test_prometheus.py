"""Rules and boards, held against a real Prometheus and against the metrics that there are."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from autogen_agentchat.agents import AssistantAgent
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from starlette.applications import Starlette
from starlette.routing import Route

import proctor
from benchmarks._prometheus._server import running_prometheus
from conftest import make_settings
from proctor.api import make_worker_server
from proctor.cli._main import app as commands
from proctor.cli._monitoring import CHECKS, SHIPPED, shaped, shipped
from proctor.cli._web import web
from proctor.core import (
    ModelCall,
    ModelOverloaded,
    ModelRefused,
    ModelResult,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from proctor.telemetry import BudgetStanding, Metrics, MetricsPage, SharedState, measure_model, measure_tool
from proctor.testing import FakeScope, ScriptedModel
from servers.prometheus import program

BOARDS = tuple(name for name in SHIPPED if name.endswith(".json"))
RULES = ("recording.yml", "alerts.yml")
ROOT = Path(__file__).parents[2]
BOUND = 300
OF_PROMETHEUS = {"up", "process_cpu_seconds_total"}
QUANTILES = ("p50", "p95", "p99")
GUIDES = ("ProctorSlowResponses", "ProctorErrorRate", "ProctorCallBurst")
_NAME = re.compile(
    r"\b(?:proctor[:_][a-z0-9_:]+|agent_active_count|task_completion_rate|response_time_\w+|up\b)"
)
_PERSONAL = re.compile(r"\b(tenant|requester|user|run_id|thread)\b")


def rules() -> Iterator[dict[str, Any]]:
    for name in RULES:
        for group in yaml.safe_load(shipped(name))["groups"]:
            yield from group["rules"]


def board(name: str) -> dict[str, Any]:
    return json.loads(shipped(name))


def queries() -> list[str]:
    """All that boards ask and rules compute, with what Grafana would put in its variables' places."""
    asked = [
        *(
            target["expr"]
            for name in BOARDS
            for panel in board(name)["panels"]
            for target in panel["targets"]
        ),
        *(rule["expr"] for rule in rules()),
    ]
    return [query.replace("${quantile}", one) for one in QUANTILES for query in map(filled_in, asked)]


def filled_in(query: str, window: str = "1m") -> str:
    """A query with what Grafana would put in its variables' places, but for the quantile."""
    for variable, value in {"$team": ".*", "$__rate_interval": window, "$__range": "1h"}.items():
        query = query.replace(variable, value)
    return query


def known() -> set[str]:
    """Every name that a process tells."""
    metrics = Metrics()
    budget = BudgetStanding(name="daily", limit=1, spent=0, set_aside=0, lost=0)
    metrics.shared.state = SharedState(budgets=(budget,))
    names = set()
    for metric in metrics.registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {metric.name + suffix for suffix in suffixes.get(metric.type, ("",))}
    return names


@pytest.mark.parametrize("name", CHECKS)
def test_prometheus_and_alertmanager_take_what_we_ship(name: str, tmp_path: Path) -> None:
    for each in SHIPPED:
        (tmp_path / each).write_text(shipped(each), encoding="utf-8")
    tool, *arguments = CHECKS[name]
    done = subprocess.run(
        [program(tool), *arguments, str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_boards_use_metrics_that_there_are_and_records_that_are_made():
    records = {rule["record"] for rule in rules() if "record" in rule}
    there = known() | records | OF_PROMETHEUS
    for query in queries():
        unknown = set(_NAME.findall(query)) - there
        assert not unknown, query
    used = {name for query in queries() for name in _NAME.findall(query)}
    assert not records - used, "a rule records what nothing asks for"


def test_every_alert_says_what_is_so_how_bad_it_is_and_what_to_do():
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert set(GUIDES) < set(alerts)
    for rule in alerts.values():
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_runbooks_name_commands_that_there_are():
    named = {
        command
        for rule in rules()
        for command in re.findall(r"`proctor ([a-z ]*[a-z])", rule.get("annotations", {}).get("runbook", ""))
    }
    assert named
    for command in sorted(named):
        found = commands
        for word in command.split():
            found = found[word]


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_whole(name: str):
    found = board(name)
    panels = found["panels"]
    taken = set()
    assert found["uid"].startswith("proctor-")
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            told_apart = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = re.search(r"sum by \(([\w, ]+)\) \(rate", target["expr"])
            assert target["legendFormat"]
            assert by is None or told_apart == set(by[1].split(", ")) - {"le"}, target["expr"]
    names = [one["name"] for one in found["templating"]["list"]]
    assert names[:2] == ["datasource", "team"]
    used = {name for name in re.findall(r"\$\{?([a-z]+)", json.dumps(panels)) if not name.startswith("__")}
    assert used == set(names)
    assert len({panel["title"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_own_types_know_all_that_a_board_says(name: str):
    """What they don't know is lost on the way through them: a misspelt option draws nothing."""
    register_default_plugins()
    read = Dashboard.from_json(board(name))
    back = json.loads(JSONEncoder().encode(read))
    assert not list(lost(board(name), back))


def lost(said: Any, back: Any, place: str = "") -> Iterator[str]:
    """Where what was said isn't there any more."""
    match said, back:
        case dict(), dict():
            for key, value in said.items():
                yield from lost(value, back.get(key), f"{place}/{key}")
        case list(), list() if len(said) == len(back):
            for number, (one, other) in enumerate(zip(said, back, strict=True)):
                yield from lost(one, other, f"{place}/{number}")
        case _ if said != back:
            yield place


def test_nothing_shipped_asks_for_a_tenant_or_a_person():
    for query in queries():
        assert not _PERSONAL.search(query), query


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    told = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return {"series": f"{name}{{{told}}}", "values": values}


CLERK = {"team": "desk", "agent": "clerk"}


def answered(calls: int, within: dict[str, int], instance: str) -> list[dict[str, str]]:
    """An agent's model calls: how many of them in half a minute are answered within how many seconds."""
    return [
        *(
            series("response_time_seconds_bucket", f"0+{count}x40", **CLERK, le=le, instance=instance)
            for le, count in within.items()
        ),
        series("response_time_seconds_count", f"0+{calls}x40", **CLERK, instance=instance),
    ]


def calls(result: str, number: int, instance: str = "a") -> dict[str, str]:
    values = f"0+{number}x40"
    return series("proctor_calls_total", values, team="desk", kind="model", result=result, instance=instance)


def case(name: str, told: list[dict[str, str]], alert: str, labels: dict[str, str] | None) -> Any:
    return pytest.param(told, alert, labels, id=name)


FAST = {"4.0": 60, "5.0": 60, "6.3": 60, "+Inf": 60}
SLOW = {"4.0": 50, "5.0": 58, "6.3": 60, "+Inf": 60}
RARE = {"4.0": 0, "5.0": 0, "6.3": 1, "+Inf": 1}
WARNING = {"severity": "warning"}
CRITICAL = {"severity": "critical"}
DESK = {"team": "desk"}


def worker(state: str, values: str, instance: str = "a") -> dict[str, str]:
    return series("proctor_workers", values, state=state, instance=instance)


@pytest.mark.parametrize(
    ("told", "alert", "labels"),
    [
        case("slow", answered(60, SLOW, "a"), GUIDES[0], {**CLERK, **WARNING}),
        case("fast", answered(60, FAST, "a"), GUIDES[0], None),
        case(
            "slow by two processes",
            answered(60, FAST, "a") + answered(60, SLOW, "b"),
            GUIDES[0],
            {**CLERK, **WARNING},
        ),
        case("slow but few", answered(1, RARE, "a"), GUIDES[0], None),
        case("errors", [calls("ok", 100), calls("error", 6)], GUIDES[1], {**DESK, **CRITICAL}),
        case("few errors", [calls("ok", 100), calls("error", 5)], GUIDES[1], None),
        case("refused, which is no error", [calls("ok", 100), calls("refused", 50)], GUIDES[1], None),
        case("errors of few calls", [calls("ok", 0), calls("error", 1)], GUIDES[1], None),
        case("burst of two", [calls("ok", 1550, "a"), calls("ok", 1550, "b")], GUIDES[2], WARNING),
        case("no burst", [calls("ok", 1450, "a"), calls("ok", 1450, "b")], GUIDES[2], None),
        case(
            "a queue that two processes tell of is one",
            [series("proctor_approvals_open", "15x40", **DESK, instance=instance) for instance in ("a", "b")],
            "ProctorApprovalsBacklog",
            None,
        ),
        case(
            "a backlog",
            [series("proctor_approvals_open", "21x40", **DESK)],
            "ProctorApprovalsBacklog",
            {**DESK, **WARNING},
        ),
        case(
            "nobody works", [worker("working", "0x40"), worker("silent", "2x40")], "ProctorNoWorker", CRITICAL
        ),
        case(
            "one works", [worker("working", "1x40"), worker("working", "0x40", "b")], "ProctorNoWorker", None
        ),
        case(
            "a budget that is nearly spent",
            [
                series("proctor_budget_spent_micros", "91x40", budget="daily"),
                series("proctor_budget_lost_micros", "0x40", budget="daily"),
                series("proctor_budget_limit_micros", "100x40", budget="daily"),
            ],
            "ProctorBudgetNearlySpent",
            {"budget": "daily", **WARNING},
        ),
        case(
            "a budget of nothing",
            [
                series("proctor_budget_spent_micros", "0x40", budget="none"),
                series("proctor_budget_lost_micros", "0x40", budget="none"),
                series("proctor_budget_limit_micros", "0x40", budget="none"),
            ],
            "ProctorBudgetNearlySpent",
            None,
        ),
        case("stepped down", [series("proctor_degradation_level", "1x40")], "ProctorDegraded", CRITICAL),
        case(
            "an open breaker",
            [series("proctor_model_breaker", "1x40", deployment="small", state="open")],
            "ProctorBreakerOpen",
            {"deployment": "small", **WARNING},
        ),
        case(
            "an old queue",
            [series("proctor_queue_oldest_seconds", "61x40", **DESK)],
            "ProctorQueueOld",
            {**DESK, **WARNING},
        ),
    ],
)
def test_an_alert_fires_when_it_should_and_not_before(
    told: list[dict[str, str]], alert: str, labels: dict[str, str] | None, tmp_path: Path
) -> None:
    for name in RULES:
        text = yaml.safe_load(shipped(name))
        for group in text["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations", None)
        (tmp_path / name).write_text(json.dumps(text), encoding="utf-8")
    firing = [] if labels is None else [{"exp_labels": labels}]
    test = {
        "rule_files": list(RULES),
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "30s",
                "input_series": told,
                "alert_rule_test": [{"eval_time": "15m", "alertname": alert, "exp_alerts": firing}],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test), encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "test", "rules", "test.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_export_with_a_shorter_window_is_whole_and_still_taken(tmp_path: Path) -> None:
    for each in SHIPPED:
        text = shaped(shipped(each), ["10.0.0.1:8700", "[::1]:8700"], window="30s", hold="0s")
        assert "5m]" not in text
        assert "_5m" not in text
        (tmp_path / each).write_text(text, encoding="utf-8")
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["10.0.0.1:8700", "[::1]:8700"]
    done = subprocess.run(
        [program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_real_prometheus_reads_a_real_process_and_understands_every_query(tmp_path: Path) -> None:
    app = proctor.App()

    @app.team("desk")
    def desk(ctx: proctor.TeamContext) -> AssistantAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"))

    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", teams={"desk": {"retries": 0}})
    model = ScriptedModel(["Yes.", "No.", ModelRefused("never")])
    async with (
        proctor.open(app, settings=settings, providers={"openai": model}) as running,
        web(make_worker_server(running, host="127.0.0.1"), host="127.0.0.1", port=0) as address,
    ):
        for name in SHIPPED:
            text = shaped(shipped(name), [address.removeprefix("http://")], window="5s", hold="0s")
            (tmp_path / name).write_text(text.replace("_interval: 15s", "_interval: 1s"), encoding="utf-8")
        async with running_prometheus(program("prometheus"), tmp_path / "prometheus.yml") as prometheus:
            await prometheus.ready(1)
            states = [(await running.run("desk", f"question {number}")).state for number in range(3)]
            await prometheus.scraped()
            told = await prometheus.query("sum by (status) (proctor_runs_total) > 0")
            cost = await prometheus.number("sum(proctor_model_cost_micros_total)")
            workers = await prometheus.query("proctor_workers")
            for query in queries():
                await prometheus.query(query)
        runs = await running.runs.page()
    assert states == ["completed", "completed", "failed"]
    assert told == {("completed",): 2, ("failed",): 1}
    assert cost == sum(run.cost for run in runs)
    assert {key[-1]: value for key, value in workers.items()} == {"silent": 0, "stopping": 0, "working": 1}


async def all_happens(metrics: Metrics) -> None:
    """Lets everything that is measured happen once in a team."""
    scope = FakeScope(team="desk", agent="clerk", release="v7")
    call = ModelCall(scope=scope, model="small", messages=(), on_text=lambda _: None)
    answer = ModelResult(
        message={"role": "assistant", "content": "Yes."},
        finish_reason="stop",
        usage=Usage(input=100, output=10, cached_input=40, reasoning=4),
        deployment="small",
        model="fake",
        cost=250,
    )
    tool = ToolCall(
        scope=scope, tool=ToolSpec(server="shop", name="look_up", description="", parameters={}), arguments={}
    )

    async def answers(asked: ModelCall) -> ModelResult:
        assert asked.on_text is not None
        asked.on_text("Yes.")
        return answer

    async def recalls(_call: ModelCall) -> ModelResult:
        return replace(answer, cached=True, saved=250, cost=0)

    async def fails(_call: ModelCall) -> ModelResult:
        raise ModelOverloaded("busy")

    async def looks_up(_call: ToolCall) -> ToolResult:
        return ToolResult(text="7", cost=30)

    async def finds_nothing(_call: ToolCall) -> ToolResult:
        return ToolResult(text="no such order", is_error=True)

    for asked in (answers, recalls, fails):
        with suppress(ModelOverloaded):
            await measure_model(metrics)(call, asked)
    for used in (looks_up, finds_nothing):
        await measure_tool(metrics)(tool, used)
    metrics.model_retried(call, ModelOverloaded("busy"))
    metrics.model_fell_back(call, "large", ModelOverloaded("busy"))
    metrics.model_hedged(call)
    metrics.rate_waited(call, 0.5)
    metrics.wasted("desk", "clerk", "v7", 20)
    metrics.breaker_changed("small", "open")
    metrics.budget_told("warned", "daily")
    metrics.agent_failed("desk", "clerk", "model_overloaded")
    metrics.policy_said("desk", "input", "deny")
    metrics.approval_decided("desk", "approve", 90.0)
    metrics.level_changed(1, "errors")
    metrics.ledger_differs(1)
    metrics.inspection_found(1)
    for status in ("completed", "failed"):
        metrics.run_finished("desk", status, 12.0, "v7")


async def test_every_query_of_a_board_shows_what_happens(tmp_path: Path) -> None:
    metrics = Metrics()
    state = SharedState(
        runs={("desk", "queued"): 1},
        queued_seconds={"desk": 12.5},
        approvals={"desk": 2},
        approval_seconds={"desk": 600.0},
        budgets=(BudgetStanding(name="daily", limit=100, spent=40, set_aside=5, lost=1),),
        workers={"working": 2},
    )

    async def look() -> SharedState:
        return state

    wanted = {
        filled_in(target["expr"].replace("${quantile}", "p99"), "5s")
        .replace("_5m", "_5s")
        .replace("_1m", "_5s")
        for name in BOARDS
        for panel in board(name)["panels"]
        for target in panel["targets"]
    }
    page = MetricsPage(metrics, look)
    async with (
        asyncio.timeout(BOUND),
        web(Starlette(routes=[Route("/metrics", page)]), host="127.0.0.1", port=0) as address,
    ):
        for name in SHIPPED:
            text = shaped(shipped(name), [address.removeprefix("http://")], window="5s", hold="0s")
            (tmp_path / name).write_text(text.replace("_interval: 15s", "_interval: 1s"), encoding="utf-8")
        async with running_prometheus(program("prometheus"), tmp_path / "prometheus.yml") as prometheus:
            await all_happens(metrics)
            await prometheus.ready(1)
            silent = wanted
            for _ in range(10):  # an increase is seen from a series' second value on
                await all_happens(metrics)
                await prometheus.scraped()
                silent = {query for query in silent if not await prometheus.query(query)}
                if not silent:
                    break
    await page.close()
    assert not silent


@pytest.mark.slow
def test_prometheus_agrees_with_the_journal_of_three_processes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.prometheus", "--seconds", "30", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"], figures
