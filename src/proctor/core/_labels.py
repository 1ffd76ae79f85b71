"""Where a text comes from and how far it may go: the label that every message and tool result carries.

Detectors find some injections; a label holds for all of them. It is joined as texts flow from agent to agent
(DESIGN 9; FIDES, arXiv 2505.23643).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from proctor.core._json import JsonObject, JsonValue

Integrity: TypeAlias = Literal["trusted", "untrusted"]
"""`untrusted`: somebody else may have written it, and what it asks for is nobody's order here."""

Confidentiality: TypeAlias = Literal["public", "user", "private", "secret"]
"""How far a text may go, from everywhere to nowhere. `user`: what whoever asks may know."""

LEVELS: tuple[Confidentiality, ...] = get_args(Confidentiality)
"""From the least to the most confidential."""

MANY = 20
"""Sources that a label names; further ones change nothing of what it allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is known of a text."""

    integrity: Integrity = "trusted"
    confidentiality: Confidentiality = "public"
    sources: tuple[str, ...] = ()
    """Where the untrusted and the confidential in it come from, sorted: `web.fetch`, `knowledge.faq`."""
    suspected: bool = False
    """Whether a check takes it for an attempt to give orders. That tightens what untrusted text may do; its
    absence loosens nothing."""

    @property
    def is_trusted(self) -> bool:
        """Whether nobody else had a hand in the text."""
        return self.integrity == "trusted"

    def exceeds(self, clearance: Confidentiality) -> bool:
        """Whether the text is too confidential for a place with this clearance."""
        return LEVELS.index(self.confidentiality) > LEVELS.index(clearance)


TRUSTED = Label()
"""Of what the operator wrote: instructions, the application's own texts."""


def join(labels: Iterable[Label]) -> Label:
    """The label of what is made of texts with these labels: the worst of each."""
    integrity: Integrity = "trusted"
    level = 0
    suspected = False
    sources: set[str] = set()
    for label in labels:
        if label.integrity == "untrusted":
            integrity = "untrusted"
        suspected = suspected or label.suspected
        level = max(level, LEVELS.index(label.confidentiality))
        sources.update(label.sources)
    return Label(
        integrity=integrity,
        confidentiality=LEVELS[level],
        sources=tuple(sorted(sources)[:MANY]),
        suspected=suspected,
    )


def label_to_json(label: Label) -> JsonObject:
    """The label as journal and events keep it."""
    told: JsonObject = {
        "integrity": label.integrity,
        "confidentiality": label.confidentiality,
        "sources": label.sources,
    }
    return {**told, "suspected": True} if label.suspected else told


def label_from_json(value: JsonValue) -> Label:
    """The label that `label_to_json` kept. What can't be read counts as untrusted and secret."""
    if not isinstance(value, Mapping):
        return Label(integrity="untrusted", confidentiality="secret", sources=("unknown",))
    sources = value.get("sources")
    level: Confidentiality = "secret"
    for each in LEVELS:
        if each == value.get("confidentiality"):
            level = each
    return Label(
        integrity="trusted" if value.get("integrity") == "trusted" else "untrusted",
        confidentiality=level,
        sources=tuple(map(str, sources)) if isinstance(sources, list | tuple) else (),
        suspected=value.get("suspected") is True,
    )
