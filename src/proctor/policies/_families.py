"""The built-in checks and what each can find."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from proctor.core import ConfigurationError, Kind, PolicySettings, Stage, Treatment
from proctor.policies._reading import Check, Finding, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A check, what it finds and where it is of use."""

    name: str
    kinds: frozenset[str]
    check: Check
    stages: frozenset[Stage] = frozenset(get_args(Stage))


# Each check is imported by the first text that it reads: patterns and weights take longer to load than all
# else, and most commands read no text.


def _personal(reading: Reading) -> Iterable[Finding]:
    from proctor.policies.personal import personal

    return personal(reading)


def _addresses(reading: Reading) -> Iterable[Finding]:
    from proctor.policies.personal import addresses

    return addresses(reading)


def _secrets(reading: Reading) -> Iterable[Finding]:
    from proctor.policies.secrets import secrets

    return secrets(reading)


def _injection(reading: Reading) -> Iterable[Finding]:
    from proctor.policies.injection import injection

    return injection(reading)


def _advice(reading: Reading) -> Iterable[Finding]:
    from proctor.policies._advice import advice

    return advice(reading)


def _claims(reading: Reading) -> Iterable[Finding]:
    from proctor.policies._claims import claims

    return claims(reading)


def _dark_patterns(reading: Reading) -> Iterable[Finding]:
    from proctor.policies._dark_patterns import dark_patterns

    return dark_patterns(reading)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="personal",
        kinds=frozenset(
            {
                *("payment_card", "iban", "bank_account", "national_id", "passport", "driver_licence"),
                *("phone", "email", "ip_address", "date_of_birth"),
            }
        ),
        check=_personal,
    ),
    Family(name="addresses", kinds=frozenset({"address"}), check=_addresses),
    Family(name="secrets", kinds=frozenset({"secret", "password"}), check=_secrets),
    Family(name="injection", kinds=frozenset({"injection"}), check=_injection),
    Family(
        name="advice",
        kinds=frozenset({"investment_advice", "medical_advice", "legal_advice"}),
        check=_advice,
        stages=frozenset({"input", "output"}),
    ),
    Family(
        name="claims",
        kinds=frozenset({"unsupported_claim", "ai_as_professional", "fake_review"}),
        check=_claims,
        stages=frozenset({"input", "output", "knowledge"}),
    ),
    Family(
        name="dark patterns",
        kinds=frozenset({"dark_pattern"}),
        check=_dark_patterns,
        stages=frozenset({"output", "knowledge"}),
    ),
)

KINDS: tuple[str, ...] = get_args(Kind)


def check_stages(settings: PolicySettings) -> None:
    """Returns where all that the settings speak of is looked for at its stage.

    Raises:
        ConfigurationError: something isn't, and would pass without a word.
    """
    for place, stage, kind, treatment in _spoken_of(settings):
        if treatment == "disclose" and stage != "output":
            raise ConfigurationError(
                f"{place}: nothing is disclosed at {stage}", hint="Disclosures are added to answers: output."
            )
        if treatment != "allow" and kind not in _looked_for(settings, stage):
            hint = 'Name a model for it: [policies] names = { en = "en_core_web_sm" }.'
            raise ConfigurationError(
                f"{place}: nothing looks for {kind} at {stage}",
                hint=hint if kind == "person" else f"Take {kind}, or {stage}, out of it.",
            )


def _spoken_of(settings: PolicySettings) -> Iterator[tuple[str, Stage, str, Treatment]]:
    """What the operator says of a kind at a stage, with where it stands."""
    for stage in get_args(Stage):
        section = getattr(settings, stage)
        for kind in sorted(section.model_fields_set & set(KINDS)):
            yield f"policies.{stage}.{kind}", stage, kind, getattr(section, kind)
    for rule in settings.rules:
        for stage in rule.stages:
            for kind in rule.finds:
                yield f"policies.rules: {rule.id}", stage, kind, rule.outcome


def _looked_for(settings: PolicySettings, stage: Stage) -> frozenset[str]:
    from proctor.policies._claims import CLAIMED_AT

    also = {"price_mismatch"} if stage == "output" else set()
    also |= {"person"} if settings.names else set()
    found = frozenset(also).union(*(family.kinds for family in FAMILIES if stage in family.stages))
    return found - {kind for kind, stages in CLAIMED_AT.items() if stage not in stages}
