"""The policy in force, and what it makes of a text."""

from asyncio import to_thread
from typing import get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field

from proctor.api._caller import Running
from proctor.api._platform import PlatformViewer
from proctor.api._texts import LongText, Sent, Shown, Storable, Wanted
from proctor.core import InvalidInput, Outcome, PolicySettings, Stage, Treatment, Verdict
from proctor.policies import KINDS, Policy, Ruled, lint, taken_out

router = APIRouter(tags=["policies"])

DIGITS = 3
"""Of a confidence, behind the point."""


class ToCheck(Sent):
    """A text, and where it passes by."""

    text: LongText
    stage: Stage = "input"
    team: Storable = Field(default="", max_length=200, description="Also by the rules for this team.")


class Place(BaseModel):
    """Where in the text something stands, in characters."""

    start: int
    end: int
    type: str
    confidence: float


class Said(BaseModel):
    """What the policy says of a text."""

    version: str
    verdict: Outcome
    rules: list[str] = Field(description="Ids of the rules that spoke, strongest first.")
    spans: list[Place]
    text: str = Field(description="The text without what is taken out; empty where none of it goes on.")
    asks: list[str] = Field(description="Kinds of findings that a person looks at first.")
    reason: str


class Found(BaseModel):
    """One finding, and the rule that speaks for it."""

    found: str
    start: int
    end: int
    confidence: float
    by: str
    rule: str
    outcome: Treatment
    reason: str


class Explained(BaseModel):
    """All that was found in a text and isn't simply allowed, in its order."""

    version: str
    findings: list[Found]


class PolicyRule(BaseModel):
    """One rule, in the order in which they are asked: the first that matches a finding holds."""

    rule: str
    finds: list[str]
    words: list[str]
    at_least: float
    outcome: Treatment


class StageLine(BaseModel):
    """What is looked for where a text passes by."""

    stage: Stage
    rules: list[PolicyRule]


class PolicyWhole(BaseModel):
    """The policy in force."""

    version: str = Field(description="The operator's own version and a digest of all settings.")
    stages: list[StageLine]


class OddRule(Shown):
    """What whoever wrote a rule probably didn't mean."""

    rule: str
    says: str
    todo: str


class Odd(BaseModel):
    """What is odd about the policy."""

    version: str
    remarks: list[OddRule]


@router.get("/policies", summary="Show the policy in force, and its version")
async def show_policy(_principal: PlatformViewer, proctor: Running, team: Wanted = "") -> PolicyWhole:
    """All rules at each stage, the operator's before the defaults; with those for a team, if named."""
    settings = proctor.settings.policies
    stages = [StageLine(stage=stage, rules=_rules_of(settings, stage, team)) for stage in get_args(Stage)]
    return PolicyWhole(version=proctor.policy.version, stages=stages)


@router.get("/policies/remarks", summary="Show rules that never speak, or change nothing")
async def lint_policy(_principal: PlatformViewer, proctor: Running) -> Odd:
    """Nothing, where all is well."""
    settings = proctor.settings
    found = lint(settings.policies, teams=settings.teams)
    remarks = [OddRule.model_validate(each) for each in found]
    return Odd(version=proctor.policy.version, remarks=remarks)


@router.post("/policies/check", summary="Say what the policy makes of a text")
async def check_text(body: ToCheck, _principal: PlatformViewer, proctor: Running) -> Said:
    """The verdict. The text is kept nowhere, and sent nowhere."""
    return await to_thread(_checked, body, proctor.policy)


@router.post("/policies/explain", summary="Say which rule speaks for what in a text")
async def explain_text(body: ToCheck, _principal: PlatformViewer, proctor: Running) -> Explained:
    """Each finding with its rule. The text is kept nowhere, and sent nowhere."""
    policy = proctor.policy
    found = await to_thread(policy.explain, body.text, body.stage, team=body.team)
    return Explained(version=policy.version, findings=[_found(each) for each in found])


def _checked(body: ToCheck, policy: Policy) -> Said:
    try:
        verdict = policy.read(body.text, body.stage, team=body.team)
    except InvalidInput as error:
        verdict = Verdict(outcome="deny", rules=(f"{body.stage}.unreadable",), reason=error.message)
    return Said(
        version=policy.version,
        verdict=verdict.outcome,
        rules=list(verdict.rules),
        spans=[
            Place(start=span.start, end=span.end, type=span.type, confidence=round(span.confidence, DIGITS))
            for span in verdict.spans
        ],
        text=_shown(body, verdict, policy),
        asks=list(verdict.asks),
        reason=verdict.reason,
    )


def _shown(body: ToCheck, verdict: Verdict, policy: Policy) -> str:
    """The text without what was found; of one that is refused nobody goes on with it."""
    if verdict.outcome != "deny":
        return body.text if verdict.text is None else verdict.text
    found = policy.explain(body.text, body.stage, team=body.team) if verdict.spans else ()
    return taken_out(body.text, found) if found else ""


def _found(ruled: Ruled) -> Found:
    finding = ruled.finding
    return Found(
        found=finding.kind,
        start=finding.start,
        end=finding.end,
        confidence=round(finding.confidence, DIGITS),
        by=finding.detail,
        rule=ruled.rule,
        outcome=ruled.treatment,
        reason=ruled.reason,
    )


def _rules_of(settings: PolicySettings, stage: Stage, team: str) -> list[PolicyRule]:
    own = [
        PolicyRule(
            rule=rule.id,
            finds=list(rule.finds),
            words=list(rule.words),
            at_least=rule.at_least,
            outcome=rule.outcome,
        )
        for rule in settings.rules
        if stage in rule.stages and (not rule.teams or team in rule.teams)
    ]
    defaults = getattr(settings, stage)
    return own + [
        PolicyRule(
            rule=f"{stage}.{kind}", finds=[kind], words=[], at_least=0.0, outcome=getattr(defaults, kind)
        )
        for kind in KINDS
    ]
