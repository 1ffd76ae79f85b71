"""What people read, in English and Chinese.

What comes from models and tools is shown as it is and set off from our own words, line by line, so that it
can't pass for them; characters that can't be seen, or turn the direction of writing, stand as their codes.
"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from proctor.core import JsonObject
from proctor.notices._values import Alarm, AlarmKind, Language, Matter, MatterKind
from proctor.notices._words import WORDS, Words

LONGEST_SUBJECT = 120
LONGEST_ACTION = 20_000
LONGEST_TEXT = 4_000
"""Characters."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of characters that can't be seen as what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it is sent."""

    subject: str
    body: str


def write(kind: MatterKind, matter: Matter, *, link: str | None, language: Language) -> Message:
    """The message that tells of a matter."""
    words = WORDS[language]
    head = _head(kind, words)
    command = _command(matter)
    parts = ["\n".join(f"{name}: {one_line(value)}" for name, value in facts(matter, words))]
    if matter.answer is not None:
        parts.append(words.review)
    parts += [f"{name}:\n{_section(content, words, command)}" for name, content in sections(matter, words)]
    if kind == "expired":
        parts.append(f"{words.outcome}: {one_line(matter.outcome)}\n{command}")
    elif link is None:
        parts.append(f"{words.command}\n{command}")
    else:
        parts += [f"{words.open_link}\n{link}", f"{words.or_command}\n{command}"]
    return Message(
        subject=f"[Proctor] {head}: {what(matter, words)}"[:LONGEST_SUBJECT], body="\n\n".join(parts) + "\n"
    )


def write_alarm(kind: AlarmKind, alarm: Alarm, *, language: Language) -> Message:
    """The message that tells of alerts."""
    words = WORDS[language]
    head = {"firing": words.firing, "repeated": words.repeated, "resolved": words.resolved}[kind]
    lines = [f"- {one_line(line)}" for line in alarm.lines]
    parts = ["\n".join(lines)]
    if alarm.runs and kind != "resolved":
        parts.append("\n".join([f"{words.behind}:", *(f"proctor runs show {run}" for run in alarm.runs)]))
    parts.append("proctor alerts list")
    more = f" (+{len(alarm.lines) - 1})" if len(alarm.lines) > 1 else ""
    first = one_line(alarm.lines[0]) if alarm.lines else ""
    subject = f"[Proctor] {head}{more}: {first}"[:LONGEST_SUBJECT]
    return Message(subject=subject, body="\n\n".join(parts) + "\n")


def trial(role: str, language: Language) -> Message:
    """The message that `proctor notices test` sends."""
    match language:
        case "en":
            subject, body = "Test message", f"This is a test. Role {role} is told in this way.\n"
        case "zh":
            subject, body = "测试消息", f"这是一条测试消息。角色 {role} 的通知将以此方式发送。\n"
        case _:
            assert_never(language)
    return Message(subject=f"[Proctor] {subject}", body=body)


def sections(matter: Matter, words: Words) -> list[tuple[str, str | Sequence[str]]]:
    """Names of what is decided on and why, each with a text or a list, as far as there is something.

    Of an answer that is what it answers and how it would be read; of all else the exact action.
    """
    found: list[tuple[str, str | Sequence[str]]]
    if matter.answer is None:
        text = _within(matter.text, LONGEST_TEXT, words, _command(matter))
        found = [(words.asked, text), (words.why, matter.why), (words.action, exact(matter.action))]
    else:
        kinds = [words.kinds.get(kind, kind.replace("_", " ")) for kind in matter.found]
        found = [
            (words.task, _within(matter.task, LONGEST_TEXT, words, _command(matter))),
            (words.answer, matter.answer),
            (words.found, kinds),
            (words.why, matter.why),
        ]
    return [(name, content) for name, content in found if content]


def _section(content: str | Sequence[str], words: Words, command: str) -> str:
    if isinstance(content, str):
        return _quoted(_within(content, LONGEST_ACTION, words, command))
    return "\n".join(f"- {one_line(item)}" for item in content)


def facts(matter: Matter, words: Words) -> list[tuple[str, str]]:
    """Names and values that place a matter."""
    placed = [(words.team, matter.team), (words.run, matter.run_id)]
    if matter.agent:
        placed.insert(1, (words.asks, matter.agent))
    if matter.expires_at is not None and matter.waits:
        placed.append((words.until, instant(matter.expires_at)))
    return placed


def what(matter: Matter, words: Words) -> str:
    """A matter in a few words: an answer, the tool or the budget, and the team."""
    if matter.answer is not None:
        return one_line(f"{words.answer} ({matter.team})")
    budget = matter.action.get("budget")
    if budget:
        return one_line(f"{words.budget} {budget} ({matter.team})")
    tool = matter.action.get("tool")
    server = matter.action.get("server")
    name = f"{server}.{tool}" if server and tool else str(tool or matter.agent)
    return one_line(f"{name} ({matter.team})")


def exact(action: JsonObject) -> str:
    """An action as JSON of several lines, nothing of it hidden."""
    return visible(json.dumps(action, ensure_ascii=False, indent=2, sort_keys=True))


def visible(text: str) -> str:
    """A text in which every character but the line feed can be seen, or stands as its code."""
    return "".join(
        f"\\u{ord(each):04x}" if unicodedata.category(each) in _UNSEEN and each != "\n" else each
        for each in text
    )


def one_line(text: str) -> str:
    """A text without line breaks."""
    return visible(" ".join(text.split()))


def instant(at: datetime) -> str:
    """An instant that reads the same everywhere."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _command(matter: Matter) -> str:
    return f"proctor approvals show {matter.id}"


def _head(kind: MatterKind, words: Words) -> str:
    match kind:
        case "requested":
            return words.requested
        case "reminder":
            return words.reminder
        case "escalated":
            return words.escalated
        case "expired":
            return words.expired
        case _:
            assert_never(kind)


def _within(text: str, limit: int, words: Words, command: str) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n{words.cut.format(command=command)}"


def _quoted(text: str) -> str:
    return "\n".join(f"    {line}" for line in visible(text).split("\n"))
