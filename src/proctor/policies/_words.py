"""Words and phrases of the operator's, found in whatever capitals and disguise they come."""

import re
from collections.abc import Iterator, Sequence

from proctor.policies._reading import Finding, Reading
from proctor.policies.canonical import canonical

_BLANKS = re.compile(r"\s+")
_LETTER = re.compile(r"[A-Za-z0-9_]")


class Words:
    """A set of words and phrases. `*` stands for the rest of a word; any blanks stand for any blanks."""

    def __init__(self, words: Sequence[str]) -> None:
        # Texts are read in their plain form, so words are looked for in theirs.
        plain = {form for word in words if (form := canonical(word).text.strip())}
        longest_first = sorted(plain, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_pattern_of, longest_first)), re.IGNORECASE)

    def find(self, reading: Reading, kind: str) -> Iterator[Finding]:
        """Where they stand, in the original text."""
        for view in reading.views:
            for match in self._pattern.finditer(view.text):
                start, end = view.original(match.start(), match.end())
                yield Finding(kind=kind, start=start, end=end)


def _pattern_of(word: str) -> str:
    # Scripts that put no blank between words have no edges of words either.
    word = _BLANKS.sub(" ", word.strip())
    pattern = re.escape(word).replace(r"\*", r"\w*+").replace(r"\ ", r"\s{1,8}+")
    before = r"(?<!\w)" if _LETTER.match(word) else ""
    after = r"(?!\w)" if _LETTER.match(word[-1]) else ""
    return f"{before}{pattern}{after}"
