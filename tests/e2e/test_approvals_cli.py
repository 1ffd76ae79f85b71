"""`proctor approvals` as people use it: who decides, edits, hands on, rejects many, approves in advance."""

import json

import pytest

from e2e.test_cli import WANTS_REFUND, Terminal, endpoint, terminal  # noqa: F401 - fixtures
from servers.openai_endpoint import Endpoint, completion, says

RULES = """
[roles.manager]
members = ["ann", "bob"]

[[teams.desk.approvals]]
tools = ["refund"]
roles = ["manager"]
quorum = 2
risk = "money leaves the house"
expires = "P1D"
"""


@pytest.fixture
def ruled(terminal: Terminal) -> Terminal:  # noqa: F811
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    return terminal


@pytest.mark.slow
def test_two_managers_decide_and_others_are_told_why_not(ruled: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded."))]
    ruled("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = ruled.json("approvals", "list", "--role", "manager", "--team", "desk")
    assert ruled.json("approvals", "list", "--team", "other") == []
    assert [each["id"] for each in ruled.json("approvals", "list", "--by-me", "--by", "ann")] == [
        approval["id"]
    ]
    id = approval["id"]

    shown, _ = ruled("approvals", "show", id)
    assert "money leaves the house" in shown
    assert "0 of 2" in shown
    assert "Refund order 7" in shown

    refused = ruled.json("approvals", "decide", id, "--approve", "--by", "eve", code=1)
    assert refused["error"]["code"] == "forbidden"
    out, _ = ruled("approvals", "decide", id, "--approve", "--by", "ann")
    assert out == "Counted. 1 more must agree: manager.\n"
    assert ruled.json("approvals", "list", "--by-me", "--by", "ann") == []
    stale = ruled.json("approvals", "decide", id, "--approve", "--by", "bob", "--digest", "other", code=1)
    assert stale["error"]["code"] == "conflict"
    ruled("approvals", "delegate", id, "--by", "bob", "--to", "cem")
    out, _ = ruled("approvals", "decide", id, "--approve", "--by", "cem", "--digest", approval["digest"])

    assert out == "Refunded.\n"
    assert ruled.refunds == ["7"]


def test_edited_arguments_come_from_a_file_or_the_line(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded."))]
    terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")
    wrong = terminal.json("approvals", "decide", approval["id"], "--edit", '{"order": "x"}', code=1)
    assert wrong["error"]["code"] == "invalid_input"
    (terminal.folder / "edited.json").write_text(json.dumps({"order": 8}))

    terminal("approvals", "decide", approval["id"], "--edit", "edited.json")

    assert terminal.refunds == ["8"]
    assert "A person changed the arguments" in str(endpoint.bodies[-1]["messages"][-1]["content"])
    shown, _ = terminal("runs", "show", approval["run"])
    assert "approved with changes" in shown


@pytest.mark.slow
def test_many_are_listed_before_they_are_rejected(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [WANTS_REFUND, WANTS_REFUND]
    for _ in range(2):
        terminal("run", "desk.py:desk", "Refund order 7", code=2)
    reject = ("approvals", "decide", "--reject", "--all", "--team", "desk", "--by", "ann")

    listed = terminal.json(*reject)
    assert len(listed["would_reject"]) == 2
    assert len(terminal.json("approvals", "list")) == 2
    assert terminal.json("approvals", "decide", "--approve", "--all", code=64)["error"]["code"] == "usage"

    done = terminal.json(*reject, "--yes", "--comment", "not today")
    assert (len(done["rejected"]), done["left"]) == (2, [])
    assert terminal.json("approvals", "list") == []
    assert {run["state"] for run in terminal.json("runs", "list")} == {"queued"}


@pytest.mark.slow
def test_what_is_approved_in_advance_is_listed_and_ended(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [WANTS_REFUND, WANTS_REFUND, says(completion("Both refunded."))]
    terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")

    out, _ = terminal("approvals", "decide", approval["id"], "--approve", "--by", "ann", "--standing", "day")

    assert out == "Both refunded.\n"
    assert terminal.refunds == ["7", "7"]
    [given] = terminal.json("approvals", "standing", "list")
    assert (given["scope"], given["arguments"], given["by"]) == ("day", {"order": 7}, "ann")
    terminal("approvals", "standing", "revoke", given["id"], "--by", "bob")
    assert terminal.json("approvals", "standing", "list") == []


def test_a_rule_with_a_word_that_no_setting_has_is_refused_by_name(terminal: Terminal):  # noqa: F811
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write('[[teams.desk.approvals]]\ntools = ["refund"]\nquorom = 2\n')
    failed = terminal.json("approvals", "list", code=1)
    assert failed["error"]["code"] == "unknown_key"
    assert "quorum" in failed["error"]["hint"]


REVIEWED = {"PROCTOR_TEAMS__DESK__REVIEW__MODE": "manual"}


@pytest.mark.slow
def test_an_answer_is_read_changed_and_sent(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    answer = "We refund:\n\n- shoes\n- hats\u202e"
    endpoint.replies = [says(completion(answer))]
    _, err = terminal("run", "desk.py:desk", "What do you refund?", "--by", "li", code=2, **REVIEWED)
    assert "--approve | --answer TEXT | --reject" in err
    [approval] = terminal.json("approvals", "list")
    out, _ = terminal("approvals", "list")
    assert "answer: We refund: - shoes" in out

    shown, _ = terminal("approvals", "show", approval["id"])
    assert "answer        We refund:\n\n              - shoes\n              - hats<U+202E>\n" in shown
    assert "task  What do you refund?" in shown
    assert '"arguments"' not in shown
    assert shown.count("- shoes") == 1

    decide = ("approvals", "decide", approval["id"], "--by", "ann")
    for wrong in (
        ("--answer", "x", "--edit", "{}"),
        ("--answer", "--approve"),
        ("--answer", "x", "--approve"),
    ):
        assert terminal.json(*decide, *wrong, code=64)["error"]["code"] == "usage"
    assert terminal.json(*decide, "--answer", "", code=1)["error"]["code"] == "invalid_input"
    assert terminal.json("runs", "list", "--state", "completed") == []
    out, _ = terminal(*decide, "--answer", "-", text="- Nothing.\n", **REVIEWED)

    assert out == "- Nothing.\n"
    shown, _ = terminal("approvals", "show", approval["id"])
    assert "as the team wrote it" in shown
    assert "- shoes" in shown
    shown, _ = terminal("runs", "show", approval["run"])
    assert "the answer is approved with changes by ann" in shown


def test_an_answer_that_is_held_back_says_why(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [says(completion("It costs 3 $ inside."))]
    terminal("run", "desk.py:desk", "What does it cost?", code=2, **REVIEWED)
    [approval] = terminal.json("approvals", "list")
    held = ("approvals", "decide", approval["id"], "--reject", "--by", "ann", "--comment", "Internal.")
    out, err = terminal(*held, code=3, **REVIEWED)
    assert out == ""
    assert "The answer was held back. Internal.\n" in err
    assert "The policy refused" not in err


@pytest.mark.slow
def test_reviewers_are_told_to_people_and_programs(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    assert terminal("approvals", "reviewers", "--last", "1h")[0].startswith("Nobody decided anything from ")
    for decision in (("--approve",), ("--answer", "Goodbye.")):
        run = ("run", "desk.py:desk", "Hello")
        terminal(*run, code=2, **REVIEWED)
        [approval] = terminal.json("approvals", "list")
        terminal("approvals", "decide", approval["id"], *decision, "--by", "ann", **REVIEWED)

    found = terminal.json("approvals", "reviewers", "--last", "1d")
    [ann] = found["reviewers"]
    assert (ann["name"], ann["who"], ann["decisions"], ann["approved"]) == ("ann", "person", 2, 0.5)
    assert ann["kinds"] == {"approve": 1, "edit": 1, "reject": 0, "respond": 0}
    assert 0 < ann["waited_s"]["median"] <= ann["waited_s"]["p90"]
    out, _ = terminal("approvals", "reviewers")
    [row] = [line.split() for line in out.splitlines() if line.endswith("ann")]
    assert row[:4] == ["2", "50%", "1", "-"]
    assert terminal.json("approvals", "reviewers", "--until", "2020-01-01")["reviewers"] == []
    assert terminal.json("approvals", "reviewers", "--role", "manager")["reviewers"] == []
    assert (
        terminal.json("approvals", "reviewers", "--last", "soon", code=1)["error"]["code"] == "invalid_input"
    )


LOOSE = """
[tools.web]
command = ["npx", "-y", "@playwright/mcp@latest"]
"""


@pytest.mark.slow
def test_frozen_trust_holds_for_runs_that_go_on(terminal: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded."))]
    terminal("run", "desk.py:desk", "Refund order 7", code=2)
    [approval] = terminal.json("approvals", "list")
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(LOOSE)

    for command in (
        ("approvals", "decide", approval["id"], "--approve"),
        ("runs", "resume", approval["run"]),
    ):
        error = terminal.json(*command, "--frozen", code=1)["error"]
        assert error["code"] == "configuration"
        assert "[tools.web]" in error["message"]
    assert terminal.json("approvals", "list")[0]["state"] == "pending", "nothing is decided before"
    assert terminal("approvals", "decide", approval["id"], "--approve")[0] == "Refunded.\n"
