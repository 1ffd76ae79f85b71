"""`proctor policy`."""

import json as json_lines
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_args

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.app import load_settings
from proctor.cli._checks import Finding, print_findings
from proctor.cli._options import ConfigFile, Json, WrongCall
from proctor.cli._output import console, one_line, print_json, print_table
from proctor.core import InvalidInput, PolicySettings, ProctorError, Stage, Verdict
from proctor.policies import KINDS, Policy, Ruled, lint, read_text, taken_out

policy = Commands(
    name="policy",
    help="Check texts against the policy, and the policy itself.",
    help_format="plaintext",
)
policy.command("proctor.cli._simulate:simulate", name="simulate", help="Try a policy on past runs.")

StageOption = Annotated[Stage, Parameter(help="Where the text passes by.")]
TeamOption = Annotated[str, Parameter(help="Also by the rules for this team.")]

WARMING = "Call 415 555 0132 about card 1234, then ignore my last order. Is it safe? 请问我该吃什么药？"  # noqa: RUF001

DIGITS = 3
"""Of a confidence, behind the point."""

LONGEST_SHOWN = 60
"""Characters of a finding that a table shows."""


@policy.command
def check(
    text: str | None = None,
    /,
    *,
    stage: StageOption = "input",
    team: TeamOption = "",
    jsonl: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Say what the policy makes of a text, or of each line of standard input. Nothing is sent anywhere.

    Exit code: 0 for a text that may pass, changed or not; 2 where a person is asked; 3 where it is refused.

    Parameters
    ----------
    text
        The text; absent: standard input.
    jsonl
        Read JSON lines with `id` and `text`, and print one JSON line for each: `id`, `verdict`, `rules`,
        `spans`, `text` without what was found, and `micros`, the microseconds that it took. A line that can't
        be read gets one with `error`, and exit code 1 in the end.
    """
    rules = Policy(load_settings(config).settings.policies)
    if jsonl:
        if text is not None:
            raise WrongCall("--jsonl reads standard input, and no text beside it.")
        return _check_lines(sys.stdin.buffer, rules, stage, team)
    read = text if text is not None else read_text(sys.stdin.buffer.read())
    found = _checked(read, rules, stage, team)
    if json:
        print_json(found)
    else:
        out = console()
        out.print(Text(f"{found['verdict']}  {found['reason']}".rstrip()), soft_wrap=True)
        rows = [
            (each["type"], one_line(read[each["start"] : each["end"]], LONGEST_SHOWN), str(each["start"]))
            for each in found["spans"]
        ]
        if rows:
            print_table(out, ("found", "text", "at"), rows, right=("at",))
            out.print(Text(f"By {', '.join(found['rules'])}. Why: proctor policy explain."), soft_wrap=True)
    return {"escalate": 2, "deny": 3}.get(found["verdict"], 0)


@policy.command
def explain(
    text: str | None = None,
    /,
    *,
    stage: StageOption = "input",
    team: TeamOption = "",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show which rule speaks for each thing found in a text; without a text, what holds at a stage.

    Parameters
    ----------
    text
        The text.
    """
    settings = load_settings(config).settings.policies
    if text is None:
        _show_stage(settings, stage, team, json=json)
        return
    found = Policy(settings).explain(text, stage, team=team)
    if json:
        print_json([_ruled_json(each, text) for each in found])
        return
    out = console()
    if not found:
        out.print("Nothing was found that isn't allowed here.")
        return
    rows = [
        (
            each.finding.kind,
            one_line(text[each.finding.start : each.finding.end], LONGEST_SHOWN),
            f"{each.finding.confidence:.2f}",
            each.finding.detail or "-",
            each.rule,
            each.treatment,
        )
        for each in found
    ]
    print_table(out, ("found", "text", "sure", "by", "rule", "outcome"), rows, right=("sure",))


@policy.command(name="lint")
def lint_policy(*, config: ConfigFile = None, json: Json = False) -> int:
    """Check the policy: what can't be read, rules that never speak, rules that change nothing.

    Exit code: 0 where nothing is to be said, else 1.
    """
    loaded = load_settings(config)
    settings = loaded.settings
    remarks = [
        Finding(what=each.rule, state="broken", found=each.says, todo=each.todo)
        for each in lint(settings.policies, teams=settings.teams)
    ]
    version = Policy(settings.policies).version
    where = loaded.source("policies")
    ok = Finding(
        what="policy", state="ok", found=f"{version}, {len(settings.policies.rules)} own rules ({where})"
    )
    return print_findings([ok, *remarks], json=json)


def _check_lines(lines: Iterable[bytes], rules: Policy, stage: Stage, team: str) -> int:
    _checked(WARMING, rules, stage, team)  # what is loaded at the first text is loaded now
    code = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            id, text = _read_line(line, number)
            found = {"id": id, **_checked(text, rules, stage, team)}
        except ProctorError as error:
            code = 1
            found = {"line": number, "error": {"code": error.code, "message": error.message}}
        print_json(found)
    return code


def _read_line(line: bytes, number: int) -> tuple[Any, str]:
    try:
        value = json_lines.loads(read_text(line))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"Line {number} is no JSON: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise InvalidInput(f'Line {number} is no object with a "text".', hint='{"id": 1, "text": "…"}')
    return value.get("id", number), value["text"]


def _checked(text: str, rules: Policy, stage: Stage, team: str) -> dict[str, Any]:
    began = time.perf_counter_ns()
    try:
        verdict = rules.read(text, stage, team=team)
    except InvalidInput as error:
        verdict = Verdict(outcome="deny", rules=(f"{stage}.unreadable",), reason=error.message)
    micros = (time.perf_counter_ns() - began) / 1_000
    return {
        "verdict": verdict.outcome,
        "rules": verdict.rules,
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "type": span.type,
                "confidence": round(span.confidence, DIGITS),
            }
            for span in verdict.spans
        ],
        "text": _shown(text, verdict, rules, stage, team),
        "reason": verdict.reason,
        "micros": round(micros, 1),
    }


def _shown(text: str, verdict: Verdict, rules: Policy, stage: Stage, team: str) -> str:
    """The text without what was found; of one that is refused nobody goes on with it."""
    if verdict.outcome != "deny":
        return text if verdict.text is None else verdict.text
    return taken_out(text, rules.explain(text, stage, team=team)) if verdict.spans else ""


def _ruled_json(ruled: Ruled, text: str) -> dict[str, Any]:
    finding = ruled.finding
    return {
        "found": finding.kind,
        "start": finding.start,
        "end": finding.end,
        "text": text[finding.start : finding.end],
        "confidence": round(finding.confidence, DIGITS),
        "by": finding.detail,
        "rule": ruled.rule,
        "outcome": ruled.treatment,
        "reason": ruled.reason,
    }


def _show_stage(settings: PolicySettings, stage: Stage, team: str, *, json: bool) -> None:
    rows = list(_rows_of(settings, stage, team))
    if json:
        print_json([{"finds": finds, "rule": rule, "outcome": outcome} for finds, rule, outcome in rows])
        return
    out = console()
    out.print(Text(f"The first rule that matches a finding holds. Policy {Policy(settings).version}."))
    print_table(out, ("finds", "rule", "outcome"), rows)


def _rows_of(settings: PolicySettings, stage: Stage, team: str) -> Iterator[tuple[str, str, str]]:
    """What is looked for at a stage, in the order in which rules are asked."""
    assert stage in get_args(Stage)
    for rule in settings.rules:
        if stage in rule.stages and (not rule.teams or team in rule.teams):
            what = ", ".join(rule.finds or rule.words)
            sure = f" (at least {rule.at_least:g} sure)" if rule.at_least else ""
            yield what + sure, rule.id, rule.outcome
    for kind in KINDS:
        yield kind, f"{stage}.{kind}", getattr(getattr(settings, stage), kind)
