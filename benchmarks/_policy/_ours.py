"""The policy as it comes, asked by its public door."""

from collections.abc import Iterable

from benchmarks._policy._rows import Row, Value
from proctor.core import PolicySettings, Stage
from proctor.policies import KINDS, Finding, Policy

PERSONAL = frozenset(
    {
        *(
            "payment_card",
            "iban",
            "bank_account",
            "national_id",
            "passport",
            "driver_licence",
            "phone",
            "email",
        ),
        *("ip_address", "address", "date_of_birth", "person"),
    }
)
SECRET = frozenset({"secret", "password"})
INJECTION = frozenset({"injection"})
ADVICE = frozenset({"investment_advice", "medical_advice", "legal_advice"})
DARK = frozenset({"dark_pattern"})

FAMILIES: dict[str, frozenset[str]] = {
    "personal": PERSONAL,
    "secrets": SECRET,
    "injection": INJECTION,
    "advice": ADVICE,
    "claims": frozenset({"unsupported_claim", "ai_as_professional", "fake_review"}),
}
"""What may be found in a text that enters."""


class Ours:
    """A policy whose answers are remembered: sets share texts."""

    def __init__(self) -> None:
        self.policy = Policy(PolicySettings())
        self._known: dict[tuple[str, Stage, frozenset[str]], tuple[Finding, ...]] = {}

    def findings(self, row: Row, kinds: frozenset[str]) -> tuple[Finding, ...]:
        """What rules speak for in a row, of these kinds."""
        key = row.text, row.stage, kinds
        if key not in self._known:
            ruled = self.policy.explain(row.text, row.stage, kinds=kinds)
            self._known[key] = tuple(each.finding for each in ruled if each.finding.kind in kinds)
        return self._known[key]

    def flags(self, row: Row, kinds: frozenset[str]) -> bool:
        """Whether any of the kinds is found in a row."""
        return bool(self.findings(row, kinds))

    def flagged(self, rows: Iterable[Row], kinds: frozenset[str]) -> int:
        """In how many rows any of the kinds is found."""
        return sum(self.flags(row, kinds) for row in rows)

    def covers(self, row: Row, value: Value) -> bool:
        """Whether a finding of a fitting kind overlaps a value."""
        return any(
            each.kind in value.kinds and each.start < value.end and each.end > value.start
            for each in self.findings(row, PERSONAL)
        )


def only(kinds: frozenset[str]) -> Policy:
    """A policy that looks for these kinds alone in what enters."""
    off = {kind: "allow" for kind in KINDS if kind not in kinds}
    return Policy(PolicySettings.model_validate({"input": off}))
