"""Fields of an answer by their paths, found wherever in it they stand."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeAlias

EVERY = "*"
"""A step to any entry of an object or any item of a list."""

Place: TypeAlias = frozenset[tuple[int, int]]
"""How far a part of an answer lies in which paths: (path, steps behind it)."""

NOWHERE: Place = frozenset()


class Fields:
    """The fields of one tool's answers that somebody may not see: `card.number`, `orders.*.payment`, `iban`.

    A path may begin at any depth, and lists need no step of their own. Capitals, `_`, `-` and blanks in names
    make no difference. Where a rule could mean more than one part of an answer it means all of them.
    """

    def __init__(self, kinds: Mapping[str, str]) -> None:
        """`kinds` are the kinds of data by path."""
        self.kinds: tuple[str, ...] = tuple(kinds.values())
        """Of each path."""
        self._paths: list[tuple[str, ...]] = []
        self._whole: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        """Paths by what a table's column may be called for them: the last step, or all of them in one."""
        for index, path in enumerate(kinds):
            steps = tuple(step if step == EVERY else plain(step) for step in path.split("."))
            named = [step for step in steps if step != EVERY]
            if named:
                self.columns[named[-1]] = self.columns["".join(named)] = index
            if steps[-1] != EVERY:
                self._whole["".join(named)] = index
            self._paths.append(steps)
        self._named = _pattern(kinds)

    def note(self, index: int) -> str:
        """What stands in the place of a value."""
        return f"[masked: {self.kinds[index]}]"

    def named_in(self, text: str) -> bool:
        """Whether a text gives one of the fields a value, as logs and forms do: `card: …`."""
        return self._named.search(text) is not None

    def entry(self, place: Place, name: str) -> tuple[int | None, Place]:
        """The path that ends at this entry of an object, if one does; and how far into others it is."""
        found = self._whole.get(plain(name))
        for step in filter(None, name.split(".")):
            if found is not None:
                return found, NOWHERE
            starts = ((index, 0) for index in range(len(self._paths)))
            found, place = self._step({*place, *starts}, plain(step), set())
        return found, place

    def item(self, place: Place) -> tuple[int | None, Place]:
        """The path that ends at each item of a list, if one does; and how far into others it is."""
        return self._step(place, None, set(place))

    def _step(
        self, place: Iterable[tuple[int, int]], step: str | None, beyond: set[tuple[int, int]]
    ) -> tuple[int | None, Place]:
        for index, behind in place:
            if self._paths[index][behind] in (EVERY, step):
                if behind + 1 == len(self._paths[index]):
                    return index, NOWHERE
                beyond.add((index, behind + 1))
        return None, frozenset(beyond)


def plain(name: str) -> str:
    """A name as it is compared, by its letters and digits alone."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _pattern(paths: Iterable[str]) -> re.Pattern[str]:
    """Finds a name with a value behind it that isn't masked."""
    last = ([step for step in path.split(".") if step != EVERY][-1:] for path in paths)
    words = [r"[\W_]?".join(map(re.escape, re.findall(r"[^\W_]+", step))) for steps in last for step in steps]
    names = "|".join(filter(None, words)) or "(?!)"
    return re.compile(rf"(?:{names})[\"'`*]*\s*[:=](?![\"'`*\s]*\[masked)", re.IGNORECASE)
