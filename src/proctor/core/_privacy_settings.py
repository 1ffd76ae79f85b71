"""`[privacy]`: what people's data is processed for, how long it is kept, and where the vault's key is."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from proctor.core._section import Name, Section

Kept: TypeAlias = Literal[
    "runs", "journal", "events", "approvals", "memory", "caches", "knowledge", "consents"
]
"""Classes of what is kept on people."""

Basis: TypeAlias = Literal[
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interests",
]
"""The grounds of article 6 (1) GDPR."""

_LONGEST = timedelta(days=36_500)

Span: TypeAlias = Annotated[timedelta, Field(gt=timedelta(0), le=_LONGEST)]


class PurposeSettings(Section):
    """What data is processed for: `[privacy.purposes.NAME]`."""

    basis: Basis | None = None
    """On what ground. It is told in exports. Absent: `consent` where that is needed, else not stated."""
    needs_consent: bool = False
    """Whether nothing is processed for it without the subject's living consent."""
    text_version: Annotated[str, Field(max_length=64)] = ""
    """The text that has to be consented to. A consent to any other text isn't one. Absent: to any."""
    also: tuple[Name, ...] = ()
    """Purposes that come with it, and that need a consent of their own where they need one: handing data to
    others, or abroad."""

    @model_validator(mode="after")
    def _fits_together(self) -> "PurposeSettings":
        if self.needs_consent and self.basis not in (None, "consent"):
            raise ValueError("what needs consent has no other basis: take out `basis` or `needs_consent`")
        if self.basis == "consent" and not self.needs_consent:
            raise ValueError('`basis = "consent"` needs `needs_consent = true`')
        if self.text_version and not self.needs_consent:
            raise ValueError("`text_version` is for purposes with `needs_consent = true`")
        return self


class RetentionRule(Section):
    """How long something is kept."""

    floor: Span | None = None
    """At least so long, also where its subject wants it erased: what the law demands."""
    ceiling: Span | None = None
    """No longer than that."""

    @model_validator(mode="after")
    def _in_order(self) -> "RetentionRule":
        if self.floor is not None and self.ceiling is not None and self.floor > self.ceiling:
            raise ValueError("the floor lies above the ceiling: nothing could be kept so")
        return self


def _as_rule(value: Any) -> Any:
    """A length of time alone is the ceiling."""
    return value if isinstance(value, dict | RetentionRule) else {"ceiling": value}


Rule: TypeAlias = Annotated[RetentionRule, BeforeValidator(_as_rule)]


class RetentionSettings(Section):
    """`[privacy.retention]`: a length of time, or a floor and a ceiling, for each class."""

    runs: Rule = RetentionRule()
    """Tasks, answers and errors of runs. Their ids, times and costs stay."""
    journal: Rule = RetentionRule()
    """What models, tools and people were asked and said."""
    events: Rule = RetentionRule()
    approvals: Rule = RetentionRule()
    """What people were asked and decided."""
    memory: Rule = RetentionRule()
    """What agents know of a conversation, from its last message on."""
    caches: Rule = RetentionRule()
    knowledge: Rule = RetentionRule()
    """Documents that are about a person. Others stay."""
    consents: Rule = RetentionRule()
    """Consents that don't live any more."""

    def rule(self, kept: Kept) -> RetentionRule:
        """The rule of a class."""
        found: RetentionRule = getattr(self, kept)
        return found


class VaultSettings(Section):
    """`[privacy.vault]`: where the key is that values behind tokens are encrypted with."""

    key_env: str | None = None
    """The environment variable that holds it."""
    key_file: Path | None = None
    """The file that holds it."""

    @model_validator(mode="after")
    def _one_place(self) -> "VaultSettings":
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("give either `key_env` or `key_file`")
        return self


class PrivacySettings(Section):
    """`[privacy]`."""

    purposes: dict[Name, PurposeSettings] = Field(default={})
    retention: RetentionSettings = RetentionSettings()
    vault: VaultSettings = VaultSettings()

    @model_validator(mode="after")
    def _known_purposes(self) -> "PrivacySettings":
        for name, purpose in self.purposes.items():
            if unknown := [other for other in purpose.also if other not in self.purposes]:
                raise ValueError(f"purposes.{name}.also names {unknown[0]!r}, which no purpose is called")
        return self

    def needs(self, purpose: str) -> tuple[str, ...]:
        """The purposes that need a living consent where one is processed for."""
        names = (purpose, *self.purposes[purpose].also)
        return tuple(name for name in names if self.purposes[name].needs_consent)
