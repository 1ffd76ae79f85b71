"""What is wrong, or was; and of what nobody is told for a while."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from proctor.alerts import RULES, AlertState, Rule, rules_in_force
from proctor.api._caller import Running
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import PlatformOperator, PlatformViewer
from proctor.api._texts import SAYS_SOMETHING, Sent, Shown, Storable, Wanted, Whole, id_of

router = APIRouter(tags=["alerts"])

AlertId = Annotated[str, id_of("alr")]
SilenceId = Annotated[str, id_of("sil")]

LONGEST = 30 * 86_400
"""Seconds: a month."""


class AlertLine(Shown):
    """Something that is wrong, or was."""

    id: str
    rule: Rule
    team: str = Field(description="Empty: of all teams together.")
    state: AlertState
    text: str = Field(description="What was found, with its numbers, and what is usual.")
    value: float
    usual: float | None
    runs: list[str] = Field(description="Runs that it comes from, the worst first.")
    began_at: AwareDatetime
    seen_at: AwareDatetime = Field(description="When it was last found to be wrong.")
    fired_at: AwareDatetime | None
    resolved_at: AwareDatetime | None
    told_at: AwareDatetime | None


class SilenceLine(Shown):
    """Alerts of which nobody is told until its end."""

    id: str
    rule: str
    team: str
    at: AwareDatetime
    until: AwareDatetime
    reason: str
    by: str


class SilenceList(BaseModel):
    """The silences that hold now."""

    silences: list[SilenceLine]


class ToSilence(Sent):
    """Of which alerts nobody is told, how long, and why."""

    rule: Rule | None = Field(default=None, description="None: of all rules.")
    team: Storable = Field(
        default="*", max_length=64, description="A team's name, with `*` and `?` for anything."
    )
    seconds: Whole = Field(default=3_600, ge=1, le=LONGEST)
    reason: str = Field(pattern=SAYS_SOMETHING, max_length=500)


class AlertRule(BaseModel):
    """A rule, and what it says by the configuration."""

    rule: Rule
    says: str


class RuleList(BaseModel):
    """All rules."""

    rules: list[AlertRule]


@router.get("/alerts", summary="List alerts, newest first")
async def list_alerts(
    *,
    _principal: PlatformViewer,
    proctor: Running,
    state: Annotated[list[AlertState], Query(max_length=4, description="None: whatever it is.")] = [],  # noqa: B006 - FastAPI copies it
    team: Wanted = "",
    rule: Rule | SkipJsonSchema[None] = None,
    after: After = "",
    limit: Limit = 50,
) -> Page[AlertLine]:
    """The page behind `after`; those that are over stay as history."""
    found = await proctor.alerts.page(
        states=state, team=team or None, rule=rule, before=after, limit=limit + 1
    )
    return page_of(found, limit, AlertLine.model_validate)


@router.get("/alerts/{id}", summary="Show an alert")
async def show_alert(id: AlertId, _principal: PlatformViewer, proctor: Running) -> AlertLine:
    """The alert, with the runs behind it."""
    return AlertLine.model_validate(await proctor.alerts.get(id))


@router.get("/alert-rules", summary="List the rules, and what they say")
async def list_rules(_principal: PlatformViewer, proctor: Running) -> RuleList:
    """By the configuration."""
    said = rules_in_force(proctor.settings.alerts)
    return RuleList(rules=[AlertRule(rule=rule, says=said[rule]) for rule in RULES])


@router.get("/silences", summary="List the silences that hold")
async def list_silences(_principal: PlatformViewer, proctor: Running) -> SilenceList:
    """Oldest first."""
    return SilenceList(
        silences=[SilenceLine.model_validate(each) for each in await proctor.alerts.silences()]
    )


@router.post("/silences", summary="Let nobody be told of some alerts for a while", status_code=201)
async def silence(body: ToSilence, principal: PlatformOperator, proctor: Running) -> SilenceLine:
    """The silence, which holds at once."""
    made = await proctor.alerts.silence(
        rule=body.rule or "*",
        team=body.team,
        span=timedelta(seconds=body.seconds),
        reason=body.reason,
        by=principal.name,
    )
    return SilenceLine.model_validate(made)


@router.delete("/silences/{id}", summary="End a silence")
async def unsilence(id: SilenceId, principal: PlatformOperator, proctor: Running) -> SilenceLine:
    """The silence, which has ended."""
    return SilenceLine.model_validate(await proctor.alerts.unsilence(id, by=principal.name))
