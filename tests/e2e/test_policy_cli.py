"""`proctor policy` as people and programs use it: checks, explained rules, a policy tried on past runs."""

import json

import pytest

from e2e.test_cli import UNASKED, WANTS_REFUND, Terminal, endpoint, terminal  # noqa: F401 - fixtures
from servers.openai_endpoint import Endpoint, completion, says

pytestmark = pytest.mark.slow  # each test starts several commands

CARD = "4111 1111 1111 1111"
RULES = """
[teams.desk]

[policies.output]
dark_pattern = "allow"

[[policies.rules]]
id = "deal"
stages = ["output"]
words = ["discount*"]
outcome = "escalate"

[[policies.rules]]
id = "rival"
stages = ["input", "output"]
words = ["Acme"]
teams = ["desk"]
outcome = "deny"
reason = "No rivals here."
"""
STRICTER = """
[output]
dark_pattern = "allow"

[[rules]]
id = "places"
stages = ["output"]
words = ["there"]
outcome = "deny"

[[rules]]
id = "refunds"
stages = ["tool_result"]
words = ["refunded"]
outcome = "escalate"
"""


@pytest.fixture
def ruled(terminal: Terminal) -> Terminal:  # noqa: F811
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    (terminal.folder / "stricter.toml").write_text(STRICTER, encoding="utf-8")
    return terminal


def test_a_text_is_checked_by_exit_code_words_and_json(ruled: Terminal):
    assert ruled("policy", "check", "Hello") == ("allow\n", "")
    out, _ = ruled("policy", "check", f"My card is {CARD}.")
    assert out.startswith("redact  ")
    assert [line.split()[0] for line in out.splitlines() if CARD in line] == ["payment_card"]
    out, _ = ruled("policy", "check", "Any discounts?", "--stage", "output", code=2)
    assert out.startswith("escalate  ")
    out, _ = ruled("policy", "check", "--team", "desk", text="Buy at ACME!", code=3)
    assert out.startswith("deny  No rivals here.\n")
    assert ruled("policy", "check", "Buy at ACME!") == ("allow\n", ""), "the rule is for another team"

    found = ruled.json("policy", "check", f"我的卡号是 {CARD}。")

    micros = found.pop("micros")
    assert micros > 0
    assert found == {
        "verdict": "redact",
        "rules": ["input.payment_card"],
        "spans": [
            {"start": 6, "end": 25, "type": "payment_card", "confidence": pytest.approx(0.97, abs=0.03)}
        ],
        "text": "我的卡号是 [payment card]。",
        "reason": found["reason"],
    }


def checked(ruled: Terminal, *lines: str, code: int = 0, stage: str = "input", **environ: str):
    text = "".join(f"{line}\n" for line in lines)
    out, err = ruled("policy", "check", "--stage", stage, "--jsonl", text=text, code=code, **environ)
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def test_each_line_of_many_is_answered_with_one_line(ruled: Terminal):
    texts = ["Hello", f"My card is {CARD}.", "x" * 20_000, "你好 😀"]
    found = checked(ruled, *(json.dumps({"id": f"t{n}", "text": text}) for n, text in enumerate(texts)))
    assert [(each["id"], each["verdict"]) for each in found] == [
        ("t0", "allow"),
        ("t1", "redact"),
        ("t2", "allow"),
        ("t3", "allow"),
    ]
    assert [each["text"] for each in found] == [texts[0], "My card is [payment card].", texts[2], texts[3]]
    assert all(each["micros"] > 0 for each in found)


def test_a_line_that_cannot_be_read_is_an_error_of_its_own(ruled: Terminal):
    bad = ["nonsense", '{"text": 7}', '["text"]', '{"id": 1}', "\udcff\udcfe", "[" * 100_000]
    found = checked(ruled, bad[0], '{"id": [1], "text": "Hello"}', "", *bad[1:], '{"text": "你好"}', code=1)
    errors = [each for each in found if "error" in each]
    assert [each["line"] for each in errors] == [1, 4, 5, 6, 7, 8]
    assert {each["error"]["code"] for each in errors} == {"invalid_input"}
    assert [each["id"] for each in found if "verdict" in each] == [[1], 9], "else a line's id is its number"


def test_a_text_that_nothing_could_store_is_denied_and_no_error(ruled: Terminal):
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(["a\x00b", "\ud800", "x" * 1001])]
    found = checked(ruled, *lines, PROCTOR_POLICIES__INPUT__MAX_CHARACTERS="1000")
    assert [(each["verdict"], each["rules"], each["text"]) for each in found] == [
        ("deny", ["input.unreadable"], "")
    ] * 3


def test_lines_come_from_standard_input_alone(ruled: Terminal):
    assert ruled.json("policy", "check", "--jsonl", "Hello", code=64)["error"]["code"] == "usage"
    wrong = ruled.json("policy", "check", "Hello", "--stage", "imput", code=64)
    assert 'Did you mean "input"?' in wrong["error"]["message"]


def test_what_was_found_is_explained_by_rule(ruled: Terminal):
    text = f"ACME has my card {CARD}."
    found = ruled.json("policy", "explain", text, "--team", "desk")
    assert [(each["found"], each["text"], each["rule"], each["outcome"]) for each in found] == [
        ("rival", "ACME", "rival", "deny"),
        ("payment_card", CARD, "input.payment_card", "redact"),
    ]
    out, _ = ruled("policy", "explain", text)
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["payment_card"]
    assert ruled("policy", "explain", "Hello")[0] == "Nothing was found that isn't allowed here.\n"


def test_what_holds_at_a_stage_is_listed_in_the_order_in_which_rules_are_asked(ruled: Terminal):
    mine = ruled.json("policy", "explain", "--stage", "output", "--team", "desk")
    others = ruled.json("policy", "explain", "--stage", "output")
    assert [each["rule"] for each in mine][:3] == ["deal", "rival", "output.payment_card"]
    assert [each["rule"] for each in others][:2] == ["deal", "output.payment_card"]
    assert {"finds": "phone", "rule": "output.phone", "outcome": "allow"} in others
    out, _ = ruled("policy", "explain", "--stage", "output")
    assert "discount*" in out


def test_a_policy_is_linted(ruled: Terminal):
    assert ruled.json("policy", "lint")["ok"]
    with (ruled.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(
            '[[policies.rules]]\nid = "late"\nstages = ["input"]\nfinds = ["email"]\noutcome = "deny"\n'
            'teams = ["dask"]\n'
        )
    found = ruled.json("policy", "lint", code=1)
    assert [each["what"] for each in found["findings"] if each["state"] == "broken"] == ["late"]
    out, _ = ruled("policy", "lint", code=1)
    assert "dask" in out


@pytest.mark.parametrize("command", [("check", "x"), ("explain", "x"), ("lint",), ("simulate",)])
def test_a_policy_that_cannot_be_read_is_an_error_that_names_line_and_word(
    ruled: Terminal, command: tuple[str, ...]
):
    file = ruled.folder / "proctor.toml"
    file.write_text(file.read_text().replace('outcome = "deny"', 'outcome = "dney"'))
    error = ruled.json("policy", *command, code=1)["error"]
    assert "line" in error["message"]
    assert "deny" in error["hint"]


@pytest.fixture
def worked(ruled: Terminal, endpoint: Endpoint) -> Terminal:  # noqa: F811
    """A terminal after two runs: one that called a tool, and one that said no."""
    endpoint.replies = [WANTS_REFUND, says(completion("Refunded. There you are.")), says(completion("No."))]
    ruled("run", "desk.py:desk", "Refund order 7", **UNASKED)
    ruled("run", "desk.py:desk", "Hello")
    return ruled


def test_a_policy_is_tried_on_past_runs_and_changes_nothing(worked: Terminal):
    before = worked.json("runs", "list")

    found = worked.json("policy", "simulate", "--policy", "stricter.toml")

    assert (found["runs"], found["texts"], found["changed"]) == (2, 5, 2)
    assert found["outcomes"] == {"now": {"allow": 5}, "then": {"allow": 3, "escalate": 1, "deny": 1}}
    refund = before[-1]["id"]
    assert found["rules"] == {
        "refunds": {
            "now": 0,
            "then": 1,
            "examples": [{"run": refund, "stage": "tool_result", "excerpt": "[words] order 7"}],
        },
        "places": {
            "now": 0,
            "then": 1,
            "examples": [{"run": refund, "stage": "output", "excerpt": "Refunded. [words] you are."}],
        },
    }
    out, _ = worked("policy", "simulate", "--policy", "stricter.toml")
    assert out.startswith("2 runs with 5 texts: 2 would end otherwise.\n")
    assert "Refunded. [words] you are." in out
    assert worked.json("runs", "list") == before


def test_without_another_policy_the_one_in_force_is_tried(worked: Terminal):
    found = worked.json("policy", "simulate")
    assert (found["runs"], found["changed"], found["outcomes"]["now"]) == (2, 0, found["outcomes"]["then"])


def test_only_the_runs_that_are_meant_are_tried(worked: Terminal):
    for which in (("--team", "other"), ("--until", "2020-01-01", "--since", "2019-01-01")):
        assert worked.json("policy", "simulate", *which)["runs"] == 0
    assert worked.json("policy", "simulate", "--team", "desk", "--last", "1h")["runs"] == 2
    assert (
        worked.json("policy", "simulate", "--policy", "none.toml", code=1)["error"]["code"] == "configuration"
    )
    assert worked.json("policy", "simulate", "--last", "1h", "--since", "2020-01-01", code=64)
