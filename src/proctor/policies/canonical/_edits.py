"""What stands in the place of a stretch of a text, and the view that comes of it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proctor.policies.canonical._canonical import CanonicalText

_WHOLE = 4_000
"""Characters: a text of up to this size is shown whole, of a longer one what is near to an edit."""
_NEAR = 300
_FURTHEST = 80
"""How far beyond that a word may reach before it is cut."""


class Edit(NamedTuple):
    """A stretch of a text, and what it says."""

    start: int
    end: int
    text: str
    kind: str
    places: Sequence[int] | None = None
    """For each character of `text` its place; none where all of it stands for the whole stretch."""


def edited(view: CanonicalText, edits: list[Edit]) -> CanonicalText:
    """A view with the edits made: of a long text only their surroundings."""
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    behind = _ends(view)

    def keep(first: int, last: int) -> None:
        texts.append(view.text[first:last])
        starts.extend(view.origins[first:last])
        ends.extend(behind[first:last])

    for first, last, inside in _excerpts(view.text, edits):
        if texts:
            texts.append("\n")
            starts.append(starts[-1])
            ends.append(ends[-1])
        place = first
        for edit in inside:
            keep(place, edit.start)
            texts.append(edit.text)
            if edit.places is None:
                start, end = view.original(edit.start, edit.end)
                starts.extend([start] * len(edit.text))
                ends.extend([end] * len(edit.text))
            else:
                starts.extend(view.origins[each] for each in edit.places)
                ends.extend(behind[each] for each in edit.places)
            place = edit.end
        keep(place, last)
    name = "+".join(sorted({edit.kind for edit in edits}))
    return CanonicalText(text="".join(texts), origins=starts, ends=ends, name=named(view, name))


def turned(view: CanonicalText, order: Sequence[int]) -> CanonicalText:
    """A view with its characters in another order."""
    behind = _ends(view)
    return CanonicalText(
        text="".join(map(view.text.__getitem__, order)),
        origins=[view.origins[each] for each in order],
        ends=[behind[each] for each in order],
        name=named(view, "reversed"),
    )


def replaced(view: CanonicalText, text: str, name: str) -> CanonicalText:
    """A view with another character in the place of each."""
    return CanonicalText(text=text, origins=view.origins, ends=_ends(view), name=named(view, name))


def named(view: CanonicalText, name: str) -> str:
    """The name of a view that was made of another one."""
    return name if view.name == "plain" else f"{view.name} > {name}"


def apart(edits: list[Edit]) -> list[Edit]:
    """The edits in their order, of those that overlap the first and longest."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def _ends(view: CanonicalText) -> Sequence[int]:
    if view.ends is not None:
        return view.ends
    if isinstance(view.origins, range):
        return range(1, len(view.origins) + 1)
    return [place + 1 for place in view.origins]


def _excerpts(text: str, edits: list[Edit]) -> Iterator[tuple[int, int, list[Edit]]]:
    """Stretches of a text with the edits in each."""
    if len(text) <= _WHOLE:
        yield 0, len(text), edits
        return
    first = last = 0
    inside: list[Edit] = []
    for edit in edits:
        start = _blank_before(text, edit.start - _NEAR)
        if inside and start > last:
            yield first, last, inside
            inside = []
        if not inside:
            first = start
        inside.append(edit)
        last = _blank_behind(text, edit.end + _NEAR)
    yield first, last, inside


def _blank_before(text: str, place: int) -> int:
    if place <= 0:
        return 0
    furthest = max(0, place - _FURTHEST)
    found = max(text.rfind("\n", furthest, place), text.rfind(" ", furthest, place))
    return place if found < 0 else found + 1


def _blank_behind(text: str, place: int) -> int:
    if place >= len(text):
        return len(text)
    found = [at for blank in "\n " if (at := text.find(blank, place, place + _FURTHEST)) >= 0]
    return min(found, default=place)
