"""Where the texts of a run come from: each is known by itself, and what isn't known counts as the worst.

A team passes texts on as it likes, and AutoGen carries no label along. But every text that a model is shown
was once a task, an instruction, an answer or a tool's result, and all of those pass through the run. A text
that is none of them, because an agent has put several together, is taken to hold the worst of the run's.
A label only ever gets worse: a text that two have said is the doing of both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias
from unicodedata import category

from proctor.core import (
    TRUSTED,
    JsonObject,
    JsonValue,
    Label,
    digest_of,
    join,
    label_from_json,
    label_to_json,
)
from proctor.runs._values import UNRECORDED

MOST = 4_000
"""Texts that a run knows. The oldest go first, and count as the worst from then on."""

CHARACTERS = 32_000_000
"""Of all these texts together."""

EXCERPT = 160
"""Characters of a text that those read who decide on what it may have asked for."""

KEPT = 1_000
"""Labels of texts that a thread's next run is told."""

KEPT_ORDERS = 100
KEPT_CHARACTERS = 50_000
"""Of orders that a thread's next run is told."""

ASKED: Final = Label(confidentiality="user")
"""Of what whoever asked for the run says, and persons who answer."""

_Text: TypeAlias = str | tuple[str, str]
"""A text, or a tool call in an answer: its id and its arguments."""

_ENDS = frozenset(',;"<>')
"""What is no part of a name, an address or a path, whatever follows it; brackets and quotes beside."""

_IDEOGRAPHS = 0x2E80
"""From here on stand scripts that put no blank between words."""


class Texts:
    """The texts that a run has seen, with their labels."""

    def __init__(self, earlier: JsonValue = None) -> None:
        """Takes what an earlier run of the thread kept (`kept`), where there is one."""
        self.worst = TRUSTED
        """Of all texts so far."""
        self._labels: dict[_Text, Label] = {}
        self._characters = 0
        self._orders: dict[str, None] = {}
        """What nobody else had a hand in: values in it may come from there."""
        self._foreign: dict[str, Label] = {}
        """What came from outside, with sources that it names."""
        self._answers: dict[tuple[str, str], Label] = {}
        """By agent and by the id of a call that an answer asks for."""
        self._one: dict[Label, Label] = {}
        """Equal labels are one object, by whose identity they are told apart fast."""
        self._joined: dict[frozenset[int], Label] = {}
        """By the identities of the labels that were joined."""
        self._earlier: dict[str, Label] = {}
        """Of texts of earlier runs, by their digests."""
        if isinstance(earlier, Mapping):
            self._recall(earlier)

    # What enters.

    def order(self, text: str, label: Label = ASKED) -> None:
        """Takes a text as said by who may give orders: the task, an instruction, a person's answer."""
        self.learn(text, label)
        if text in self._labels:
            self._orders[text] = None

    def receive(self, text: str, label: Label) -> None:
        """Takes a text that came from outside: a tool's result, a memory's content."""
        self.learn(text, label)
        known = self._labels.get(text)
        if known is not None and known.is_trusted:
            self._orders[text] = None
        elif known is not None:
            self._foreign[text] = known

    def learn(self, text: _Text, label: Label) -> None:
        """Takes note of where a text comes from. One without letters says nothing."""
        if not text:
            return
        known = self._find(text)
        self._put(text, label if known is None else join((known, label)))

    def answer(self, agent: str, message: JsonObject, label: Label) -> None:
        """Takes note of a model's answer, which rests on all that its request held."""
        content, calls = message.get("content"), message.get("tool_calls")
        if isinstance(content, str):
            self.learn(content, label)
        if not calls or not isinstance(calls, Sequence):
            return
        for call in calls:
            asked = _asked_by(call)
            self.learn(asked, label)
            known = self._answers.get((agent, asked[0]))
            self._answers[agent, asked[0]] = label if known is None else join((known, label))
        while len(self._answers) > MOST:
            del self._answers[next(iter(self._answers))]

    def derive(self, text: str, parts: Iterable[str], source: str) -> None:
        """Takes a text as made of these parts; a part that the run hasn't seen is of an untrusted source.

        So is the text where there is no part.
        """
        unseen = Label(integrity="untrusted", confidentiality="user", sources=(source,))
        self.receive(text, join([self._find(part) or unseen for part in parts] or [unseen]))

    # What is asked.

    def label_of(self, text: _Text) -> Label:
        """Of one text; of one that the run hasn't seen the worst of all that it has."""
        if not text:
            return TRUSTED
        # Seen before anything untrusted was, it can't hold any of it, and is known from now on.
        return self._labels.get(text) or self._put(text, self._find(text) or self.worst)

    def label_of_request(self, messages: Sequence[JsonObject]) -> Label:
        """Of all that a model is shown."""
        known, found = self._labels, {}
        for message in messages:
            content = message.get("content")
            if isinstance(content, str):
                label = known.get(content) or self.label_of(content)
                found[id(label)] = label
            else:
                for text in _texts_of(content):
                    label = self.label_of(text)
                    found[id(label)] = label
            for call in _calls_of(message):
                label = self.label_of(_asked_by(call))
                found[id(label)] = label
        key = frozenset(found)
        joined = self._joined.get(key)
        if joined is None:
            joined = self._joined[key] = self._unique(join(found.values()))
        return joined

    def label_of_call(self, agent: str, call_id: str) -> Label:
        """Of the answer that asked for a tool call; of one that the run doesn't know the worst."""
        return self._answers.get((agent, call_id), self.worst)

    def origins_of(self, value: str, context: Label) -> tuple[str, ...]:
        """The untrusted sources that a value may come from; none where a trusted text holds it.

        A value that stands in no text may come from any that its context rests on.
        """
        if context.is_trusted or any(_stands_in(value, text) for text in self._orders):
            return ()
        found = join(label for text, label in self._foreign.items() if value in text)
        return found.sources or context.sources or UNRECORDED.sources

    def excerpt_of(self, source: str, value: str) -> str:
        """What an untrusted source said last, around a value that it holds; empty where it isn't known."""
        said = [text for text, label in reversed(self._foreign.items()) if source in label.sources]
        place, text = next(
            ((found, one) for one in said if value and (found := one.find(value)) >= 0), (0, "")
        )
        text = text or next(iter(said), "")
        start = max(0, place - EXCERPT // 2)
        end = start + EXCERPT
        return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"

    # What the thread's next run is told.

    def kept(self) -> JsonObject:
        """What the next run of the thread has to know of the texts that its agents remember."""
        digests: dict[str, Label] = {
            digest_of(text if isinstance(text, str) else "\0".join(text)): label
            for text, label in islice(reversed(self._labels.items()), KEPT)
        }
        for name, label in self._earlier.items():
            if len(digests) < KEPT:
                digests.setdefault(name, label)
        labels = {label: number for number, label in enumerate(dict.fromkeys(digests.values()))}
        orders: list[JsonValue] = []
        left = KEPT_CHARACTERS
        for text in islice(reversed(self._orders), KEPT_ORDERS):
            if len(text) <= left and self._labels[text] == ASKED:
                left -= len(text)
                orders.append(text)
        return {
            "worst": label_to_json(self.worst),
            "labels": [label_to_json(label) for label in labels],
            "texts": {name: labels[label] for name, label in digests.items()},
            "orders": orders[::-1],
        }

    def _recall(self, kept: JsonObject) -> None:
        labels, texts, orders = (kept.get(name) for name in ("labels", "texts", "orders"))
        self._unique(label_from_json(kept["worst"]) if "worst" in kept else UNRECORDED)
        if isinstance(labels, Sequence) and isinstance(texts, Mapping):
            read = [self._unique(label_from_json(label)) for label in labels]
            self._earlier = {name: read[int(str(number))] for name, number in texts.items()}
        if isinstance(orders, Sequence):
            for text in orders:
                self.order(str(text))

    # How it is kept.

    def _find(self, text: _Text) -> Label | None:
        known = self._labels.get(text)
        if known is None and self._earlier:
            known = self._earlier.get(digest_of(text if isinstance(text, str) else "\0".join(text)))
        return known

    def _put(self, text: _Text, label: Label) -> Label:
        label = self._unique(label)
        if text not in self._labels:
            self._characters += _length(text)
        self._labels[text] = label
        while len(self._labels) > MOST or (self._characters > CHARACTERS and len(self._labels) > 1):
            oldest = next(iter(self._labels))
            del self._labels[oldest]
            self._characters -= _length(oldest)
            if isinstance(oldest, str):
                self._foreign.pop(oldest, None)
                self._orders.pop(oldest, None)
        return label

    def _unique(self, label: Label) -> Label:
        known = self._one.get(label)
        if known is None:
            known = self._one[label] = label
            self.worst = join((self.worst, label))
        return known


def earlier_texts(memory: JsonObject | None) -> JsonValue:
    """What a thread's state tells of texts; of one that was kept before there were labels the worst."""
    return None if memory is None else memory.get("labels", {})


def strings_in(value: JsonValue) -> Iterator[str]:
    """Every text in a JSON value, names of members aside."""
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from strings_in(item)
        case Sequence():
            for item in value:
                yield from strings_in(item)
        case _:
            pass


def _texts_of(content: JsonValue) -> Iterator[str]:
    """The texts of a message whose content has parts; of an image its address."""
    if isinstance(content, Sequence):
        for part in content:
            if isinstance(part, Mapping):
                yield from strings_in({name: item for name, item in part.items() if name != "type"})


def _calls_of(message: JsonObject) -> Sequence[JsonValue]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, Sequence) else ()


def _asked_by(call: JsonValue) -> tuple[str, str]:
    """The id and the arguments of a call in an answer, as AutoGen passes them on."""
    if not isinstance(call, Mapping) or not isinstance(function := call.get("function"), Mapping):
        return "", ""
    return str(call.get("id")), str(function.get("arguments") or "{}")


def _stands_in(value: str, text: str) -> bool:
    """Whether a text holds the value as a whole, and not as a part of a longer word, address or path."""
    start = text.find(value) if value else -1
    while start >= 0:
        end = start + len(value)
        before, behind = text[max(0, start - 2) : start][::-1], text[end : end + 2]
        if not _goes_on(value[0], before) and not _goes_on(value[-1], behind):
            return True
        start = text.find(value, start + 1)
    return False


def _goes_on(edge: str, beside: str) -> bool:
    """Whether what stands beside a value, the nearest first, belongs to the same word."""
    nearest, next_one = beside[:1], beside[1:]
    if not nearest or nearest.isspace() or nearest in _ENDS:
        return False
    kind, is_eastern = category(nearest), ord(nearest) >= _IDEOGRAPHS
    if nearest.isalnum():
        return not (edge.isascii() and is_eastern)
    if kind in ("Ps", "Pe", "Pi", "Pf") or (kind == "Po" and is_eastern):
        return False
    return next_one.isalnum() or kind[0] not in "PS"


def _length(text: _Text) -> int:
    return len(text) if isinstance(text, str) else len(text[1])
