"""The command line as people and programs use it: real processes, a real database, a real HTTP endpoint."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.request import urlopen

import pytest

from servers.openai_endpoint import Body, Endpoint, Reply, completion, fails, says, serving, tool_call

PATIENCE = 120
"""Seconds that a command may take on a busy machine."""

APP = """
from pathlib import Path
from typing import IO
import proctor
from autogen_agentchat.agents import AssistantAgent

app = proctor.App()

@app.tool(effect="consequential")
def refund(order: int) -> str:
    "Pays an order's money back."
    with Path("refunds.txt").open("a") as file:
        file.write(f"{order}\\n")
    return f"refunded order {order}"

@app.team("desk", tools=["refund"])
def desk(ctx: proctor.TeamContext) -> AssistantAgent:
    return AssistantAgent(
        "clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"), max_tool_iterations=5
    )
"""
WANTS_REFUND = says(
    completion(None, tool_calls=[tool_call("refund", '{"order": 7}')], finish_reason="tool_calls")
)
KEY = "sk-test-0123456789"
UNASKED = {"PROCTOR_TEAMS__DESK__APPROVAL": "never", "PROCTOR_TEAMS__DESK__UNTRUSTED": "allow"}


@dataclass
class Terminal:
    """A folder with a configuration and a team, and the shell in it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROCTOR_")}
        return subprocess.Popen(
            [sys.executable, "-m", "proctor", *arguments],
            cwd=self.folder,
            env=inherited | self.environ | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def __call__(self, *arguments: str, text: str = "", code: int = 0, **environ: str) -> tuple[str, str]:
        """What a command prints on both outputs."""
        return ended(self.start(*arguments, **environ), text, code=code)

    def json(self, *arguments: str, text: str = "", code: int = 0, **environ: str):
        return json.loads(self(*arguments, "--json", text=text, code=code, **environ)[0])

    @property
    def refunds(self) -> list[str]:
        file = self.folder / "refunds.txt"
        return file.read_text().split() if file.exists() else []


def ended(process: subprocess.Popen[str], text: str = "", *, code: int) -> tuple[str, str]:
    with process:
        try:
            out, err = process.communicate(text, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == code, (out, err)
    assert "Traceback" not in err
    return out, err


def read_until(word: str, process: subprocess.Popen[str], stream: IO[str]) -> str:
    """The first line of an output that holds a word; empty where there is none in time."""
    killer = threading.Timer(PATIENCE, process.kill)
    killer.start()
    try:
        return next((line for line in stream if word in line), "")
    finally:
        killer.cancel()


def noticed(arrived: threading.Event, reply: Reply) -> Reply:
    """A reply that tells when its request has come."""

    def answer(body: Body):
        arrived.set()
        return reply(body)

    return answer


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as running:
        yield running


@pytest.fixture
def terminal(tmp_path: Path, endpoint: Endpoint) -> Terminal:
    (tmp_path / "desk.py").write_text(APP)
    (tmp_path / "proctor.toml").write_text(
        f'[models.small]\nmodel = "fake-1"\nbase_url = "{endpoint.url}"\napi_key = "{KEY}"\n'
        "retries = 0\nprice = { input = 3, output = 15 }\n"
    )
    return Terminal(tmp_path)


def test_help_needs_neither_autogen_nor_a_database(terminal: Terminal):
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "proctor", "--help"],
        cwd=terminal.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert "approvals" in process.stdout
    heavy = {"autogen_core", "sqlalchemy", "openai", "mcp", "numpy", "proctor.app"}
    assert heavy.isdisjoint(line.rpartition("|")[2].strip() for line in process.stderr.splitlines())


def test_a_run_tells_its_story_on_one_output_and_its_answer_on_the_other(terminal: Terminal):
    out, err = terminal("run", "desk.py:desk", "Hello")

    assert out == "Hello there.\n"
    assert re.search(r"clerk +model +small \(fake-1-2026\) +20→5 tok +\$0\.000135", err)
    assert re.search(r"clerk +says +Hello there\.", err)
    assert "completed after" in err


def test_whoever_asks_reads_the_value_that_the_model_knew_by_a_token(terminal: Terminal, endpoint: Endpoint):
    def echoing(body: Body):
        return says(completion(f"Noted: {body['messages'][-1]['content']}"))(body)

    endpoint.replies[:] = [echoing]
    settings = {
        "PROCTOR_POLICIES__INPUT__EMAIL": "tokenise",
        "PROCTOR_PRIVACY__VAULT__KEY_ENV": "VAULT_KEY",
        "VAULT_KEY": "k" * 40,
    }
    run = terminal.json("run", "desk.py:desk", "Write to ann@example.org", **settings)

    assert run["result"] == "Noted: Write to ann@example.org"
    assert "ann@example.org" not in run["task"]
    assert "ann@example.org" not in terminal("runs", "show", run["id"], **settings)[0]


def test_a_program_reads_one_json_object(terminal: Terminal):
    run = terminal.json("run", "desk.py:desk", "-", "--tenant", "acme", text="你好\n")

    assert (run["state"], run["result"], run["task"], run["tenant"]) == (
        "completed",
        "Hello there.",
        "你好",
        "acme",
    )
    assert (run["model_calls"], run["tool_calls"], run["cost_micros"]) == (1, 0, 135)
    assert re.fullmatch(r".+:\d+:\w{6}", run["worker"]), "host, process id and a random part"
    assert terminal.json("runs", "list", "--state", "completed")[0]["id"] == run["id"]
    assert terminal.json("runs", "list", "--state", "failed") == []


@pytest.mark.parametrize("text", [" \n", "\udcff\udcfe", "x" * 1001])
def test_a_text_that_cannot_be_taken_starts_no_run(terminal: Terminal, text: str):
    limit = {"PROCTOR_POLICIES__INPUT__MAX_CHARACTERS": "1000"}

    failed = terminal.json("run", "desk.py:desk", text=text, code=1, **limit)

    assert failed["error"]["code"] == "invalid_input"
    assert failed["error"]["hint"]
    assert not (terminal.folder / "proctor.db").exists() or terminal.json("runs", "list") == []


def test_a_refused_text_is_an_answer_with_its_own_exit_code(terminal: Terminal, endpoint: Endpoint):
    text = "My key is sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"

    run = terminal.json("run", "desk.py:desk", text, code=3)

    assert run["state"] == "refused"
    assert "secret" in run["result"]
    assert endpoint.bodies == []


@pytest.mark.parametrize(
    ("target", "hint"),
    [("desk.py:dusk", "desk"), ("desk.py", "module_or_file:team"), ("no.py:desk", "folder")],
)
def test_a_team_that_is_not_there_is_an_error_that_says_what_to_do(
    terminal: Terminal, target: str, hint: str
):
    failed = terminal.json("run", target, "Hello", code=1)

    assert failed["error"]["code"] == "not_found"
    assert hint in failed["error"]["hint"]


def test_an_approved_action_is_carried_out_once_and_the_run_ends(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded."))]
    _, err = terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")
    assert f"proctor approvals decide {approval['id']}" in err
    assert approval["action"]["arguments"] == {"order": 7}
    assert terminal.refunds == []

    out, _ = terminal(
        "approvals", "decide", approval["id"], "--approve", "--by", "ann", "--comment", "as agreed"
    )

    assert out == "Refunded.\n"
    assert terminal.refunds == ["7"]
    assert len(endpoint.bodies) == 2
    shown, _ = terminal("runs", "show", approval["run"])
    assert "ann approved: as agreed" in shown
    assert "(order=7) → refunded order 7" in shown
    again = terminal.json("approvals", "decide", approval["id"], "--reject", code=1)
    assert again["error"]["code"] == "conflict"


def test_a_rejected_action_is_not_carried_out_and_the_model_reads_why(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies = [WANTS_REFUND, says(completion("I may not."))]
    terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")

    decided = terminal.json(
        "approvals", "decide", approval["id"], "--reject", "--comment", "too late", "--no-wait"
    )
    assert decided["decision"]["comment"] == "too late"
    run = terminal.json("runs", "resume", approval["run"])

    assert (run["state"], run["result"]) == ("completed", "I may not.")
    assert terminal.refunds == []
    assert "too late" in endpoint.bodies[-1]["messages"][-1]["content"]


def test_a_decision_is_exactly_one_answer(terminal: Terminal):
    for answers in ([], ["--approve", "--respond", "no"]):
        failed = terminal.json("approvals", "decide", "apr_1", *answers, code=64)
        assert failed["error"]["code"] == "usage"


def test_a_detached_run_waits_for_whoever_resumes_or_cancels_it(terminal: Terminal, endpoint: Endpoint):
    first, second = (terminal("run", "desk.py:desk", "Hello", "--detach")[0].strip() for _ in range(2))
    assert endpoint.bodies == []

    assert terminal("runs", "resume", first)[0] == "Hello there.\n"
    assert terminal.json("runs", "cancel", second)["state"] == "cancelled"

    states = {run["id"]: run["state"] for run in terminal.json("runs", "list")}
    assert states == {first: "completed", second: "cancelled"}
    assert terminal("runs", "watch", first)[0] == "Hello there.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_is_not_lost(terminal: Terminal, endpoint: Endpoint, number: int):
    arrived = threading.Event()
    endpoint.replies = [WANTS_REFUND, noticed(arrived, endpoint.hangs()), says(completion("Refunded."))]
    process = terminal.start("run", "desk.py:desk", "Refund order 7", **UNASKED)
    assert arrived.wait(PATIENCE)
    process.send_signal(number)

    _, err = ended(process, code=130)
    run_id = re.search(r"proctor runs resume (run_\w+)", err)[1]
    resumed = terminal.json("runs", "resume", run_id, **UNASKED)

    assert (resumed["state"], resumed["result"], resumed["attempt"]) == ("completed", "Refunded.", 2)
    assert terminal.refunds == ["7"]
    assert len(endpoint.bodies) == 3


def test_an_action_whose_process_was_killed_is_not_repeated_without_a_person(
    terminal: Terminal, endpoint: Endpoint
):
    arrived = threading.Event()
    endpoint.replies = [WANTS_REFUND, noticed(arrived, endpoint.hangs()), says(completion("Refunded."))]
    unwritten = UNASKED | {"PROCTOR_DATABASE__LINGER": "60"}
    process = terminal.start("run", "desk.py:desk", "Refund order 7", **unwritten)
    assert arrived.wait(PATIENCE)
    process.kill()
    ended(process, code=-signal.SIGKILL)

    [run] = terminal.json("runs", "list", "--state", "running")
    waiting = terminal.json("runs", "resume", run["id"], code=2, **UNASKED)
    [question] = waiting["waits_for"]
    assert question["kind"] == "uncertain"
    out, _ = terminal("approvals", "decide", question["id"], "--respond", "It was paid.", **UNASKED)

    assert out == "Refunded.\n"
    assert terminal.refunds == ["7"]


def test_a_run_waits_for_the_process_that_has_the_database_and_takes_over(
    terminal: Terminal, endpoint: Endpoint
):
    endpoint.replies = [endpoint.hangs(), says(completion("Second."))]
    first = terminal.start("run", "desk.py:desk", "Hello")
    assert endpoint.began.wait(PATIENCE)
    second = terminal.start("run", "desk.py:desk", "Hello again")
    assert read_until("takes over", second, second.stderr)

    first.send_signal(signal.SIGINT)

    ended(first, code=130)
    assert ended(second, code=0)[0] == "Second.\n"


def test_a_run_is_cancelled_from_another_process(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies = [endpoint.hangs()]
    process = terminal.start("run", "desk.py:desk", "Hello")
    assert endpoint.began.wait(PATIENCE)
    [run] = terminal.json("runs", "list")

    terminal("runs", "cancel", run["id"])

    _, err = ended(process, code=1)
    assert "cancelled after" in err
    assert terminal.json("runs", "resume", run["id"], code=1)["error"]["code"] == "conflict"


def test_a_failed_run_says_why_and_goes_on_when_it_is_mended(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies = [fails(400, "no such model"), says(completion("Here again."))]

    _, err = terminal("run", "desk.py:desk", "Hello", code=1)

    [run] = terminal.json("runs", "list", "--state", "failed")
    assert "no such model" in err
    assert f"proctor runs resume {run['id']}" in err
    assert terminal("runs", "resume", run["id"])[0] == "Here again.\n"


def test_what_serves_the_database_takes_up_runs_of_other_processes(terminal: Terminal, endpoint: Endpoint):
    with serving_process(terminal) as (process, metrics):
        run = terminal.json("run", "desk.py:desk", "Hello")
        assert run["state"] == "completed"
        _, err = terminal("serve", "--app", "desk.py", "--port", "0", code=1)
        assert f"process {process.pid} executes runs" in err
        with urlopen(metrics, timeout=PATIENCE) as answer:
            told = answer.read().decode()
        assert 'proctor_runs_total{release="",status="completed",team="desk"} 1.0' in told
        process.send_signal(signal.SIGTERM)
        out, _ = ended(process, code=0)
    assert run["id"] in out


def test_a_server_that_is_told_to_stop_leaves_its_run_to_the_next_process(
    terminal: Terminal, endpoint: Endpoint
):
    endpoint.replies = [endpoint.hangs(), says(completion("Late."))]
    run_id = terminal("run", "desk.py:desk", "Hello", "--detach")[0].strip()

    with serving_process(terminal) as (process, _):
        assert endpoint.began.wait(PATIENCE)
        process.send_signal(signal.SIGTERM)
        ended(process, code=0)

    assert terminal("runs", "resume", run_id)[0] == "Late.\n"


def test_what_a_server_has_loaded_takes_no_part_in_its_garbage_collections(terminal: Terminal):
    app = terminal.folder / "desk.py"
    count = "import atexit, gc\natexit.register(lambda: print('frozen:', gc.get_freeze_count()))\n"
    app.write_text(app.read_text() + count)

    with serving_process(terminal) as (process, _):
        process.send_signal(signal.SIGTERM)
        out, _ = ended(process, code=0)

    assert int(out.rpartition("frozen: ")[2]) > 50_000


def test_a_server_that_people_reach_at_another_address_tells_also_where_it_listens(terminal: Terminal):
    process = terminal.start(
        *("serve", "--app", "desk.py", "--port", "0"), PROCTOR_SERVER__URL="https://desk.example.com"
    )
    try:
        line = read_until("Metrics: ", process, process.stdout)
        own = re.search(r"Listening on (http://127\.0\.0\.1:\d+)\. ", line)
        assert own is not None, line
        assert "API: https://desk.example.com/api/v1. " in line
        with urlopen(f"{own[1]}/metrics", timeout=PATIENCE) as answer:
            assert answer.status == 200
    finally:
        process.kill()
        process.communicate()


def test_nothing_is_served_beyond_this_machine(terminal: Terminal):
    _, err = terminal("serve", "--app", "desk.py", "--host", "0.0.0.0", code=1)

    assert "no loopback address" in err


def test_the_configuration_is_shown_with_its_sources_and_without_secrets(terminal: Terminal):
    out, _ = terminal("config", "show", "--sources", PROCTOR_BUDGET__DAILY_USD="7")

    lines = out.splitlines()
    assert KEY not in out
    assert any(re.fullmatch(r'api_key = "\*\*\*" +# proctor.toml', line) for line in lines)
    assert any(re.fullmatch(r"daily_usd = 7 +# PROCTOR_BUDGET__DAILY_USD", line) for line in lines)
    assert any(re.fullmatch(r"port = 8700 +# default", line) for line in lines)
    assert KEY not in terminal("config", "show", "--json")[0]


def test_a_configuration_is_checked_before_it_fails(terminal: Terminal):
    good = terminal.json("config", "check", PROCTOR_APP="desk.py")
    missing = {"PROCTOR_MODELS__LARGE__MODEL": "x-1", "PROCTOR_MODELS__LARGE__API_KEY_ENV": "NOT_THERE"}
    bad = terminal.json("config", "check", **missing, PROCTOR_APP="dusk.py", code=1)
    typo = terminal.json("config", "check", PROCTOR_MODELS__SMALL__MODLE="x", code=1)

    assert good["ok"]
    assert {each["what"] for each in bad["findings"] if each["state"] == "broken"} == {"models.large", "app"}
    assert "models.small.model" in typo["findings"][0]["todo"]


def test_who_names_people_for_alerts_without_an_address_is_told_so(terminal: Terminal):
    terminal.environ |= {"PROCTOR_ROLES__ONCALL__MEMBERS": '["ann"]', "PROCTOR_ALERTS__ROLES": '["oncall"]'}
    findings = terminal.json("config", "check", PROCTOR_APP="desk.py")["findings"]
    [note] = [each for each in findings if each["what"] == "alerts"]
    tried, _ = terminal("alerts", "test", code=1)
    assert note["state"] == "note"
    assert all("[roles.oncall]" in text for text in (note["todo"], tried))


def test_both_chains_are_printed_in_their_order(terminal: Terminal):
    chains = terminal.json("config", "chain")

    assert chains["model call"][0]["name"] == chains["tool call"][0]["name"] == "journal"
    assert chains["tool call"][-1]["name"] == "tool"
    assert "approval" in terminal("config", "chain")[0]


def test_the_doctor_finds_what_works_and_what_does_not(terminal: Terminal, endpoint: Endpoint):
    server = Path(__file__).parent.parent / "servers" / "tool_server.py"
    tools = {"PROCTOR_TOOLS__SHOP__COMMAND": json.dumps([sys.executable, str(server)])}
    down = {"PROCTOR_MODELS__LARGE": '{ model = "x", base_url = "http://127.0.0.1:1/v1", price = "free" }'}
    terminal("run", "desk.py:desk", "Hello")

    healthy = terminal.json("doctor", **tools)
    sick = terminal.json("doctor", **down, PROCTOR_TOOLS__GONE__COMMAND='["no-such-program"]', code=1)

    found = {each["what"]: each["found"] for each in healthy["findings"]}
    assert healthy["ok"]
    assert "writable" in found["database"]
    assert found["models.small answers"] == endpoint.url
    assert re.fullmatch(r"starts and offers \d+ tools", found["tools.shop"])
    broken = {each["what"]: each["todo"] for each in sick["findings"] if each["state"] == "broken"}
    assert broken.keys() == {"models.large answers", "tools.gone"}
    assert all(broken.values())


def test_the_team_that_init_writes_runs_and_is_never_overwritten(terminal: Terminal, endpoint: Endpoint):
    terminal("init", "first")
    there = Terminal(
        terminal.folder / "first", {"OPENAI_API_KEY": KEY, "PROCTOR_MODELS__SMALL__PRICE": "free"}
    )
    there.environ["PROCTOR_MODELS__SMALL__BASE_URL"] = endpoint.url

    assert there("run", "app.py:helper", "Hello")[0] == "Hello there.\n"
    assert "is there already" in terminal("init", "first", code=1)[1]


def test_an_error_is_one_block_unless_its_traceback_is_asked_for(terminal: Terminal):
    _, err = terminal("runs", "show", "run_nope", code=1)
    assert err.splitlines() == [
        "error: there is no run run_nope",
        "       `proctor runs list` shows the newest ones.",
    ]

    process = terminal.start("runs", "show", "run_nope", PROCTOR_DEBUG="1")
    _, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" in err


class serving_process:  # noqa: N801 - reads as the verb it is
    """`proctor serve` on a free port, and the address of its metrics."""

    def __init__(self, terminal: Terminal) -> None:
        self._process = terminal.start("serve", "--app", "desk.py", "--port", "0")

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        line = read_until("Metrics: ", self._process, self._process.stdout)
        return self._process, line.rpartition(" ")[2].strip()

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def test_a_conversation_goes_on_from_command_to_command(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies[:] = [says(completion("Seven.")), says(completion("Eight."))]
    first = terminal.json("run", "desk.py:desk", "Which order?", "--thread", "new")
    out, err = terminal("run", "desk.py:desk", "And the next?", "--thread", first["thread"])
    assert (first["result"], out) == ("Seven.", "Eight.\n")
    assert f"--thread {first['thread']}" in err
    told = str(endpoint.bodies[-1]["messages"])
    assert all(said in told for said in ("Which order?", "Seven.", "And the next?"))
    (thread,) = terminal.json("threads", "list", "--team", "desk")
    assert (thread["id"], thread["messages"]) == (first["thread"], 2)
    shown = terminal.json("threads", "show", first["thread"])
    assert [(run["task"], run["result"]) for run in shown["runs"]] == [
        ("Which order?", "Seven."),
        ("And the next?", "Eight."),
    ]
    out, _ = terminal("threads", "show", first["thread"])
    assert out.index("Seven.") < out.index("And the next?") < out.index("Eight.")


def test_a_conversation_that_is_forgotten_begins_anew(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies[:] = [says(completion("Seven.")), says(completion("Eight."))]
    thread = terminal.json("run", "desk.py:desk", "Which order?", "--thread", "new")["thread"]
    assert terminal.json("threads", "forget", thread)["forgotten_states"] > 0
    terminal("run", "desk.py:desk", "And the next?", "--thread", thread)
    assert "Which order?" not in str(endpoint.bodies[-1]["messages"])


def test_a_run_that_begins_later_tells_when_and_who_asked_for_it(terminal: Terminal):
    run_id = terminal("run", "desk.py:desk", "Hello", "--in", "1h", "--by", "ann", "--priority", "7")[
        0
    ].strip()
    out, _ = terminal("runs", "show", run_id)
    assert re.search(r"priority +7\n", out)
    assert re.search(r"asked for by +ann\n", out)
    [due] = re.findall(r"due +(2\d{3}-[\d: -]+)\n", out)
    assert f"Queued, and due at {due}." in out


def test_a_message_waits_for_those_before_it_and_has_them_executed(terminal: Terminal, endpoint: Endpoint):
    endpoint.replies[:] = [says(completion("One.")), says(completion("Two."))]
    first = terminal.json("run", "desk.py:desk", "Say one.", "--thread", "new", "--detach")
    out, err = terminal("run", "desk.py:desk", "Say two.", "--thread", first["thread"])
    assert out == "Two.\n"
    assert first["id"] in err, "it says for which run it waits"
    assert terminal.json("runs", "show", first["id"])["result"] == "One."
