"""What was approved in advance, and how people decide."""

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias, get_args

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from proctor.api._caller import Approver, Running, Viewer
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import PlatformAuditor, tenant_of
from proctor.api._texts import Shown, Since, Until, Wanted, id_of, period
from proctor.app import reviewers
from proctor.approvals import Reviewer
from proctor.core import DecisionKind, StandingScope

router = APIRouter(tags=["approvals"])

StandingId: TypeAlias = Annotated[str, id_of("std")]

USUAL = timedelta(days=30)


class InAdvance(Shown):
    """An approval given in advance."""

    id: str
    team: str
    tenant: str
    server: str
    tool: str
    scope: StandingScope
    run_id: str
    thread_id: str | None
    arguments: dict[str, Any] = Field(description="Arguments that a call must have.")
    exact: bool = Field(description="Whether it may have no others.")
    approval_id: str = Field(description="Where it was given.")
    made_by: str
    made_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None
    revoked_by: str | None


class Seconds(Shown):
    """How long many decisions took."""

    median: float
    p90: float


class Agreed(Shown):
    """How often two said the same of one thing."""

    compared: int
    agreed: int


class Suspect(Shown):
    """What looks as if somebody approved without looking. A reason to ask, and no proof."""

    kind: Literal["glance", "unread", "burst"]
    text: str


class ReviewerLine(BaseModel):
    """How one person has decided."""

    name: str
    who: Literal["person", "link", "unnamed"]
    decisions: int
    kinds: dict[DecisionKind, int]
    approved: float = Field(description="The part that was approved as it was asked for.")
    waited_s: Seconds = Field(description="From the question to the decision.")
    told_s: Seconds | None = Field(description="From the first notice.")
    looked_s: Seconds = Field(description="What a decision can have taken at most.")
    others: Agreed = Field(description="With each other person who voted on the same thing.")
    judge: Agreed = Field(description="With the judge model.")
    signs: list[Suspect]


class Reviewers(BaseModel):
    """How people decide, the busiest first."""

    since: AwareDatetime
    until: AwareDatetime
    reviewers: list[ReviewerLine]


@router.get("/standing-approvals", summary="List what was approved in advance and holds, oldest first")
async def list_standing(
    *,
    principal: Viewer,
    proctor: Running,
    team: Wanted = "",
    tenant: Wanted = "",
    after: After = "",
    limit: Limit = 50,
) -> Page[InAdvance]:
    """The page behind `after`."""
    found = await proctor.runs.desk.standing(
        team=team, tenant=tenant_of(principal, tenant), after=after, limit=limit + 1
    )
    return page_of(found, limit, InAdvance.model_validate)


@router.delete("/standing-approvals/{id}", summary="End what was approved in advance")
async def revoke_standing(id: StandingId, principal: Approver, proctor: Running) -> InAdvance:
    """What answers nothing any more: such calls are asked about again."""
    desk = proctor.runs.desk
    return InAdvance.model_validate(await desk.revoke(id, by=principal.name, tenant=tenant_of(principal)))


@router.get("/reviewers", summary="Show how people decide, and what looks like rubber stamping")
async def list_reviewers(
    _principal: PlatformAuditor, proctor: Running, since: Since = None, until: Until = None, role: Wanted = ""
) -> Reviewers:
    """Everybody who decided something; of the last 30 days, where no time is given."""
    begin, end = period(since, until, now=proctor.clock.now(), usual=USUAL)
    found = await reviewers(proctor.database, since=begin, until=end, role=role)
    return Reviewers(since=begin, until=end, reviewers=[_reviewer(each) for each in found])


def _reviewer(each: Reviewer) -> ReviewerLine:
    return ReviewerLine(
        name=each.name,
        who=each.who,
        decisions=each.decisions,
        kinds={kind: each.kinds[kind] for kind in get_args(DecisionKind)},
        approved=round(each.approved, 4),
        waited_s=Seconds.model_validate(each.waited),
        told_s=None if each.told is None else Seconds.model_validate(each.told),
        looked_s=Seconds.model_validate(each.looked),
        others=Agreed.model_validate(each.others),
        judge=Agreed.model_validate(each.judge),
        signs=[Suspect.model_validate(sign) for sign in each.signs],
    )
