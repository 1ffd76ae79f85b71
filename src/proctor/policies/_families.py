"""The built-in checks and what each can find."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import get_args

from proctor.core import Kind, Stage
from proctor.policies._numbers import national_ids, payment_cards
from proctor.policies._passwords import passwords
from proctor.policies._reading import Check, Finding, Reading
from proctor.policies._secrets import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A check, what it finds and where it is of use."""

    name: str
    kinds: frozenset[str]
    check: Check
    stages: frozenset[Stage] = frozenset(get_args(Stage))


def _of(kind: str, find: Callable[[str], Iterable[tuple[int, int]]], reading: Reading) -> Iterator[Finding]:
    for view in reading.views:
        for start, end in find(view.text):
            first, last = view.original(start, end)
            yield Finding(kind=kind, start=first, end=last)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="cards", kinds=frozenset({"payment_card"}), check=partial(_of, "payment_card", payment_cards)
    ),
    Family(name="ids", kinds=frozenset({"national_id"}), check=partial(_of, "national_id", national_ids)),
    Family(name="secrets", kinds=frozenset({"secret"}), check=partial(_of, "secret", secrets)),
    Family(name="passwords", kinds=frozenset({"password"}), check=partial(_of, "password", passwords)),
)

KINDS: tuple[str, ...] = get_args(Kind)
