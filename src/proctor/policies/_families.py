"""The built-in checks and what each can find."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import get_args

from proctor.core import Kind, Stage
from proctor.policies._advice import advice
from proctor.policies._claims import claims
from proctor.policies._dark_patterns import dark_patterns
from proctor.policies._injection import injection
from proctor.policies._passwords import passwords
from proctor.policies._personal import personal
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
        name="personal",
        kinds=frozenset(
            {
                *("payment_card", "iban", "bank_account", "national_id", "passport", "driver_licence"),
                *("phone", "email", "address", "ip_address", "date_of_birth", "person"),
            }
        ),
        check=personal,
    ),
    Family(name="secrets", kinds=frozenset({"secret"}), check=partial(_of, "secret", secrets)),
    Family(name="passwords", kinds=frozenset({"password"}), check=partial(_of, "password", passwords)),
    Family(name="injection", kinds=frozenset({"injection"}), check=injection),
    Family(
        name="advice",
        kinds=frozenset({"investment_advice", "medical_advice", "legal_advice"}),
        check=advice,
        stages=frozenset({"input", "output"}),
    ),
    Family(
        name="claims",
        kinds=frozenset({"unsupported_claim", "ai_as_professional", "fake_review"}),
        check=claims,
        stages=frozenset({"input", "output", "knowledge"}),
    ),
    Family(
        name="dark patterns",
        kinds=frozenset({"dark_pattern"}),
        check=dark_patterns,
        stages=frozenset({"output", "knowledge"}),
    ),
)

KINDS: tuple[str, ...] = get_args(Kind)
