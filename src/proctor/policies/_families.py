"""The built-in checks and what each can find."""

from dataclasses import dataclass
from typing import get_args

from proctor.core import Kind, Stage
from proctor.policies._advice import advice
from proctor.policies._claims import claims
from proctor.policies._dark_patterns import dark_patterns
from proctor.policies._reading import Check
from proctor.policies.injection import injection
from proctor.policies.personal import addresses, personal
from proctor.policies.secrets import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A check, what it finds and where it is of use."""

    name: str
    kinds: frozenset[str]
    check: Check
    stages: frozenset[Stage] = frozenset(get_args(Stage))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="personal",
        kinds=frozenset(
            {
                *("payment_card", "iban", "bank_account", "national_id", "passport", "driver_licence"),
                *("phone", "email", "ip_address", "date_of_birth"),
            }
        ),
        check=personal,
    ),
    Family(name="addresses", kinds=frozenset({"address"}), check=addresses),
    Family(name="secrets", kinds=frozenset({"secret", "password"}), check=secrets),
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
