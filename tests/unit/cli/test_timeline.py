import io
from datetime import UTC, datetime, timedelta
from typing import get_args

from rich.console import Console

from proctor.cli._output import instant
from proctor.cli._timeline import SAYINGS, UNSAID, lines, print_lines
from proctor.core import Event, EventType
from proctor.runs import CallKey, RecordedCall

START = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERED = {
    "deployment": "small",
    "model": "g1",
    "input": 812,
    "output": 45,
    "cached_input": 0,
    "cost": 1234,
    "attempts": 2,
    "ms": 1240.0,
}


def used(tool: str = "refund", *, refused_by: str = "", error: bool = False) -> dict[str, object]:
    return {
        "server": "orders",
        "tool": tool,
        "effect": "consequential",
        "error": error,
        "refused_by": refused_by,
        "cost": 0,
        "ms": 20.0,
    }


def log(*happened: tuple[str, str, dict[str, object]]) -> list[Event]:
    return [
        Event(run_id="run_1", seq=seq, at=START + timedelta(seconds=seq), type=type, agent=agent, data=data)
        for seq, (type, agent, data) in enumerate(happened, start=1)
    ]


def call(kind: str, position: int | None, outcome: dict[str, object] | None) -> RecordedCall:
    return RecordedCall(
        key=CallKey(agent="clerk", kind=kind, fingerprint=str(position), occurrence=0),
        position=position,
        attempt=1,
        request={"arguments": {"order": 7}},
        outcome=outcome,
        cost=0,
        started_at=START,
        duration_ms=1.0,
    )


def printed(events: list[Event], calls: list[RecordedCall] | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=96)
    print_lines(lines(events, calls or []), console, since=START)
    return console.file.getvalue().splitlines()


def test_a_timeline_says_when_who_what_and_what_it_took():
    events = log(
        ("run.started", "", {"team": "desk"}),
        ("model.called", "clerk", ANSWERED),
        ("tool.called", "clerk", used()),
        ("message", "clerk", {"kind": "TextMessage", "text": "Done.\nAll of it."}),
        ("run.completed", "", {"characters": 5}),
    )
    calls = [call("model", 0, {}), call("tool", 1, {"text": "paid"}), call("tool", None, None)]

    assert printed(events, calls) == [
        " 0:01.0  run             started     team desk, run_1",
        " 0:02.0  clerk           model       small (g1), 2 attempts      812→45 tok  $0.001234     1.2 s",
        " 0:03.0  clerk           tool        orders.refund                                        0.02 s",
        "                                     (order=7) → paid",
        " 0:04.0  clerk           says        Done.",
        "                                     All of it.",
        " 0:05.0  run             completed",
    ]


def test_a_terminal_obeys_nothing_that_others_wrote():
    said = {"kind": "TextMessage", "text": "\x1b]0;mine\x07\x1b[2Jhi \u202eeve\r\n\u9f7f\u2764\ufe0f \x9b1A"}
    refused = {"server": "s\x1b[1A", "tool": "t", "reason": "no \x1b[31m"}
    shown = "".join(printed(log(("message", "cl\x1b[2Jerk", said), ("tool.refused", "clerk", refused))))
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\r"} & set(shown)
    assert "<U+001B>[2Jhi <U+202E>eve" in shown
    assert "\u2764\ufe0f" in shown


def test_every_line_stays_within_the_width():
    text = "word " * 100 + "x" * 300 + "很长的中文" * 50
    events = log(
        ("message", "a-very-long-name/of-an-agent", {"kind": "TextMessage", "text": text}),
        ("tool.called", "clerk", used("t" * 200)),
        ("run.failed", "", {"code": "model", "message": text}),
    )

    widths = [Console().measure(line).maximum for line in printed(events, [call("tool", 0, {"text": text})])]

    assert max(widths) <= 96


def test_a_refused_call_has_one_line():
    refused = {"server": "orders", "tool": "refund", "rule": "allow", "reason": "not declared"}
    events = log(
        ("tool.refused", "clerk", refused),
        ("tool.called", "clerk", used(refused_by="allow")),
        ("tool.called", "clerk", used(refused_by="ann")),
    )

    assert [(line.what, line.text) for line in lines(events, [])] == [
        ("refused", "orders.refund: not declared"),
        ("refused", "orders.refund by ann"),
    ]


def test_questions_and_decisions_tell_the_action_and_the_person():
    action = {"server": "orders", "tool": "refund", "arguments": {"order": 7, "to": "ann"}}
    events = log(
        ("approval.requested", "clerk", {"id": "apr_1", "kind": "action", "action": action}),
        ("run.waiting", "", {}),
        (
            "approval.decided",
            "clerk",
            {"id": "apr_1", "decision": "reject", "by": "ann", "comment": "too late"},
        ),
        ("human.answered", "clerk", {"decision": "reject", "by": "ann"}),
        ("policy.verdict", "", {"stage": "input", "outcome": "redact", "rules": ["input.password"]}),
    )

    assert [(line.what, line.text) for line in lines(events, [])] == [
        ("asks", 'orders.refund (order=7, to="ann") (apr_1)'),
        ("decided", "ann rejected: too late"),
        ("policy", "the task: something was taken out (input.password)"),
    ]


def test_a_kind_of_event_that_is_new_is_shown_as_it_is():
    [line] = lines(log(("tool.praised", "clerk", {"tool": "refund"})), [])

    assert (line.what, line.text) == ("tool.praised", '{"tool":"refund"}')


def test_a_timeline_says_what_budgets_did():
    daily = {"budget": "daily", "subject": "", "period": "2026-01-01"}
    desk = {"budget": "teams", "subject": "desk", "period": "2026-01"}
    asks = {"id": "apr_1", "kind": "budget", "action": {**desk, "number": 1, "arguments": {"usd": 5}}}
    refused = {**daily, "limit_micros": 2_000_000, "spent_micros": 1_999_000}
    events = log(
        ("budget.warned", "clerk", {**daily, "share": 0.81}),
        ("budget.degraded", "clerk", {**desk, "share": 0.9, "from": "large", "to": "small"}),
        ("budget.wrapped_up", "clerk", {**daily, "share": 0.95, "left_micros": 5}),
        ("budget.refused", "clerk", refused),
        ("approval.requested", "clerk", asks),
        ("budget.raised", "clerk", {**desk, "micros": 5_000_000, "by": "ann"}),
        ("call.wasted", "clerk", {"deployment": "small", "outcome": "cancelled", "cost": 12}),
    )

    said = [line[37:] for line in printed(events)]
    assert said == [
        "daily for 2026-01-01: 81% is spent",
        "teams of desk for 2026-01: 90% is spent; small is asked",
        "daily for 2026-01-01: 95% is spent; the agent is told to",
        "finish",
        "daily for 2026-01-01: $1.999 of $2.00 is spent: the call is",
        "refused",
        "add (usd=5) to the budget teams of desk for 2026-01 (apr_1)",
        "teams of desk for 2026-01: ann adds $5.00",
        "small: cancelled, for $0.000012",
    ]


def test_a_timeline_says_where_answers_come_from_and_what_befell_tools_and_data():
    web = {"integrity": "untrusted", "confidentiality": "user", "sources": ["web.fetch"]}
    secret = {"integrity": "trusted", "confidentiality": "secret", "sources": ["bank.card"]}
    about = {"server": "orders", "tool": "refund"}
    events = log(
        ("tool.called", "clerk", {**used("fetch"), "label": web}),
        ("tool.called", "clerk", {**used("card"), "label": secret}),
        ("label.raised", "clerk", web),
        ("tool.progress", "clerk", {**about, "progress": 2, "total": 5, "message": "half"}),
        ("tool.progress", "clerk", {**about, "progress": 3, "total": None, "message": ""}),
        ("tool.logged", "clerk", {"server": "orders", "level": "warning", "text": "slow"}),
        ("tool.quarantined", "clerk", {**about, "reason": "hidden text"}),
        ("tool.cleaned", "clerk", {**about, "hidden": 8, "secrets": 2}),
        ("tool.cleaned", "clerk", {**about, "hidden": 0, "secrets": 1}),
        ("tool.pinned", "clerk", {**about, "digest": "ab", "by": "first use"}),
        ("tool.changed", "clerk", {**about, "how": "changed", "pinned": "ab", "now": "cd"}),
        ("data.accessed", "clerk", {**about, "classes": ["personal"], "masked": ["payment"]}),
        ("data.denied", "clerk", {**about, "classes": ["payment", "secret"]}),
    )

    assert [(line.what, line.text) for line in lines(events, [])] == [
        ("tool", "orders.fetch [untrusted]"),
        ("tool", "orders.card [secret]"),
        ("untrusted", "reads what others may have written: web.fetch"),
        ("progress", "orders.refund: 2 of 5; half"),
        ("progress", "orders.refund: 3"),
        ("logs", "orders: warning: slow"),
        ("quarantine", "orders.refund: hidden text"),
        ("cleaned", "orders.refund: taken out of its answer: 8 hidden characters, 2 secrets"),
        ("cleaned", "orders.refund: taken out of its answer: 1 secret"),
        ("pins", "orders.refund: as it was first seen"),
        ("changed", "orders.refund: isn't what was accepted, and is blocked"),
        ("data", "orders.refund: personal data, payment data masked"),
        ("denied", "orders.refund: payment, secret data"),
    ]


def test_a_timeline_says_how_models_were_asked():
    events = log(
        ("model.hedged", "clerk", {"deployment": "small", "after_s": 1.25}),
        ("model.batched", "clerk", {"deployment": "small", "state": "waiting", "until": START.isoformat()}),
        ("model.batched", "clerk", {"deployment": "small", "state": "prompt", "reason": "it was late"}),
    )

    assert [(line.what, line.text) for line in lines(events, [])] == [
        ("hedges", "small: asked a second time after 1.25 s"),
        ("batch", f"small: waits for a batch, until {instant(START)} at most"),
        ("batch", "small: asked at once: it was late"),
    ]


def test_a_timeline_says_what_became_of_an_answer():
    events = log(
        ("policy.verdict", "", {"stage": "output", "outcome": "escalate", "rules": ["price", "deal"]}),
        ("output.judged", "", {"agrees": False, "reason": "it names a price"}),
        (
            "approval.requested",
            "",
            {"id": "apr_1", "action": {"arguments": {"answer": "Only\n3 $!"}, "found": ["price_mismatch"]}},
        ),
        ("output.reviewed", "", {"decision": "edit", "by": "ann", "found": ["price"]}),
        ("output.reviewed", "", {"decision": "approve", "by": "", "found": []}),
    )

    assert [(line.what, line.text) for line in lines(events, [])] == [
        ("policy", "the answer: is for a person to look at (price, deal)"),
        ("judge", "disagrees: it names a price"),
        ("asks", "answer (price mismatch): Only 3 $! (apr_1)"),
        ("reviewed", "the answer is approved with changes by ann; found: price"),
        ("reviewed", "the answer is approved"),
    ]


def test_a_timeline_says_what_the_policy_found_and_where():
    said = [
        {"stage": "tool_result", "outcome": "escalate", "rules": ["r"], "tool": "web.read"},
        {"stage": "tool_result", "outcome": "deny", "rules": ["r"], "tool": "web.read"},
        {"stage": "memory", "outcome": "deny", "rules": ["memory.secret"]},
    ]
    events = log(*(("policy.verdict", "clerk", data) for data in said))

    assert [line.text for line in lines(events, [])] == [
        "the answer of web.read: counts as suspect (r)",
        "the answer of web.read: is refused (r)",
        "a memory: is refused (memory.secret)",
    ]


def test_every_event_has_words():
    with_a_line_of_their_own = {"message", "model.called", "tool.called"}

    assert set(get_args(EventType)) == {*SAYINGS, *UNSAID, *with_a_line_of_their_own}
