"""A part of a run as a response of OpenAI's Responses API: the object, and the events that lead to it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from proctor.access import Principal
from proctor.api._caller import Trust
from proctor.api.protocols import _work
from proctor.api.protocols._asking import extras
from proctor.api.protocols._errors import RunEnded, body
from proctor.api.protocols._floor import Floor, Piece
from proctor.api.protocols._questions import Asked, questions, shown_as
from proctor.api.protocols._sending import PING, event
from proctor.api.protocols._work import Part, Spent
from proctor.app import Proctor
from proctor.core import ProctorError
from proctor.runs import Run

_RUN, _RESPONSE = "run_", "resp_"

STATUS = {
    "queued": "queued",
    "running": "in_progress",
    "waiting": "completed",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "refused": "incomplete",
}
"""What waits for people is complete: the request for an approval is its last item."""

_LAST = {"completed": "response.completed", "incomplete": "response.incomplete"}


def response_id(run_id: str, after: int) -> str:
    """The id of a part of a run: nothing has to be kept for it."""
    return _RESPONSE + run_id.removeprefix(_RUN) + (f"_{after}" if after else "")


def part_of(id: str) -> tuple[str, int]:
    """The run and the place in its log that a response's id names."""
    run, _, after = id.removeprefix(_RESPONSE).partition("_")
    return _RUN + run, int(after or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What of a request comes back in its response."""

    previous: str | None = None
    background: bool = False
    stored: bool = True
    metadata: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTeller:
    """Tells one caller of responses."""

    proctor: Proctor
    principal: Principal
    asking: Asking

    async def response(self, part: Part) -> dict[str, Any]:
        """The whole response, as it stands."""
        return self._response(part, await self._items(part))

    async def whole(self, part: Part) -> dict[str, Any]:
        """The whole response.

        Raises:
            RunEnded: the run has failed.
        """
        if part.state == "failed":
            raise RunEnded(part.run)
        return await self.response(part)

    async def _items(self, part: Part) -> list[dict[str, Any]]:
        """What a part of a run has come to."""
        match part.state:
            case "completed":
                text = await _work.answer(self.proctor, self.principal, part.run)
                return [message(_item_id(part.run, part.after, 0), text, phase="final_answer")]
            case "refused":
                return [refusal(_item_id(part.run, part.after, 0), part.run.result or "refused")]
            case "waiting":
                return [_question(asked) for asked in questions(part, self.principal)]
            case _:
                return []

    def _response(self, part: Part, items: list[dict[str, Any]]) -> dict[str, Any]:
        run, asking = part.run, self.asking
        failed = part.state == "failed"
        code = "rate_limit_exceeded" if run.error_code == "budget_exceeded" else "server_error"
        return {
            "id": response_id(run.id, part.after),
            "object": "response",
            "created_at": _work.seconds(part.began_at),
            "status": STATUS[part.state],
            "error": {"code": code, "message": run.error or "failed"} if failed else None,
            "incomplete_details": {"reason": "content_filter"} if part.state == "refused" else None,
            "model": run.team,
            "output": items,
            "usage": _usage(part.spent) if part.state not in ("queued", "running") else None,
            "previous_response_id": asking.previous,
            "conversation": {"id": run.thread_id} if run.thread_id else None,
            "background": asking.background,
            "store": asking.stored,
            "metadata": asking.metadata,
            "instructions": None,
            "parallel_tool_calls": False,
            "temperature": None,
            "top_p": None,
            "tool_choice": "none",
            "tools": [],
            "truncation": "disabled",
            "text": {"format": {"type": "text"}},
            "proctor": extras(part, self.principal, asking.ignored),
        }

    async def told(self, run: Run, trust: Trust, after: int) -> AsyncGenerator[str, None]:
        """The response as it comes into being.

        What is said and turns out not to be the answer is a message with the phase `commentary`; the
        finished response holds the answer alone.
        """
        told = _Told(lambda number: _item_id(run, after, number))
        try:
            begun = self._response(_begun(run, after), [])
            yield told.event("response.created", response=begun)
            yield told.event("response.in_progress", response=begun)
            floor = Floor()
            async with aclosing(_work.follow(self.proctor, run, trust, floor, after=after)) as heard:
                async for pieces in heard:
                    if not pieces:
                        yield PING
                    for piece in pieces:
                        for line in told.say(piece):
                            yield line
            part = await _work.read(self.proctor, run.id, after=after)
            items = await self._items(part)
            text = str(items[0]["content"][0]["text"]) if part.state == "completed" else ""
            for piece in floor.close(text):
                for line in told.say(piece):
                    yield line
            for line in told.finish(items, answered=part.state == "completed"):
                yield line
            whole = self._response(part, items)
            yield told.event(_LAST.get(whole["status"], "response.failed"), response=whole)
        except ProctorError as error:
            fault = body(error)
            yield told.event("error", code=fault["code"], message=fault["message"], param=fault["param"])


class _Told:
    """The events of one response: numbered, one item after the other."""

    def __init__(self, name: Callable[[int], str]) -> None:
        self._name = name
        """Names the items."""
        self._number = -1
        self._place = -1
        self._open: dict[str, Any] | None = None
        """The message that is being said."""

    def event(self, type: str, **data: Any) -> str:
        """One event as it is sent."""
        self._number += 1
        return event({"type": type, "sequence_number": self._number, **data}, type)

    def say(self, piece: Piece) -> list[str]:
        """A piece of a message; a fresh one ends the message before, which was not the answer."""
        lines: list[str] = []
        if piece.fresh or self._open is None:
            lines += self._close("commentary")
            self._place += 1
            self._open = message(self._name(self._place), "", status="in_progress")
            lines += self._begin(self._open)
        part = self._open["content"][0]
        part["text"] += piece.text
        lines.append(self._on_part("response.output_text.delta", delta=piece.text, logprobs=[]))
        return lines

    def finish(self, items: list[dict[str, Any]], *, answered: bool) -> list[str]:
        """The end of the message that is open, and all items that nobody said."""
        if answered and self._open is not None:
            items[0]["id"] = self._open["id"]
            return self._close("final_answer")
        lines = self._close("commentary")
        for item in items:
            self._place += 1
            if item["type"] == "message":
                lines += self._whole_message(item)
            else:
                place = {"output_index": self._place, "item": item}
                lines.append(self.event("response.output_item.added", **place))
                lines.append(self.event("response.output_item.done", **place))
        return lines

    def _whole_message(self, item: dict[str, Any]) -> list[str]:
        """A message that comes at once: a refusal, or an answer without words."""
        self._open = item
        part = item["content"][0]
        lines = self._begin({**item, "status": "in_progress"})
        if part["type"] == "refusal":
            lines.append(self._on_part("response.refusal.delta", delta=part["refusal"]))
        return lines + self._close(item.get("phase"))

    def _begin(self, item: dict[str, Any]) -> list[str]:
        part = item["content"][0]
        empty = {**part, "refusal": ""} if part["type"] == "refusal" else {**part, "text": ""}
        return [
            self.event("response.output_item.added", output_index=self._place, item={**item, "content": []}),
            self._on_part("response.content_part.added", part=empty),
        ]

    def _close(self, phase: str | None) -> list[str]:
        if self._open is None:
            return []
        item, part = self._open, self._open["content"][0]
        if part["type"] == "refusal":
            lines = [self._on_part("response.refusal.done", refusal=part["refusal"])]
        else:
            lines = [self._on_part("response.output_text.done", text=part["text"], logprobs=[])]
        lines.append(self._on_part("response.content_part.done", part=part))
        item = {**item, "status": "completed", "phase": phase}
        lines.append(self.event("response.output_item.done", output_index=self._place, item=item))
        self._open = None
        return lines

    def _on_part(self, type: str, **data: Any) -> str:
        assert self._open is not None
        return self.event(type, item_id=self._open["id"], output_index=self._place, content_index=0, **data)


def message(id: str, text: str, *, phase: str | None = None, status: str = "completed") -> dict[str, Any]:
    """A message as an item of a response."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return _message(id, part, phase=phase, status=status)


def refusal(id: str, why: str) -> dict[str, Any]:
    """A refusal as an item of a response."""
    return _message(id, {"type": "refusal", "refusal": why}, phase=None, status="completed")


def _message(id: str, part: dict[str, Any], *, phase: str | None, status: str) -> dict[str, Any]:
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "status": status,
        "phase": phase,
        "content": [part],
    }


async def input_items(proctor: Proctor, run: Run, after: int) -> list[dict[str, Any]]:
    """What a part of a run answers: the task, or decisions."""
    if not after:
        content = [{"type": "input_text", "text": run.task}]
        item = {"type": "message", "role": "user", "status": "completed", "content": content}
        return [{"id": _item_id(run, 0, 0).replace("msg_", "msg_in_"), **item}]
    decided = await _work.decided(proctor, run.id, after)
    return [
        {
            "id": f"mcpr_{approval.id}",
            "type": "mcp_approval_response",
            "approval_request_id": shown_as(approval),
            "approve": approval.decision is not None and approval.decision.kind in ("approve", "edit"),
        }
        for approval in decided
    ]


def _question(asked: Asked) -> dict[str, Any]:
    """A question to people as the request for an approval that OpenAI's API has."""
    return {
        "id": asked.id,
        "type": "mcp_approval_request",
        "server_label": asked.server,
        "name": asked.name,
        "arguments": asked.arguments,
    }


def _item_id(run: Run, after: int, number: int) -> str:
    return response_id(run.id, after).replace(_RESPONSE, "msg_") + f"_{number}"


def _begun(run: Run, after: int) -> Part:
    return Part(
        run=run,
        after=after,
        state="queued" if run.state == "queued" else "running",
        asked=(),
        spent=Spent(),
        began_at=run.created_at,
    )


def _usage(spent: Spent) -> dict[str, Any]:
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": 0},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spent.input + spent.output,
    }
