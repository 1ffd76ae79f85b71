"""`[policies]`: what becomes of what checks find in a text, stage by stage."""

import re
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field, PositiveInt, model_validator

from proctor.core._section import Name, Section
from proctor.core._verdicts import Stage

_STAR_WITHIN = re.compile(r"\*\w")

Personal: TypeAlias = Literal["allow", "redact", "tokenise", "escalate", "deny"]
Secret: TypeAlias = Literal["allow", "redact", "escalate", "deny"]
Warned: TypeAlias = Literal["allow", "escalate", "deny"]
Advice: TypeAlias = Literal["allow", "disclose", "escalate", "deny"]

Treatment: TypeAlias = Literal["allow", "disclose", "tokenise", "redact", "escalate", "deny"]
"""What becomes of a finding, from mild to strict.

`disclose`: the disclosure is added to the text. `tokenise`: a token stands in its place, from which tools and
the requester get it back. `redact`: a word for its kind stands in its place. `escalate`: a person looks at it
before it has consequences. `deny`: the text goes no further.
"""

Kind: TypeAlias = Literal[
    "payment_card",
    "iban",
    "bank_account",
    "national_id",
    "passport",
    "driver_licence",
    "phone",
    "email",
    "address",
    "ip_address",
    "date_of_birth",
    "person",
    "secret",
    "password",
    "injection",
    "investment_advice",
    "medical_advice",
    "legal_advice",
    "unsupported_claim",
    "ai_as_professional",
    "fake_review",
    "dark_pattern",
    "price_mismatch",
]
"""What the checks tell apart."""


Marking: TypeAlias = Literal["delimit", "interleave", "off"]

Language: TypeAlias = Literal["en", "zh"]
Notice: TypeAlias = Literal[
    "ai",
    "investment_referral",
    "medical_referral",
    "legal_referral",
    "investment_disclosure",
    "medical_disclosure",
    "legal_disclosure",
]
"""What people are told: `ai` at first contact; a referral in place of an answer; a disclosure under one."""

Licensed: TypeAlias = Literal["investment_advice", "medical_advice", "legal_advice"]


class StagePolicy(Section):
    """What becomes of what is found at one stage. The defaults are those for a text that enters."""

    payment_card: Personal = "redact"
    iban: Personal = "redact"
    bank_account: Personal = "redact"
    national_id: Personal = "redact"
    passport: Personal = "redact"
    driver_licence: Personal = "redact"
    phone: Personal = "redact"
    email: Personal = "redact"
    ip_address: Personal = "redact"
    address: Personal = "allow"
    date_of_birth: Personal = "allow"
    person: Personal = "allow"
    """Names of people: found only by the models that `names` in `[policies]` gives."""
    secret: Secret = "deny"
    password: Secret = "redact"
    injection: Warned = "escalate"
    """`escalate`: the text counts as untrusted, and a person is asked before it can have effects."""
    investment_advice: Advice = "escalate"
    """Advice to a person about the person's own case. `escalate`: somebody licensed sees the answer first."""
    medical_advice: Advice = "escalate"
    legal_advice: Advice = "escalate"
    unsupported_claim: Warned = "allow"
    ai_as_professional: Warned = "allow"
    fake_review: Warned = "escalate"
    dark_pattern: Warned = "allow"
    price_mismatch: Warned = "allow"


class InputPolicySettings(StagePolicy):
    """`[policies.input]`: what a requester may send."""

    max_characters: PositiveInt = 200_000


class ToolResultPolicySettings(StagePolicy):
    """`[policies.tool_result]`: what agents may read in tools' answers, beside the classes of `[data]`."""

    iban: Personal = "allow"
    bank_account: Personal = "allow"
    passport: Personal = "allow"
    driver_licence: Personal = "allow"
    phone: Personal = "allow"
    email: Personal = "allow"
    ip_address: Personal = "allow"
    secret: Secret = "redact"
    investment_advice: Advice = "allow"
    medical_advice: Advice = "allow"
    legal_advice: Advice = "allow"
    fake_review: Warned = "allow"


class KnowledgePolicySettings(ToolResultPolicySettings):
    """`[policies.knowledge]`: what a document in the knowledge base may hold."""


class MemoryPolicySettings(ToolResultPolicySettings):
    """`[policies.memory]`: what may be kept from one run to another."""


class OutputPolicySettings(StagePolicy):
    """`[policies.output]`: what a run may answer."""

    phone: Personal = "allow"
    email: Personal = "allow"
    ip_address: Personal = "allow"
    secret: Secret = "redact"
    injection: Warned = "allow"
    investment_advice: Advice = "disclose"
    medical_advice: Advice = "disclose"
    legal_advice: Advice = "disclose"
    unsupported_claim: Warned = "escalate"
    ai_as_professional: Warned = "escalate"
    dark_pattern: Warned = "escalate"
    price_mismatch: Warned = "escalate"


class PolicyRule(Section):
    """One rule of yours: `[[policies.rules]]`. The first that matches a finding holds, before the stage's."""

    id: Name
    """Shown wherever the rule speaks."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    finds: tuple[Kind, ...] = ()
    """What the built-in checks find."""
    words: tuple[Annotated[str, Field(min_length=2, max_length=200)], ...] = ()
    """Words and phrases of yours, whatever their capitals and disguise. `*` stands for the rest of a word."""
    teams: tuple[Name, ...] = ()
    """Absent: all."""
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How sure a check must be."""
    outcome: Treatment
    reason: str = Field(default="", max_length=500)
    """For whoever is refused."""

    @model_validator(mode="after")
    def _finds_something(self) -> "PolicyRule":
        if bool(self.finds) == bool(self.words):
            raise ValueError("a rule names what it `finds`, or `words`")
        if self.words and self.outcome in ("disclose", "tokenise"):
            raise ValueError("words can be allowed, redacted, escalated or denied")
        if self.id in get_args(Kind):
            raise ValueError(f"{self.id!r} is what a check finds: call the rule otherwise")
        for kind in self.finds:
            fitting = get_args(StagePolicy.model_fields[kind].annotation)
            if self.outcome not in fitting:
                raise ValueError(f"{self.outcome!r} does nothing to {kind!r}: it takes {', '.join(fitting)}")
        if blank := next((word for word in self.words if not word.strip(" *")), None):
            raise ValueError(f"{blank!r} names no word")
        if within := next((word for word in self.words if _STAR_WITHIN.search(word)), None):
            raise ValueError(f"{within!r}: `*` is the rest of a word, and stands at its end")
        return self


class PolicySettings(Section):
    """`[policies]`."""

    version: str = Field(default="", max_length=100)
    """Yours, such as a date. Runs keep it, with a digest of all that holds."""
    file: str = ""
    """A file that holds this section's keys at its top, in place of this one: `policy.toml`."""
    input: InputPolicySettings = InputPolicySettings()
    tool_result: ToolResultPolicySettings = ToolResultPolicySettings()
    knowledge: KnowledgePolicySettings = KnowledgePolicySettings()
    output: OutputPolicySettings = OutputPolicySettings()
    memory: MemoryPolicySettings = MemoryPolicySettings()
    rules: tuple[PolicyRule, ...] = ()
    licensed: dict[Licensed, Name] = Field(default={})
    """The role whose members alone let such advice out: `medical_advice = "doctors"`."""
    names: dict[Language, str] = Field(default={})
    """Models of spaCy by which names of people are found: `{ en = "en_core_web_sm" }`. They need the extra
    `names` and take milliseconds a text."""
    catalogue: tuple[str, ...] = ()
    """Patterns of tools that tell prices, such as `store.*`: an answer mustn't contradict them."""
    notices: dict[Notice, dict[Language, str]] = Field(default={})
    """Your own words in place of those that ship."""
    ai_disclosure: bool | None = None
    """Whether the first answer to somebody says that it comes from an AI. Absent: in production."""
    marking: Marking = "delimit"
    """How untrusted text is marked as data in prompts: between delimiters that its writer can't know, or with
    a mark in the place of each blank as well."""

    @model_validator(mode="after")
    def _names_differ(self) -> "PolicySettings":
        ids = [rule.id for rule in self.rules]
        if double := next((each for each in ids if ids.count(each) > 1), None):
            raise ValueError(f"two rules are called {double!r}")
        return self
