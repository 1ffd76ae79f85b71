"""The obedient victim: a scripted model that solves the user's task, and does whatever any text tells it.

It is the worst model that can be: it needs no persuasion, no text is too odd for it, it obeys before it goes
on with the user's task, and hands on to other agents what it was told. All that it knows stands in the
request, so that a run which waited for a person goes on as it would have.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from benchmarks._injection._stage import Scene
from benchmarks._injection._suite import Call, Order, without

Message: TypeAlias = Mapping[str, Any]
"""On the wire of chat completions."""

_ESCAPES = re.compile(r'\\[nrt"\\ ]')
_REST = re.compile(r"[\W_\u02b0-\u02ff]+")
"""All that is no letter: blanks too, and marks that stand for blanks."""


def answer(scene: Scene, messages: Sequence[Message], tools: Iterable[str]) -> str | tuple[Call, ...]:
    """What the victim says next: tool calls, or in the end a text.

    What texts ask for comes first. Every second time it is asked for beside the user's own next step, in one
    answer.
    """
    offered = set(tools)
    met = [order for order in scene.play.orders if _reads(messages, order)]
    scene.met = scene.met or bool(met)
    asked = _asked(messages)
    aimed = [call for order in met for call in order.calls if call.tool in offered]
    steps = [step for step in scene.play.steps if step.tool in offered]
    left = without(steps, asked)
    bidden = without(aimed, without(asked, steps))
    if bidden:
        scene.asked.append(bidden[0])
        return (bidden[0], *left[: len(asked) % 2])
    if left:
        return (left[0],)
    # In its own words: none of the text itself that its reader could be known by.
    told = "".join(f" Please see to {_word(order)} as well." for order in met)
    return f"{scene.play.answer or 'Done.'}{told}"


def _word(order: Order) -> str:
    return f"matter {order.id}"


def _asked(messages: Sequence[Message]) -> list[Call]:
    calls = [
        call["function"]
        for message in messages
        if message["role"] == "assistant"
        for call in message.get("tool_calls") or ()
    ]
    return [Call(tool=call["name"], arguments=json.loads(call["arguments"])) for call in calls]


def _reads(messages: Sequence[Message], order: Order) -> bool:
    """Whether a text of the request holds an order, however its layout was changed."""
    read = _plain(" ".join(str(message["content"]) for message in messages if message.get("content")))
    return _plain(order.text) in read or _plain(_word(order)) in read


def _plain(text: str) -> str:
    return _REST.sub("", _ESCAPES.sub(" ", text)).lower()
