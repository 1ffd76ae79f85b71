"""Finds text that tries to take over the assistant: injected instructions and jailbreaks.

Two readers: known signs, and a linear model over words and ideas. What they find tightens policy; it is no
boundary, since whoever knows the weights can write around them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from proctor.policies._reading import Finding, Reading
from proctor.policies.injection._features import Block, blocks, folded, word_features
from proctor.policies.injection._orders import orders
from proctor.policies.injection._signs import SURE, is_quoted, mark_signs, order_signs
from proctor.policies.injection._weights import Head, Weights, weights

Read: TypeAlias = list[tuple[Block, set[str]]]
_Place: TypeAlias = tuple[int, int, float]

_KIND: Final = "injection"
_SURE: Final = 0.7
"""How sure a known sign has to be to make a finding alone."""
_SURE_IN_DATA: Final = 0.85
"""The same in data: policies and manuals speak of users, rules and what must not be told."""
_DATA: Final = frozenset({"tool_result", "knowledge", "memory"})
"""Stages whose text is data: there an order to the assistant is one too many, however harmless."""


def injection(reading: Reading) -> Iterator[Finding]:
    """Where a text tries to give orders to the assistant, by signs and by the model, without overlaps."""
    return find(reading, weights())


def find(reading: Reading, learned: Weights) -> Iterator[Finding]:
    """What `injection` finds with these weights."""

    def both(text: str) -> Iterator[_Place]:
        found = read(text)
        yield from _known(found, folded(text), reading)
        yield from _learned(text, found, learned, reading)

    return _over_views(reading, both)


def read(text: str) -> Read:
    """The blocks of a view's text, each with its features."""
    lowered = folded(text)
    marks = mark_signs(lowered)
    at = 0
    found: Read = []
    before: Block | None = None
    for block in blocks(lowered):
        features = word_features(block, before)
        features.update(order_signs(block.ideas))
        while at < len(marks) and marks[at][0] < block.end:
            features.add(f"!{marks[at][1]}")
            at += 1
        found.append((block, features))
        before = block
    return found


def _over_views(reading: Reading, places_in: Callable[[str], Iterable[_Place]]) -> Iterator[Finding]:
    places = [
        (*view.original(start, end), sure)
        for view in reading.views
        for start, end, sure in places_in(view.text)
    ]
    for start, end, sure in _apart(places):
        yield Finding(kind=_KIND, start=start, end=end, confidence=round(sure, 3))


def _known(found: Iterable[tuple[Block, Iterable[str]]], lowered: str, reading: Reading) -> Iterator[_Place]:
    """Known signs; but not where the words are quoted, as talk about attacks quotes them."""
    bar = _SURE_IN_DATA if reading.stage in _DATA else _SURE
    for block, features in found:
        sure = max((SURE[name] for name in features if name in SURE), default=0.0)
        if sure >= bar and not is_quoted(lowered[block.start : block.end]):
            yield block.start, block.end, sure


def _learned(text: str, found: Read, learned: Weights, reading: Reading) -> Iterator[_Place]:
    if not found:
        return
    is_data = reading.stage in _DATA
    head = learned.attack
    bar = _bar(head, is_data=is_data, asian=found[0][0].asian)
    known = [set(filter(head.of.__contains__, features)) for _, features in found]
    for first in range(max(1, len(found) - head.blocks + 1)):
        window = known[first].union(*known[first + 1 : first + head.blocks])
        score = head.constant + sum(map(head.of.__getitem__, window))
        if score >= bar:
            last = min(first + head.blocks, len(found)) - 1
            yield found[first][0].start, found[last][0].end, head.chance(score, bar)
    if is_data:
        yield from orders(text, learned.order)


def _bar(head: Head, *, is_data: bool, asian: bool) -> float:
    bar = head.asian if asian else head.threshold
    return max(bar, head.in_data) if is_data else bar


def _apart(places: Iterable[_Place]) -> Iterator[_Place]:
    """Places in the text's order; those that overlap become one, as sure as the surest."""
    current: _Place | None = None
    for start, end, sure in sorted(places):
        if current is None or start >= current[1]:
            if current is not None:
                yield current
            current = start, end, sure
        else:
            current = current[0], max(end, current[1]), max(sure, current[2])
    if current is not None:
        yield current
