"""Logs of a process that Proctor itself runs: joined to runs by ids, and without what the runs are about.

What our own code logs is shown, but no text of an error: that may quote a prompt, an argument or a key. What
the libraries beneath log is shown by its place and its fixed words alone. A program that uses Proctor as a
library has its own ways to log, and is left alone.
"""

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Literal, TextIO

from proctor.core import LogForm, ProctorError, TelemetrySettings
from proctor.telemetry._here import here

if TYPE_CHECKING:
    from structlog.typing import Processor

LIBRARIES = frozenset(
    {
        *("aiosqlite", "alembic", "anthropic", "anyio", "apprise", "asyncio", "authlib", "autogen_agentchat"),
        *("autogen_core", "autogen_ext", "concurrent", "fastapi", "httpcore", "httpcore2", "httpx", "httpx2"),
        *("mcp", "openai", "opentelemetry", "prometheus_client", "psycopg", "py", "pydantic", "requests"),
        *("sqlalchemy", "starlette", "temporalio", "urllib3", "uvicorn", "xllamacpp"),
    }
)
"""Whose lines may hold requests and answers; `py` stands for Python's warnings."""
CUT_OFF = "ASGI callable returned without completing response."
"""What uvicorn calls an error where a reader who takes nothing, or one at a server's end, is let go."""
FIXED = frozenset(
    {
        CUT_OFF,
        "ASGI callable returned without starting response.",
        "Exception in ASGI application\n",
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
    }
)
"""What libraries log without values."""
LONGEST = 500
"""Characters of one value in a line."""
FRAMES = 12
"""Of an error's way, those that are shown: the last."""

Where = Literal["service", "terminal"]
"""`service`: nobody sits before it, and all that it writes is kept. `terminal`: a person follows one run."""


def set_up_logs(settings: TelemetrySettings, where: Where, *, stream: TextIO | None = None) -> None:
    """Lets this process log as the configuration says, to standard error."""
    level: int = getattr(logging, settings.level.upper())
    handler = logging.StreamHandler(stream or sys.stderr)
    if where == "terminal" and settings.logs == "text":
        level = max(level, logging.WARNING)  # the person is shown what happens in other ways
        handler.setFormatter(_Plain())
    else:
        handler.setFormatter(_formatter(settings.logs, colors=handler.stream.isatty()))
    handler.addFilter(partial(_is_told, level))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    if where == "service" and os.environ.get("PROCTOR_DEBUG") != "1":
        _catch_what_is_printed()


def _is_told(level: int, record: logging.LogRecord) -> bool:
    if record.msg == CUT_OFF:
        record.levelno, record.levelname = logging.INFO, "INFO"
    return record.levelno >= level


class _Plain(logging.Formatter):
    """One short line for a person, at no cost at the start."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        shown = _without_texts(record)
        error = vars(shown)["proctor"].get("error")
        more = f" ({error['kind']})" if error else ""
        return f"{shown.levelname.lower()}: {shown.msg}{more}"


def _formatter(form: LogForm, *, colors: bool) -> logging.Formatter:
    import structlog  # here, because it takes a while to load

    class Careful(structlog.stdlib.ProcessorFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return super().format(_without_texts(record))

    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "text":
        last = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, pad_level=False)
    return Careful(processors=[_line, last])


def _line(_logger: Any, _method: str, event: Any) -> dict[str, Any]:
    """What one line says, in the order in which it is read."""
    record: logging.LogRecord = event["_record"]
    at = datetime.fromtimestamp(record.created, UTC)
    line: dict[str, Any] = {
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event["event"],
        **_whereabouts(),
    }
    return line | getattr(record, "proctor", {})


def _whereabouts() -> dict[str, str]:
    """The run, the call and the span that the line is about."""
    at = here.get()
    if at is None:
        return {}
    about = {"run_id": at.run_id, "team": at.team}
    if at.call is not None:
        about |= {"agent": at.call.agent, "call": at.call.key}
    span = at.span.get_span_context()
    if span.is_valid:
        about |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    return about


def _without_texts(record: logging.LogRecord) -> logging.LogRecord:
    """The record with nothing in it that may come from a prompt, an answer, an argument or a key."""
    shown = copy(record)
    of_library = record.name.partition(".")[0] in LIBRARIES
    shown.msg, shown.args = (_fixed_words(record) if of_library else _message(record)), ()
    given = getattr(record, "proctor", None)
    more = dict(given) if isinstance(given, Mapping) and not of_library else {}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        more["error"] = describe(error)
    shown.exc_info = shown.exc_text = shown.stack_info = None
    shown.proctor = more
    return shown


def _message(record: logging.LogRecord) -> str:
    if isinstance(record.args, tuple):
        args = tuple(_shown(value) for value in record.args)
        return _cut(str(record.msg) % args if args else str(_shown(record.msg)))
    return _cut(record.getMessage())


def _shown(value: object) -> object:
    return in_short(value) if isinstance(value, BaseException) else value


def _fixed_words(record: logging.LogRecord) -> str:
    """A library's line without its values; where they can't be told from its words, only its place."""
    place = f"{record.filename}:{record.lineno}"
    told = isinstance(record.msg, str) and (
        record.msg in FIXED or (record.args and record.msg.strip() != "%s")
    )
    words = record.msg if told else ""
    return _cut(f"{words} ({place})".strip())


def in_short(error: BaseException) -> str:
    """An error's kind, and what is known of it that no text of a run can be in."""
    name = type(error).__name__
    match error:
        case ProctorError():
            return f"{name} ({error.code})"
        case OSError() if error.strerror:
            return f"{name} ({error.strerror})"
        case _:
            return name


def describe(error: BaseException) -> dict[str, Any]:
    """An error for a log: its kind, its causes' kinds, and the way that it took; never its text."""
    causes: list[str] = []
    below = error.__cause__ or error.__context__
    while below is not None and len(causes) < FRAMES:
        causes.append(in_short(below))
        below = below.__cause__ or below.__context__
    told: dict[str, Any] = {"kind": in_short(error), "way": _way(error)}
    if isinstance(error, BaseExceptionGroup):
        told["held"] = [in_short(one) for one in error.exceptions[:FRAMES]]
    return {**told, "because": causes} if causes else told


def _way(error: BaseException) -> Sequence[str]:
    frames = list(walk_tb(error.__traceback__))[-FRAMES:]
    return [
        f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in frames
    ]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def _catch_what_is_printed() -> None:
    """Lets what Python would print with all its texts, where nobody catches it, be logged without them."""
    log = logging.getLogger("proctor")

    def broke(kind: type[BaseException], error: BaseException | None, _trace: Any) -> None:
        log.critical("nobody caught this: %s", kind.__name__, exc_info=error)

    sys.excepthook = broke
    threading.excepthook = lambda told: broke(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: broke(told.exc_type, told.exc_value, told.exc_traceback)
