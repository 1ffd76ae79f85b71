"""What a process of ours logs: joined to runs, and nothing of what the runs are about, however they fail."""

import asyncio
import gc
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import ChatAgent, Response, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from starlette.types import Receive, Scope, Send

import proctor
from conftest import make_settings
from proctor.cli._web import web
from proctor.core import ModelRefused, TelemetrySettings
from proctor.telemetry import LIBRARIES, set_up_logs
from proctor.testing import ScriptedModel, tool_call
from servers.collector import collector
from servers.openai_endpoint import breaks_off, chunks, completion, fails, raw, serving

MARK = "ZEBRA-7731"
"""Stands in prompts, answers, arguments, keys and errors, and in no log."""


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines of a log that is set up as a service's; afterwards all is as it was."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    set_up_logs(TelemetrySettings(logs="json", level="debug"), "service", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


class Breaks(BaseChatAgent):
    """An agent that fails in its own way, and leaves a task behind that fails too."""

    def __init__(self, how: Callable[[], BaseException]) -> None:
        super().__init__("clerk", "Breaks.")
        self._how = how

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(self, messages: Sequence[BaseChatMessage], token: CancellationToken) -> Response:
        async def forgotten() -> None:
            raise ValueError(f"{MARK} in a task that nobody awaits")

        left = asyncio.create_task(forgotten())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del left
        gc.collect()
        raise self._how()

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass


class Streams(Breaks):
    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], token: CancellationToken
    ) -> AsyncGenerator[Any, None]:
        yield TextMessage(content=MARK, source=self.name)
        raise self._how()


def _no_file() -> OSError:
    try:
        Path(f"/nowhere/{MARK}").read_text(encoding="utf-8")
    except OSError as error:
        return error
    raise AssertionError("there is such a file")


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def pay(order: str) -> str:
        """Pays."""
        raise RuntimeError(f"no {order} for {MARK}")

    def tooled(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk", model_client=ctx.model("small"), workbench=ctx.tools("pay"), max_tool_iterations=3
        )

    app.team("tooled", tools=["pay"])(tooled)
    ways: dict[str, Callable[[], BaseException]] = {
        "raises": lambda: ValueError(MARK),
        "no_file": _no_file,
        "grouped": lambda: ExceptionGroup(MARK, [KeyError(MARK)]),
        "exits": lambda: SystemExit(MARK),
    }

    def breaking(way: Callable[[], BaseException], kind: type[Breaks]) -> Callable[[Any], Team]:
        def build(_: proctor.TeamContext) -> Team:
            return RoundRobinGroupChat([kind(way)], termination_condition=MaxMessageTermination(3))

        return build

    for name, way in ways.items():
        app.team(name)(breaking(way, Breaks))
        app.team(f"{name}_streaming")(breaking(way, Streams))
    return app


async def test_no_failure_of_a_run_puts_into_the_log_what_the_run_is_about(
    tmp_path: Path, logged: Callable[[], list[dict[str, Any]]]
):
    app = application()
    teams = {name: {"retries": 0, "approval": "never"} for name in app.teams}
    settings = make_settings(f"sqlite:///{tmp_path}/proctor.db", teams=teams)
    model = ScriptedModel([[tool_call("pay", order=MARK)], ModelRefused(f"{MARK} was refused")])
    async with (
        asyncio.timeout(90),
        proctor.open(app, settings=settings, providers={"openai": model}) as running,
    ):
        states = [(await running.run(team, f"Hello {MARK}")).state for team in app.teams]
    assert set(states) == {"failed"}
    lines = logged()
    assert MARK not in json.dumps(lines)
    told = [line for line in lines if line["logger"] == "proctor.calls"]
    assert [line["event"] for line in told] == [
        "execute_tool pay failed: failed",
        "chat small failed: model_refused",
    ]
    for line in told:
        assert line["run_id"].startswith("run_")
        assert (line["team"], line["agent"], len(line["call"])) == ("tooled", "clerk", 32)


async def test_no_answer_of_a_provider_puts_into_the_log_what_it_holds(
    tmp_path: Path, logged: Callable[[], list[dict[str, Any]]]
):
    app = proctor.App()

    @app.team("asks")
    def asks(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("clerk", model_client=ctx.model("small"), model_client_stream=True)

    with serving() as endpoint:
        deployment = {"model": "m", "base_url": endpoint.url, "api_key": f"sk-{MARK}", "retries": 1}
        settings = make_settings(
            f"sqlite:///{tmp_path}/proctor.db",
            models={"small": {**deployment, "price": "free"}},
            teams={"asks": {"retries": 0}},
        )
        answers = [
            fails(500, f"we choked on {MARK}"),
            fails(401, f"sk-{MARK} is no key of ours"),
            fails(400, f"{MARK} isn't allowed"),
            raw(f'{{"no": "{MARK}'),
            breaks_off(*chunks(completion(MARK))),
        ]
        async with asyncio.timeout(90), proctor.open(app, settings=settings) as running:
            for answer in answers:
                endpoint.bodies.clear()
                endpoint.replies = [answer]
                assert (await running.run("asks", f"Hello {MARK}")).state == "failed"
    lines = logged()
    assert MARK not in json.dumps(lines)
    assert len([line for line in lines if line["logger"] == "proctor.calls"]) == len(answers)


async def test_what_strangers_and_readers_who_take_nothing_leave_in_the_log_says_what_it_is(
    logged: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
):
    for name in ("uvicorn", "uvicorn.error"):  # as other servers of this process have left them
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)

    async def leaves_off(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": MARK.encode(), "more_body": True})

    async with asyncio.timeout(30), web(leaves_off, host="127.0.0.1", port=0) as address:
        port = int(address.rpartition(":")[2])
        for sent in (f"{MARK}\r\n\r\n", "GET / HTTP/1.1\r\nHost: me\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent.encode())
            await reader.read()
            writer.close()
            await writer.wait_closed()
    lines = [line for line in logged() if line["logger"] == "uvicorn.error"]
    assert [(line["level"], line["event"].partition(" (")[0]) for line in lines] == [
        ("warning", "Invalid HTTP request received."),
        ("info", "ASGI callable returned without completing response."),
    ]


async def test_a_line_leads_to_the_trace_that_it_belongs_to(
    tmp_path: Path, logged: Callable[[], list[dict[str, Any]]]
):
    with collector() as collected:
        settings = make_settings(
            f"sqlite:///{tmp_path}/proctor.db",
            telemetry={"endpoint": collected.url},
            teams={"tooled": {"approval": "never", "retries": 0}},
        )
        model = ScriptedModel([[tool_call("pay", order="7")], "It failed."])
        async with (
            asyncio.timeout(60),
            proctor.open(application(), settings=settings, providers={"openai": model}) as running,
        ):
            run = await running.run("tooled", "Pay.")
    [line] = [line for line in logged() if line["logger"] == "proctor.calls"]
    [span] = collected.named("execute_tool")
    assert (line["run_id"], line["trace_id"], line["span_id"]) == (run.id, span.trace, span.id)
    assert line["call"] == span.about["proctor.call.key"]


def test_what_nobody_catches_is_logged_without_its_text(tmp_path: Path):
    program = f"""
import threading, warnings, logging
from proctor.core import TelemetrySettings
from proctor.telemetry import set_up_logs
set_up_logs(TelemetrySettings(logs="json"), "service")
warnings.warn("{MARK}")
logging.getLogger("mcp.client").warning(f"can't read {MARK}")
logging.getLogger("sqlalchemy.pool").error("lost %s of %s", "{MARK}", 1)
logging.getLogger("httpx").info("POST https://example.org/?key={MARK}")
class Bad:
    def __del__(self):
        raise KeyError("{MARK}")
bad = Bad()
del bad
def fails():
    raise ValueError("{MARK}")
thread = threading.Thread(target=fails)
thread.start()
thread.join()
fails()
"""
    (tmp_path / "quiet.py").write_text(program)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "quiet.py")], capture_output=True, text=True, timeout=60, check=False
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert done.stdout == ""
    assert MARK not in done.stderr
    assert [line["event"].partition(" (")[0] for line in lines[1:3]] == [lines[1]["event"], "lost %s of %s"]
    assert [line["event"] for line in lines[3:]] == [
        "nobody caught this: KeyError",
        "nobody caught this: ValueError",
        "nobody caught this: ValueError",
    ]
    assert lines[-1]["error"]["kind"] == "ValueError"
    assert lines[-1]["error"]["way"][-1].endswith(" fails")


def test_text_for_a_person_is_short_and_begins_with_warnings():
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up_logs(TelemetrySettings(), "terminal", stream=stream)
        log = logging.getLogger("proctor.models")
        log.info("small answers again")
        log.warning("it is tried again: %s", ModelRefused(MARK))
        log.error("this broke", exc_info=ValueError(MARK))
    finally:
        logging.captureWarnings(capture=False)
        logging.getLogger().handlers[:], logging.getLogger().level = handlers, level
    assert stream.getvalue().splitlines() == [
        "warning: it is tried again: ModelRefused (model_refused)",
        "error: this broke (ValueError)",
    ]
