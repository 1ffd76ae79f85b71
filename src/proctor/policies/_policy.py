"""The policy: what is found in a text, which rule speaks for each finding, and the verdict in the end."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias, cast, get_args

from proctor.core import (
    ALLOW,
    InvalidInput,
    Notice,
    Outcome,
    Parts,
    PolicyRule,
    PolicySettings,
    Span,
    Stage,
    StagePolicy,
    Treatment,
    Verdict,
    canonical_json,
)
from proctor.policies._disclosure import notice as words_of
from proctor.policies._families import FAMILIES, KINDS, Family
from proctor.policies._masking import REPLACED, mask, name_of
from proctor.policies._prices import Price, contradicting_prices
from proctor.policies._reading import Finding, Reading
from proctor.policies._words import Words

STRICTNESS: tuple[Treatment, ...] = get_args(Treatment)
"""From mild to strict."""

WORDS = "words"
"""The type of a span where words of the operator's stand."""

_OUTCOMES: dict[Treatment, Outcome] = {
    "allow": "allow",
    "disclose": "allow",
    "tokenise": "redact",
    "redact": "redact",
    "escalate": "escalate",
    "deny": "deny",
}
_REPLACING = ("tokenise", "redact", "deny")
_PERSONAL_AND_SECRET = frozenset(REPLACED)
_ORDERS = frozenset({"injection"})
_UNSTORABLE = re.compile("[\ud800-\udfff\x00]")

Hide: TypeAlias = Callable[[str, str], str]
"""Gives a token for a value of a kind, from which the value can be got back."""


Prices: TypeAlias = Mapping[str, AbstractSet[Price]]
"""By a product's name: the prices that it has."""

_REFERRALS: dict[str, Notice] = {
    "investment_advice": "investment_referral",
    "medical_advice": "medical_referral",
    "legal_advice": "legal_referral",
}
_DISCLOSURES: dict[str, Notice] = {
    "investment_advice": "investment_disclosure",
    "medical_advice": "medical_disclosure",
    "legal_advice": "legal_disclosure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A finding with the rule that speaks for it."""

    finding: Finding
    rule: str
    treatment: Treatment
    reason: str = ""
    """The rule's own words for whoever is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one rule says of findings of one kind."""

    rule: str
    treatment: Treatment
    at_least: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is looked for at one stage for one team, and who speaks for what, the first one that matches."""

    families: tuple[Family, ...]
    words: tuple[tuple[str, Words], ...]
    """By the kind that their findings have here: the rule's id."""
    answers: dict[str, tuple[_Answer, ...]]
    judged: frozenset[str]
    """What counts against a text as such, and isn't only taken out of it."""

    def answer(self, finding: Finding) -> _Answer | None:
        answers = self.answers.get(finding.kind, ())
        return next((each for each in answers if finding.confidence >= each.at_least), None)


class Policy:
    """All rules of a configuration, indexed by stage, team and kind."""

    def __init__(self, settings: PolicySettings) -> None:
        """Takes a configuration.

        Raises:
            MissingSetting: names of people are to be found, and what finds them isn't installed.
        """
        self._settings = settings
        self._teams = frozenset(team for rule in settings.rules for team in rule.teams)
        self._plan = cache(self._planned)
        self._families = FAMILIES
        if settings.names:
            from proctor.policies.personal import Names

            names = Family(name="names", kinds=frozenset({"person"}), check=Names(settings.names))
            self._families = (*FAMILIES, names)

    @property
    def version(self) -> str:
        """The operator's own version and a digest of all settings: `2026-11-23/1f3a…`."""
        kept = canonical_json(self._settings.model_dump(mode="json", exclude={"file"}))
        digest = hashlib.sha256(kept.encode()).hexdigest()[:12]
        return f"{self._settings.version or 'unnamed'}/{digest}"

    def read(
        self,
        text: str,
        stage: Stage,
        *,
        team: str = "",
        hide: Hide | None = None,
        catalogue: Prices | None = None,
        parts: Parts = (),
    ) -> Verdict:
        """What the policy says about a text; where something is to be taken out, with the text to go on with.

        A text that was put together is read in its parts, each by itself: what joins them is nobody's.

        Where nothing gives tokens, what is to become one is taken out for good. Prices are held against the
        catalogue, where one is given. An answer with advice gets its disclosure.

        Raises:
            InvalidInput: the text of a requester is too long, or holds what no database stores.
        """
        if stage == "input":
            self._check_storable(text)
        ruled = self.explain(text, stage, team=team, catalogue=catalogue, parts=parts)
        if not ruled:
            return ALLOW
        verdict = _verdict(text, ruled, hide)
        if verdict.outcome == "deny":
            return self._referred(text, verdict, ruled)
        return self._disclosed(text, verdict, ruled) if stage == "output" else verdict

    def tell(self, notice: Notice, text: str) -> str:
        """What whoever wrote or reads a text is told, in its language."""
        return words_of(notice, text, self._settings.notices)

    def _referred(self, text: str, verdict: Verdict, ruled: Sequence[Ruled]) -> Verdict:
        """A refusal that says who may be asked, where advice is refused and no rule has words of its own."""
        for each in ruled:
            referral = _REFERRALS.get(each.finding.kind)
            if referral is not None and each.treatment == "deny" and not each.reason:
                return replace(verdict, reason=self.tell(referral, text))
        return verdict

    def _disclosed(self, text: str, verdict: Verdict, ruled: Sequence[Ruled]) -> Verdict:
        """An answer with the disclosures that it needs and doesn't have yet."""
        kinds = dict.fromkeys(each.finding.kind for each in ruled if each.treatment == "disclose")
        told = [self.tell(_DISCLOSURES[kind], text) for kind in kinds if kind in _DISCLOSURES]
        missing = [words for words in told if words not in text]
        if not missing:
            return verdict
        shown = "\n\n".join([text if verdict.text is None else verdict.text, *missing])
        outcome: Outcome = "redact" if verdict.outcome == "allow" else verdict.outcome
        return replace(verdict, outcome=outcome, text=shown)

    def spans_to_hide(self, text: str, stage: Stage, *, team: str = "") -> tuple[Span, ...]:
        """What stands in a text that is to be taken out of it, in its order and without overlaps."""
        ruled = self.explain(text, stage, team=team, kinds=_PERSONAL_AND_SECRET)
        return tuple(span for span, _ in _merged([each for each in ruled if _is_replaced(each)]))

    def judge_orders(self, text: str, stage: Stage, *, team: str = "") -> Verdict:
        """What the policy says about orders in a text, the operator's words, and all that a person is to see.

        Of what is simply taken out it says nothing.
        """
        ruled = self.explain(text, stage, team=team, kinds=self._plan_of(stage, team).judged)
        spoken = [each for each in ruled if _is_judged(each)]
        return _verdict(text, spoken, None) if spoken else ALLOW

    def explain(
        self,
        text: str,
        stage: Stage,
        *,
        team: str = "",
        kinds: frozenset[str] | None = None,
        catalogue: Prices | None = None,
        parts: Parts = (),
    ) -> tuple[Ruled, ...]:
        """All that was found and isn't simply allowed, in the text's order, with the rules that speak.

        Of the built-in checks, only those that find any of the kinds, where these are given.
        """
        plan = self._plan_of(stage, team)
        ruled: dict[Finding, Ruled] = {}
        found = [
            finding if start == 0 else replace(finding, start=finding.start + start, end=finding.end + start)
            for start, end in parts or ((0, len(text)),)
            for finding in _found(plan, Reading(text[start:end], stage), kinds)
        ]
        contradictions = contradicting_prices(text, catalogue) if catalogue else ()
        for finding in (*found, *contradictions):
            answer = plan.answer(finding)
            if answer is not None and answer.treatment != "allow":
                ruled[finding] = Ruled(
                    finding=finding, rule=answer.rule, treatment=answer.treatment, reason=answer.reason
                )
        return tuple(sorted(ruled.values(), key=lambda each: (each.finding.start, each.finding.end)))

    def _check_storable(self, text: str) -> None:
        most = self._settings.input.max_characters
        if len(text) > most:
            raise InvalidInput(
                f"The text has {len(text):,} characters; {most:,} are allowed.",
                hint="Shorten the text, or raise `max_characters` in `[policies.input]`.",
            )
        if broken := _UNSTORABLE.search(text):
            raise InvalidInput(
                f"The text holds U+{ord(broken[0]):04X} at character {broken.start()}, which is no text.",
                hint="Send whole Unicode characters, without NUL and lone surrogates.",
            )

    def _plan_of(self, stage: Stage, team: str) -> _Plan:
        return self._plan(stage, team if team in self._teams else "")

    def _planned(self, stage: Stage, team: str) -> _Plan:
        rules = [
            rule
            for rule in self._settings.rules
            if stage in rule.stages and (not rule.teams or team in rule.teams)
        ]
        by_stage: StagePolicy = getattr(self._settings, stage)
        answers = {kind: (*_own(rules, kind), _default(by_stage, stage, kind)) for kind in KINDS}
        wanted = {kind for kind, said in answers.items() if any(each.treatment != "allow" for each in said)}
        own = [rule for rule in rules if rule.words]
        for rule in own:
            answers[rule.id] = (_answer_of(rule),)
        asked = {kind for kind, said in answers.items() if any(each.treatment == "escalate" for each in said)}
        return _Plan(
            judged=_ORDERS | asked,
            families=tuple(each for each in self._families if stage in each.stages and each.kinds & wanted),
            words=tuple((rule.id, Words(rule.words)) for rule in own),
            answers=answers,
        )


def _found(plan: _Plan, reading: Reading, kinds: frozenset[str] | None) -> Iterator[Finding]:
    for family in plan.families:
        if kinds is None or family.kinds & kinds:
            yield from family.check(reading)
    for kind, words in plan.words:
        yield from words.find(reading, kind)


def _own(rules: Iterable[PolicyRule], kind: str) -> Iterator[_Answer]:
    return (_answer_of(rule) for rule in rules if kind in rule.finds)


def _answer_of(rule: PolicyRule) -> _Answer:
    return _Answer(rule=rule.id, treatment=rule.outcome, at_least=rule.at_least, reason=rule.reason)


def _default(settings: StagePolicy, stage: Stage, kind: str) -> _Answer:
    treatment = cast("Treatment", getattr(settings, kind))
    return _Answer(rule=f"{stage}.{kind}", treatment=treatment)


def _verdict(text: str, ruled: Sequence[Ruled], hide: Hide | None) -> Verdict:
    strictest = max((each.treatment for each in ruled), key=STRICTNESS.index)
    spans, shown = _spans(text, ruled, hide)
    by_strictness = sorted(ruled, key=lambda each: -STRICTNESS.index(each.treatment))
    outcome = _OUTCOMES[strictest]
    return Verdict(
        outcome=outcome,
        rules=tuple(dict.fromkeys(each.rule for each in by_strictness)),
        spans=spans,
        text=shown if outcome != "deny" and shown != text else None,
        asks=tuple(dict.fromkeys(each.finding.kind for each in ruled if each.treatment == "escalate")),
        reason=_reason([each for each in ruled if each.treatment == strictest], outcome),
    )


def taken_out(text: str, ruled: Sequence[Ruled]) -> str:
    """The text with a word in the place of all that was found and is personal or secret."""
    return _spans(text, ruled, None)[1]


def _spans(text: str, ruled: Sequence[Ruled], hide: Hide | None) -> tuple[tuple[Span, ...], str]:
    """All spans in the text's order, and the text with those replaced that are to be."""
    replaced = _merged([each for each in ruled if _is_replaced(each)])
    pieces: list[str] = []
    place = 0
    for span, treatment in replaced:
        pieces.append(text[place : span.start])
        if hide is not None and treatment == "tokenise":
            pieces.append(hide(span.type, text[span.start : span.end]))
        else:
            pieces.append(mask(span.type))
        place = span.end
    seen = [_span_of(each) for each in ruled if not _is_replaced(each)]
    spans = sorted((*seen, *(span for span, _ in replaced)), key=lambda span: (span.start, span.end))
    return tuple(spans), "".join([*pieces, text[place:]])


def _is_replaced(ruled: Ruled) -> bool:
    return _type_of(ruled) in REPLACED and ruled.treatment in _REPLACING


def _is_judged(ruled: Ruled) -> bool:
    taken_out = ruled.finding.kind in _PERSONAL_AND_SECRET
    return ruled.treatment == "escalate" or (ruled.treatment == "deny" and not taken_out)


def _type_of(ruled: Ruled) -> str:
    return ruled.finding.kind if ruled.finding.kind in KINDS else WORDS


def _span_of(ruled: Ruled) -> Span:
    finding = ruled.finding
    return Span(start=finding.start, end=finding.end, type=_type_of(ruled), confidence=finding.confidence)


def _merged(ruled: Sequence[Ruled]) -> list[tuple[Span, Treatment]]:
    """The findings as spans without overlaps.

    What overlaps becomes one, which the strictest treatment and then the more telling kind names.
    """
    merged: list[tuple[Span, Treatment]] = []
    for each in ruled:
        span = _span_of(each)
        if merged and span.start < merged[-1][0].end:
            merged.append(_joined(merged.pop(), (span, each.treatment)))
        else:
            merged.append((span, each.treatment))
    return merged


def _joined(one: tuple[Span, Treatment], two: tuple[Span, Treatment]) -> tuple[Span, Treatment]:
    first, _ = min((one, two), key=lambda each: (-STRICTNESS.index(each[1]), REPLACED.index(each[0].type)))
    treatment = max(one[1], two[1], key=STRICTNESS.index)
    span = Span(
        start=one[0].start,
        end=max(one[0].end, two[0].end),
        type=first.type,
        confidence=max(one[0].confidence, two[0].confidence),
    )
    return span, treatment


def _reason(strictest: Sequence[Ruled], outcome: Outcome) -> str:
    """One sentence for whoever sent the text."""
    if said := next((each.reason for each in strictest if each.reason), ""):
        return said
    kinds = sorted({each.finding.kind for each in strictest}, key=_order)
    names = " and the ".join(dict.fromkeys(name_of(kind) for kind in kinds))
    match outcome:
        case "deny":
            return f"Remove the {names} from the text and send it again."
        case "redact":
            return f"Go on without the {names}: it was taken out of the text."
        case "escalate":
            return f"A person looks at this first, because of the {names}."
        case "allow":
            return ""


def _order(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)
