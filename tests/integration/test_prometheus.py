"""Rules and boards, held against a real Prometheus and against the metrics that there are."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from autogen_agentchat.agents import AssistantAgent

import proctor
from benchmarks._prometheus._server import running_prometheus
from conftest import make_settings
from proctor.cli._main import app as commands
from proctor.cli._monitoring import CHECKS, SHIPPED, shaped, shipped
from proctor.cli._web import metrics_site, web
from proctor.core import ModelRefused
from proctor.telemetry import BudgetStanding, Metrics, SharedState
from proctor.testing import ScriptedModel
from servers.prometheus import program

BOARDS = tuple(name for name in SHIPPED if name.endswith(".json"))
RULES = ("recording.yml", "alerts.yml")
ROOT = Path(__file__).parents[2]
BOUND = 300
OF_PROMETHEUS = {"up", "process_cpu_seconds_total"}
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
    values = {"$team": ".*", "$__rate_interval": "1m", "$__range": "1h"}
    for variable, value in values.items():
        asked = [query.replace(variable, value) for query in asked]
    return asked


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
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert [one["name"] for one in found["templating"]["list"]] == ["datasource", "team"]


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
        web(metrics_site(running.metrics_page, None), host="127.0.0.1", port=0) as address,
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


@pytest.mark.slow
def test_prometheus_agrees_with_the_journal_of_three_processes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.prometheus", "--seconds", "20", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"], figures
