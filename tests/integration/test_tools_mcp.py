"""`proctor.tools` against real MCP servers, as child processes and over HTTP."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from proctor.core import (
    ConfigurationError,
    JsonObject,
    NotFound,
    StaleAttempt,
    SystemClock,
    ToolCall,
    ToolResult,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
    TrustSettings,
)
from proctor.tools import Pins, Toolbox, ToolServer, function_tool
from servers.over_http import over_http
from servers.processes import processes_of

SERVERS = Path(__file__).parent.parent / "servers"


@dataclass
class Scope:
    run_id: str = "run_1"
    team: str = "desk"
    tenant: str = "acme"
    agent: str = "analyst"
    key: str = "key_1"
    events: list[tuple[str, JsonObject]] = field(default_factory=list)

    def event(self, type, data):
        self.events.append((type, data))

    async def begin(self):
        pass


class StandingClock(SystemClock):
    """Stands still until it is told otherwise."""

    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time


def command(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(SERVERS / program), *arguments)


def call(tool: str, /, **arguments: Any) -> ToolCall:
    spec = ToolSpec(server="shop", name=tool, description="", parameters={})
    return ToolCall(scope=Scope(), tool=spec, arguments=arguments)


@asynccontextmanager
async def server_with(
    settings: ToolServerSettings, clock: Any = None, name: str = "shop"
) -> AsyncIterator[ToolServer]:
    before = asyncio.all_tasks()
    server = ToolServer(name, settings, clock or SystemClock())
    try:
        async with asyncio.timeout(50):
            yield server
    finally:
        async with asyncio.timeout(10):
            await server.close()
    assert asyncio.all_tasks() == before


def shop(name: str = "shop", **settings: Any):
    return server_with(ToolServerSettings(command=command("tool_server.py"), **settings), name=name)


def odd(habit: str, clock: Any = None, name: str = "shop", **settings: Any):
    return server_with(
        ToolServerSettings(command=command("odd_tool_server.py", habit), **settings), clock, name
    )


def server_at(place: str, **settings: Any):
    return server_with(ToolServerSettings(url=f"http://{place}", **settings))


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not (await said if isinstance(said := holds(), Awaitable) else said):
            await asyncio.sleep(0.01)


async def has_cancelled(server: ToolServer, *names: str) -> bool:
    return (await server.call(call("cancellations"))).structured == {"result": list(names)}


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# What a server offers


async def test_tools_come_with_their_whole_schema_and_their_effect():
    async with shop(effects={"pid": "read_only"}) as server:
        tools = {tool.name: tool for tool in await server.list_tools()}
    assert tools["place"].parameters["$defs"]["Line"]["required"] == ["sku"]
    assert {name: tools[name].effect for name in ("pid", "echo", "slow", "place", "die")} == {
        "pid": "read_only",  # the configuration
        "echo": "read_only",  # readOnlyHint
        "slow": "idempotent",  # the server speaks of our keys
        "place": "consequential",  # idempotentHint alone
        "die": "consequential",  # nothing said
    }


async def test_all_pages_of_a_tool_list_are_read():
    async with odd("pages") as server:
        assert [tool.name for tool in await server.list_tools()] == ["tool_0", "tool_1", "tool_2"]


async def test_a_tool_list_without_an_end_is_an_error():
    async with odd("endless") as server:
        with pytest.raises(ToolServerUnavailable, match="has no end"):
            await server.start()


async def test_a_tool_that_the_server_adds_is_seen_after_it_says_so():
    async with shop() as server:
        before = await server.list_tools()
        assert await server.list_tools() is before
        await server.call(call("grow"))

        async def shows_the_new_tool() -> bool:
            return "grown" in {tool.name for tool in await server.list_tools()}

        await until(shows_the_new_tool)


async def test_only_allowed_tools_are_shown_and_called():
    async with shop(allow=("echo",)) as server:
        assert [tool.name for tool in await server.list_tools()] == ["echo"]
        refusal = await server.call(call("pid"))
    assert (refusal.is_error, refusal.refused_by) == (True, "allow")


@pytest.mark.parametrize("settings", [{"allow": ("Ecko",)}, {"effects": {"Ecko": "read_only"}}])
async def test_a_setting_that_names_no_tool_is_a_configuration_error_with_the_close_name(settings):
    async with shop(**settings) as server:
        with pytest.raises(ConfigurationError) as raised:
            await server.start()
    assert raised.value.hint == "Did you mean 'echo'?"


# What a call gives


async def test_a_call_carries_its_key_and_the_server_sees_a_minimal_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    async with shop(env={"SHOP": "main"}) as server:
        result = await server.call(call("about"))
    assert result.structured["meta"] == {
        "proctor/idempotency-key": "key_1",
        "proctor/tenant": "acme",
        "proctor/run": "run_1",
    }
    assert set(result.structured["env"]) <= {"PATH", "HOME", "LANG", "SHOP", "LC_CTYPE"}


async def test_results_are_texts_with_references_instead_of_bytes():
    async with shop() as server:
        echo = await server.call(call("echo", text="hällo"))
        picture = await server.call(call("picture"))
        failed = await server.call(call("fail"))
    assert echo == ToolResult(text="hällo", structured={"result": "hällo"})
    assert picture.text.startswith("before\n[image image/png, 12,345 bytes, sha256 ")
    assert failed.is_error
    assert not failed.refused_by


async def test_an_answer_with_half_a_character_arrives_without_it():
    async with odd("half") as server:
        assert (await server.call(call("tool_0"))).text == "cut in the middle: "


async def test_an_answer_that_is_no_result_becomes_an_error_for_the_model():
    async with odd("nonsense") as server:
        result = await server.call(call("tool_0"))
    assert result.is_error
    assert "can't be read" in result.text


async def test_an_answer_of_a_number_that_json_does_not_have_becomes_an_error_for_the_model():
    async with odd("nan") as server:
        result = await server.call(call("tool_0"))
    assert result.is_error
    assert "can't be read" in result.text


# Cancelling


async def test_of_fifty_concurrent_calls_ten_are_cancelled_and_forty_answer(tmp_path):
    async with shop() as server:
        await server.start()
        doomed = [
            asyncio.create_task(
                server.call(call("slow", seconds=60, name=f"n{n}", mark=str(tmp_path / f"{n}")))
            )
            for n in range(10)
        ]
        others = [asyncio.create_task(server.call(call("slow", seconds=0.2, name=f"{n}"))) for n in range(40)]
        await until(lambda: len(list(tmp_path.iterdir())) == 10)
        for task in doomed:
            task.cancel()
        answers = await asyncio.gather(*others)
        assert [answer.text for answer in answers] == [f"{n}" for n in range(40)]
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*doomed, return_exceptions=True)
        )
        # The server was told, so that it stopped working for nobody.
        await until(lambda: has_cancelled(server, *(f"n{n}" for n in range(10))))


async def test_a_caller_that_is_cancelled_during_the_start_takes_no_other_down():
    async with odd("slow_start") as server:
        first = asyncio.create_task(server.call(call("tool_0")))
        second = asyncio.create_task(server.call(call("tool_0")))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).text == "done"


async def test_a_call_beyond_its_time_fails_alone_and_is_cancelled_at_the_server():
    async with shop(call_timeout=timedelta(seconds=1)) as server:
        with pytest.raises(ToolServerUnavailable, match="within 1 s"):
            await server.call(call("slow", seconds=60, name="late"))
        await until(lambda: has_cancelled(server, "late"))


# Servers that end


async def test_a_server_killed_during_calls_fails_them_and_the_next_call_starts_it_again(tmp_path):
    async with shop() as server:
        pid = int((await server.call(call("pid"))).text)
        pending = [
            asyncio.create_task(server.call(call("slow", seconds=60, mark=str(tmp_path / f"{n}"))))
            for n in range(3)
        ]
        await until(lambda: len(list(tmp_path.iterdir())) == 3)
        os.kill(pid, signal.SIGKILL)
        errors = await asyncio.gather(*pending, return_exceptions=True)
        assert all(isinstance(error, ToolServerUnavailable) for error in errors)
        assert "its process was ended by SIGKILL" in errors[0].message
        assert int((await server.call(call("pid"))).text) != pid


@pytest.mark.parametrize(("effect", "calls"), [("read_only", 2), ("idempotent", 2), ("consequential", 1)])
async def test_a_call_whose_server_is_killed_is_made_once_more_where_that_is_harmless(
    tmp_path, effect, calls
):
    marks = [tmp_path / "first", tmp_path / "second"]
    slow = call("slow", seconds=60, mark=str(marks[0]))
    slow = replace(slow, tool=replace(slow.tool, effect=effect))
    async with shop() as server:
        pid = int((await server.call(call("pid"))).text)
        pending = asyncio.create_task(server.call(slow))
        await until(marks[0].exists)
        marks[0].rename(marks[1])
        os.kill(pid, signal.SIGKILL)
        if calls == 1:
            with pytest.raises(ToolServerUnavailable, match="SIGKILL"):
                await pending
            assert not marks[0].exists()
        else:
            await until(marks[0].exists)
            pending.cancel()
            assert int((await server.call(call("pid"))).text) != pid


async def test_a_server_that_every_call_kills_is_asked_twice_at_most():
    die = call("die", code=3)
    async with shop() as server:
        with pytest.raises(ToolServerUnavailable, match="exited with code 3"):
            await server.call(replace(die, tool=replace(die.tool, effect="read_only")))


class Defective(Pins):
    """Pins with a defect, as any of our own parts may have one that a session calls."""

    async def meet(self, server, specs):
        raise KeyError("a defect")


async def test_a_defect_of_ours_is_told_as_one_and_not_as_the_servers_failure():
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    pins = Defective(None, clock=SystemClock(), settings=TrustSettings())
    server = ToolServer(
        "shop", ToolServerSettings(command=command("tool_server.py")), SystemClock(), pins=pins
    )
    async with asyncio.timeout(50):
        with pytest.raises(ToolServerUnavailable, match="a defect of ours: KeyError"):
            await server.call(call("pid"))
        await server.close()
    gc.collect()
    [error] = told
    assert isinstance(error, ExceptionGroup)


async def test_a_call_whose_run_was_taken_over_while_its_server_started_is_not_made(tmp_path):
    class Overtaken(Scope):
        async def begin(self):
            raise StaleAttempt("another attempt has the run")

    mark = tmp_path / "mark"
    late = replace(call("slow", seconds=0, mark=str(mark)), scope=Overtaken())
    async with shop() as server:
        with pytest.raises(StaleAttempt):
            await server.call(late)
        assert not mark.exists()
        await server.call(late)
        assert mark.exists(), "where the server runs, the chain has just looked"


async def test_the_error_of_a_dead_server_holds_its_exit_code_and_last_words():
    async with shop() as server:
        with pytest.raises(ToolServerUnavailable) as raised:
            await server.call(call("die", code=3))
    assert "its process exited with code 3" in raised.value.message
    assert "about to go" in raised.value.message


async def test_a_server_is_seen_to_end_while_its_child_holds_the_pipes_and_the_child_is_ended():
    async with odd("orphan", call_timeout=timedelta(seconds=10)) as server:
        with pytest.raises(ToolServerUnavailable, match="exited with code 5") as raised:
            await server.call(call("tool_0"))
    child = int(raised.value.message.split()[-1])
    await until(lambda: is_gone(child))


async def test_a_message_without_measure_ends_the_session_and_is_named():
    async with odd("huge") as server:
        with pytest.raises(ToolServerUnavailable, match="a message of more than"):
            await server.call(call("tool_0"))


async def test_a_flood_of_messages_hides_no_answer():
    async with odd("flood") as server:
        answers = await asyncio.gather(*(server.call(call("tool_0")) for _ in range(3)))
    assert [answer.text for answer in answers] == ["done"] * 3


async def test_a_server_that_fails_again_and_again_is_left_alone_for_a_while():
    clock = StandingClock()
    async with odd("exits", clock) as server:
        starts = []
        for _ in range(50):
            with pytest.raises(ToolServerUnavailable) as raised:
                await server.call(call("tool_0"))
            starts.append("next try" not in raised.value.message)
        assert starts == [True, True] + [False] * 48
        clock.time += timedelta(seconds=1)
        with pytest.raises(ToolServerUnavailable) as raised:
            await server.call(call("tool_0"))
        assert "next try" not in raised.value.message


# Servers that don't start


async def failed_start(settings: ToolServerSettings) -> str:
    async with server_with(settings) as server:
        with pytest.raises(ToolServerUnavailable) as raised:
            await server.start()
    assert raised.value.hint
    return raised.value.message


async def test_a_program_that_does_not_exist_is_named():
    settings = ToolServerSettings(command=("no-such-program", "--flag"))
    assert "there is no program 'no-such-program'" in await failed_start(settings)


async def test_a_folder_that_does_not_exist_is_named(tmp_path):
    settings = ToolServerSettings(command=command("tool_server.py"), cwd=tmp_path / "gone")
    assert "there is no folder" in await failed_start(settings)


async def test_a_server_that_exits_at_once_is_quoted_without_the_secrets_it_was_given():
    settings = ToolServerSettings(
        command=command("odd_tool_server.py", "exits"), env={"API_KEY": "sk-very-secret"}
    )
    message = await failed_start(settings)
    assert "its process exited with code 1" in message
    assert "the key [hidden] is not valid" in message


async def test_what_a_server_writes_in_place_of_messages_is_quoted_without_its_secrets():
    settings = ToolServerSettings(
        command=command("odd_tool_server.py", "garbage"),
        env={"GREETING": "Welcome"},
        start_timeout=timedelta(seconds=2),
    )
    assert "no JSON-RPC message: '[hidden] to the shop!'" in await failed_start(settings)


@pytest.mark.parametrize(
    ("habit", "says"),
    [
        ("garbage", "no JSON-RPC message: 'Welcome to the shop!'"),
        ("endless_garbage", "no JSON-RPC message: 'la la la'"),
        ("silent", "not ready within 2 s"),
    ],
)
async def test_a_server_that_does_not_speak_mcp_is_given_up_in_time(habit, says):
    settings = ToolServerSettings(
        command=command("odd_tool_server.py", habit), start_timeout=timedelta(seconds=2)
    )
    started = asyncio.get_running_loop().time()
    assert says in await failed_start(settings)
    assert asyncio.get_running_loop().time() - started < 10


async def test_the_time_to_start_is_not_the_time_of_a_call():
    async with odd("slow_start", call_timeout=timedelta(seconds=0.9)) as server:
        assert (await server.call(call("tool_0"))).text == "done"


# Closing


async def test_closing_from_another_task_fails_calls_in_flight_and_leaves_nothing(tmp_path):
    async with shop() as server:
        pid = int((await server.call(call("pid"))).text)
        pending = asyncio.create_task(server.call(call("slow", seconds=60, mark=str(tmp_path / "begun"))))
        await until((tmp_path / "begun").exists)
        await asyncio.create_task(server.close())
        with pytest.raises(ToolServerUnavailable, match="was closed"):
            await pending
        assert is_gone(pid)
        with pytest.raises(ToolServerUnavailable, match="is closed"):
            await server.start()


async def test_closing_during_the_start_does_not_wait_for_it():
    async with odd("silent") as server:
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(0)
        await server.close()
        with pytest.raises(ToolServerUnavailable):
            await starting


async def test_closing_while_a_start_is_given_up_leaves_nothing(tmp_path):
    told_to_end = tmp_path / "told"
    deaf = command("odd_tool_server.py", "deaf", str(told_to_end))
    settings = ToolServerSettings(command=deaf, start_timeout=timedelta(seconds=1))
    async with server_with(settings) as server:
        starting = asyncio.create_task(server.start())
        await until(told_to_end.exists)
        await server.close()
        assert odd_servers() == []
        with pytest.raises(ToolServerUnavailable):
            await starting


def odd_servers() -> list[psutil.Process]:
    """Beside what else this process has started, such as a database."""
    return processes_of("odd_tool_server")


async def test_a_server_that_will_not_end_is_ended():
    async with odd("stubborn") as server:
        await server.start()
        [child] = odd_servers()
        await server.close()
        assert is_gone(child.pid)


async def test_servers_end_when_the_process_that_holds_them_is_killed():
    holder = await asyncio.create_subprocess_exec(
        *command("tool_server_holder.py"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    other = int(await asyncio.wait_for(holder.stdout.readline(), 30))
    servers = [child.pid for child in psutil.Process(holder.pid).children() if child.pid != other]
    assert len(servers) == 2
    try:
        holder.kill()
        await holder.wait()
        await until(lambda: all(is_gone(pid) for pid in servers))
        assert not is_gone(other)
    finally:
        os.kill(other, signal.SIGKILL)


# Over HTTP


async def test_calls_over_http_work_and_are_cancelled_one_by_one(tmp_path):
    async with over_http("tool_server.py", "http") as (_, port), server_at(f"127.0.0.1:{port}/mcp") as server:
        doomed = asyncio.create_task(
            server.call(call("slow", seconds=60, name="doomed", mark=str(tmp_path / "begun")))
        )
        kept = asyncio.create_task(server.call(call("slow", seconds=1, name="kept")))
        await until((tmp_path / "begun").exists)
        doomed.cancel()
        assert (await kept).text == "kept"
        await until(lambda: has_cancelled(server, "doomed"))


async def test_an_http_server_that_dies_during_a_call_serves_the_next_one_when_it_is_back(tmp_path):
    async with AsyncExitStack() as stack:
        async with over_http("tool_server.py", "http") as (process, port):
            server = await stack.enter_async_context(
                server_at(f"user:pass@127.0.0.1:{port}/mcp?token=secret")
            )
            pending = asyncio.create_task(server.call(call("slow", seconds=60, mark=str(tmp_path / "begun"))))
            await until((tmp_path / "begun").exists)
            process.kill()
            await process.wait()
            with pytest.raises(ToolServerUnavailable):
                await pending
            with pytest.raises(ToolServerUnavailable, match="Connect") as raised:
                await server.call(call("echo", text="too early"))
            assert "secret" not in str(raised.value)
            assert "pass" not in str(raised.value)
        async with over_http("tool_server.py", "http", port=port):
            assert (await server.call(call("echo", text="back"))).text == "back"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/mcp", "ConnectError"),
        ("http://[::1/mcp", "URL"),
        ("shop.example/mcp", "protocol"),
    ],
)
async def test_a_url_without_a_server_is_a_clear_error(url, says):
    assert says in await failed_start(ToolServerSettings(url=url))


async def test_a_server_that_stops_reading_holds_no_caller_beyond_its_time():
    async with odd("plain", call_timeout=timedelta(seconds=1)) as server:
        await server.start()
        [child] = odd_servers()
        child.suspend()
        calls = [server.call(call("tool_0", padding="x" * 200_000)) for _ in range(15)]
        started = asyncio.get_running_loop().time()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert asyncio.get_running_loop().time() - started < 10  # one behind the other they would take 15
        assert all(isinstance(error, ToolServerUnavailable) for error in errors)


async def test_a_server_that_has_forgotten_the_session_gets_the_call_once_in_a_new_one():
    headers = {"Authorization": "Bearer open-sesame"}
    async with (
        over_http("legacy_http_tool_server.py") as (_, port),
        server_at(f"127.0.0.1:{port}/", headers=headers) as server,
    ):
        assert (await server.call(call("forget"))).text == "forget"
        assert (await server.call(call("act"))).text == "forget act"


async def test_a_server_that_does_not_let_us_in_is_quoted_with_its_status():
    async with over_http("legacy_http_tool_server.py") as (_, port):
        assert "HTTP 401" in await failed_start(ToolServerSettings(url=f"http://127.0.0.1:{port}/"))


# Several servers together


async def test_a_toolbox_gives_whole_servers_and_single_tools_and_routes_calls():
    def pid() -> int:
        """The process's id, as the application sees it."""
        return os.getpid()

    async with odd("pages", name="pages") as pages:
        await pages.start()
        async with shop("store") as store:
            box = Toolbox({"pages": pages, "store": store}, {"own_pid": function_tool(pid, name="own_pid")})
            specs = await box.specs(["pages", "store.echo", "pages.tool_1", "own_pid"])
            assert [spec.name for spec in specs] == ["tool_0", "tool_1", "tool_2", "echo", "own_pid"]
            by_name = {spec.name: spec for spec in specs}
            echo = await box.call(ToolCall(scope=Scope(), tool=by_name["echo"], arguments={"text": "hi"}))
            own = await box.call(ToolCall(scope=Scope(), tool=by_name["own_pid"], arguments={}))
            assert (echo.text, own.text) == ("hi", str(os.getpid()))
            with pytest.raises(NotFound) as raised:
                await box.specs(["store.ecko"])
            assert raised.value.hint == "Did you mean 'echo'?"
            with pytest.raises(NotFound):
                await box.specs(["stores"])


async def test_two_tools_of_one_name_are_a_configuration_error():
    async with odd("plain") as one:
        await one.start()
        async with odd("plain", name="other") as other:
            with pytest.raises(ConfigurationError) as raised:
                await Toolbox({"shop": one, "other": other}, {}).specs(["shop", "other"])
    assert raised.value.hint == "Name the tools one by one, such as 'other.tool_0'."
