"""A text as checks read it, and what they find in it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from proctor.core import Stage
from proctor.policies.canonical import CanonicalText, canonical, views


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a check found."""

    kind: str
    """What it is: a key of `KINDS`."""
    start: int
    """First character in the *original* text, counted from 0."""
    end: int
    """One past the last character."""
    confidence: float = 1.0
    """From 0 to 1: how sure the check is."""
    detail: str = ""
    """Which of the check's own rules spoke, for whoever asks why: `github-token`."""


class Reading:
    """One text at one stage. Views of it are made once, when the first check asks for them."""

    __slots__ = ("_plain", "_views", "stage", "text")

    def __init__(self, text: str, stage: Stage = "input") -> None:
        self.text = text
        """The original."""
        self.stage: Stage = stage
        self._plain: CanonicalText | None = None
        self._views: tuple[CanonicalText, ...] | None = None

    @property
    def plain(self) -> CanonicalText:
        """The text without disguises that stand in single characters: the view that every check reads."""
        if self._plain is None:
            self._plain = canonical(self.text)
        return self._plain

    @property
    def views(self) -> tuple[CanonicalText, ...]:
        """The plain view first, then what hides in it under layers: decoded, joined, turned round."""
        if self._views is None:
            self._views = views(self.text, self.plain)
        return self._views


def in_small(text: str) -> str:
    """The text in small letters, character for character, so that places stay what they are."""
    return text.replace("\u0130", "I").lower()  # the one letter whose small form is longer


Check: TypeAlias = Callable[[Reading], Iterable[Finding]]
"""Finds things of one family in a text: a pure function, linear in the text's length."""
