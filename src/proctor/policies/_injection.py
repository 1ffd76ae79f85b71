"""Finds text that tries to take over the assistant: injected instructions and jailbreaks.

Two readers share the words: known signs, and a linear model over words and ideas. What they find tightens
policy; it is no boundary, since whoever knows the weights can write around them.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, TypeAlias

from proctor.policies._injection_features import Block, blocks, lower, word_features
from proctor.policies._injection_orders import orders
from proctor.policies._injection_signs import mark_signs, order_signs
from proctor.policies._injection_weights import weights
from proctor.policies._reading import Finding, Reading

_Read: TypeAlias = list[tuple[Block, set[str]]]
_Place: TypeAlias = tuple[int, int, float]
_Reader: TypeAlias = Callable[[str, _Read, bool], Iterable[_Place]]

_KIND: Final = "injection"
_SURE: Final = 0.7
"""How sure a known sign has to be to make a finding alone."""
_DATA: Final = frozenset({"tool_result", "knowledge", "memory"})
"""Stages whose text is data: there an order to the assistant is one too many, however harmless."""


def injection(reading: Reading) -> Iterator[Finding]:
    """Where a text tries to give orders to the assistant, by signs and by the model, without overlaps."""
    return _find(reading, _signs, _model)


def signs(reading: Reading) -> Iterator[Finding]:
    """Where a known sign of an attack stands."""
    return _find(reading, _signs)


def model(reading: Reading) -> Iterator[Finding]:
    """Where the model takes a stretch of the text for an attack; in data also for an order to the assistant."""
    return _find(reading, _model)


def read(text: str) -> _Read:
    """The blocks of a view's text, each with its features."""
    lowered = lower(text)
    marks = list(mark_signs(lowered))
    found: _Read = []
    before: Block | None = None
    for block in blocks(lowered):
        features = word_features(block, before)
        features.update(f"!{name}" for name, *_ in order_signs(block.ideas))
        features.update(f"!{name}" for name, start, _ in marks if block.start <= start < block.end)
        found.append((block, features))
        before = block
    return found


def _find(reading: Reading, *readers: _Reader) -> Iterator[Finding]:
    places: list[_Place] = []
    is_data = reading.stage in _DATA
    for view in reading.views:
        read_view = read(view.text)
        for start, end, sure in chain.from_iterable(reader(view.text, read_view, is_data) for reader in readers):
            places.append((*view.original(start, end), sure))
    for start, end, sure in _apart(places):
        yield Finding(kind=_KIND, start=start, end=end, confidence=round(sure, 3))


def _signs(_text: str, found: _Read, _is_data: bool) -> Iterator[_Place]:  # noqa: FBT001 - a reader's form
    for block, features in found:
        sure = max((sure for name, sure, *_ in order_signs(block.ideas)), default=0.0)
        if sure >= _SURE and "!quoted" not in features:
            yield block.start, block.end, sure


def _model(text: str, found: _Read, is_data: bool) -> Iterator[_Place]:  # noqa: FBT001 - as above
    learned = weights()
    head = learned.attack
    threshold = head.in_data if is_data else head.threshold
    scored = [{name: head.of[name] for name in features if name in head.of} for _, features in found]
    for first in range(max(1, len(found) - head.blocks + 1)):
        window = {name: weight for block in scored[first : first + head.blocks] for name, weight in block.items()}
        score = head.constant + sum(window.values())
        if score >= threshold and found:
            last = min(first + head.blocks, len(found)) - 1
            yield found[first][0].start, found[last][0].end, head.chance(score, threshold)
    if is_data:
        yield from orders(text, learned.order)


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
