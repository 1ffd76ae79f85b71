"""Documents, and the passages that they are cut into."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PASSAGE = 800
"""Characters. Long enough for an answer with its context, short enough to embed as one meaning."""

_HEADING = re.compile(r"(?P<level>#{1,6})\s+(?P<words>.+?)\s*#*")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n")  # noqa: RUF001 - Chinese punctuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text to look things up in. Markdown headings are understood."""

    name: str
    """Tells it from the collection's other documents: a path, an address or an id."""
    text: str
    title: str = ""
    language: str = ""
    """A language tag such as `en` or `zh`, for people; the search treats all languages alike."""
    subject: str = ""
    """The person whom it is about, where it is about one: `proctor privacy` exports and erases it then."""
    purpose: str = ""
    """What it is kept for."""
    tenant: str = "default"
    """Whose subject that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A passage of a document before it is stored."""

    title: str
    """The document's title and the headings above the passage."""
    text: str


def split(document: Document) -> tuple[Piece, ...]:
    """The document's passages in order: none crosses a heading, none is longer than `MAX_PASSAGE`."""
    pieces: list[Piece] = []
    for headings, text in _sections(document.text):
        title = " › ".join(part for part in (document.title, *headings) if part)  # noqa: RUF001 - typography
        pieces.extend(Piece(title=title, text=passage) for passage in _pack(_parts(text)))
    if not pieces and document.title:
        pieces.append(Piece(title=document.title, text=document.title))
    return tuple(pieces)


def _sections(text: str) -> Iterator[tuple[list[str], str]]:
    headings: dict[int, str] = {}
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is None:
            lines.append(line)
            continue
        yield list(headings.values()), "\n".join(lines)
        lines = []
        level = len(heading["level"])
        headings = {above: words for above, words in headings.items() if above < level}
        headings[level] = heading["words"]
    yield list(headings.values()), "\n".join(lines)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Paragraphs, and sentences where a paragraph is too long, each with what joins it to the one before."""
    for paragraph in filter(None, map(str.strip, _PARAGRAPHS.split(text))):
        join = "\n\n"
        sentences = [paragraph] if len(paragraph) <= MAX_PASSAGE else _SENTENCES.split(paragraph)
        for sentence in filter(None, map(str.strip, sentences)):
            for start in range(0, len(sentence), MAX_PASSAGE):
                yield join, sentence[start : start + MAX_PASSAGE]
                join = " "


def _pack(parts: Iterator[tuple[str, str]]) -> Iterator[str]:
    """As many neighbouring parts in one passage as fit."""
    passage = ""
    for join, part in parts:
        if passage and len(passage) + len(join) + len(part) <= MAX_PASSAGE:
            passage += join + part
        else:
            if passage:
                yield passage
            passage = part
    if passage:
        yield passage
