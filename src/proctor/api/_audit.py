"""The record of who decided, changed, saw or overrode what, and what inspections found."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from proctor import audit, inspection
from proctor.api._caller import Auditor, Running
from proctor.api._pages import After, Limit, Page, page_of
from proctor.api._platform import PlatformAuditor, tenant_of
from proctor.api._texts import Instant, Sent, Shown, Since, Storable, Until, Wanted, period
from proctor.audit import Entry, FaultKind
from proctor.inspection import FindingKind, Part, Severity, part_of

router = APIRouter(tags=["audit"])

USUAL = timedelta(days=30)
MEDIA = "application/jsonl"
IN_MEMORY = 1 << 20
"""Bytes of an export that are kept in memory, and read at once."""

Behind = Annotated[str, Query(pattern=r"^[0-9]{0,15}$", description="The `next` of the page before.")]


class EntryLine(BaseModel):
    """That somebody decided, changed, saw or overrode something."""

    seq: int = Field(description="Its number, from 1 without a gap.")
    at: AwareDatetime
    actor: str
    action: str
    thing: str
    tenant: str = Field(description="Empty: the platform's.")
    data: dict[str, Any]
    previous: str = Field(description="The hash of the entry before it.")
    hash: str


class FaultLine(Shown):
    """Something that isn't as it was written."""

    kind: FaultKind
    seq: int = Field(description="The first entry of which that is known; 0: it is about none.")
    text: str


class Checked(BaseModel):
    """What a check of the record came to."""

    sound: bool
    entries: int
    heads: int = Field(description="Signed heads that it was held against.")
    faults: list[FaultLine]
    unproven: list[str] = Field(description="What the check can't tell with what it was given.")


class ToExport(Sent):
    """Which entries: all that are asked for together; what isn't said counts as any."""

    since: Instant | None = None
    until: Instant | None = None
    actor: Storable = Field(default="", max_length=200)
    action: Storable = Field(
        default="", max_length=200, description="`approval.decided`, or `approval` for all such."
    )
    thing: Storable = Field(default="", max_length=200)


class FindingLine(Shown):
    """Something that isn't as it should be."""

    id: str
    kind: FindingKind
    severity: Severity
    run_id: str
    thing: str
    text: str
    todo: str = Field(description="What to do about it.")
    first_at: AwareDatetime
    last_at: AwareDatetime
    gone_at: AwareDatetime | None = Field(description="When an inspection found it no more.")


class Deed(BaseModel):
    """How often somebody did something."""

    action: str
    actor: str
    times: int
    last_at: AwareDatetime


class Told(BaseModel):
    """What the record says of a period."""

    since: AwareDatetime
    until: AwareDatetime
    deeds: dict[Part, list[Deed]]
    overruled: list[EntryLine] = Field(description="Decisions of people that weren't a plain yes.")
    findings: list[FindingLine] = Field(description="Found in the period, or before and still there.")


@router.get("/audit/entries", summary="List the record, newest first")
async def list_entries(
    *,
    principal: Auditor,
    proctor: Running,
    since: Since = None,
    until: Until = None,
    actor: Wanted = "",
    action: Annotated[Wanted, Query(description="`approval.decided`, or `approval` for all such.")] = "",
    thing: Wanted = "",
    tenant: Wanted = "",
    after: Behind = "",
    limit: Limit = 50,
) -> Page[EntryLine]:
    """The page behind `after`. Who belongs to a tenant is shown what was done to its things."""
    wanted = audit.Wanted(
        since=since, until=until, actor=actor, action=action, thing=thing, tenant=tenant_of(principal, tenant)
    )
    found = await proctor.database.read_long(
        partial(audit.newest, wanted=wanted, before=int(after or 0), limit=limit + 1)
    )
    return page_of(found, limit, _entry, place=lambda entry: str(entry.seq))


@router.get("/audit/verification", summary="Check that the record is as it was written")
async def verify_record(_principal: PlatformAuditor, proctor: Running) -> Checked:
    """Reads the whole record, and holds it against the signed heads that this server can read."""
    record = proctor.record
    heads = await to_thread(record.kept_heads)
    found = await proctor.database.read_long(partial(audit.verify, heads=heads, trusted=record.trusted))
    return Checked(
        sound=found.sound,
        entries=found.entries,
        heads=found.heads,
        faults=[FaultLine.model_validate(fault) for fault in found.faults],
        unproven=list(found.unproven),
    )


@router.post(
    "/audit/exports",
    summary="Export the record, or a part of it, as lines of JSON that prove themselves",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA: {"schema": {"type": "string"}}}, "description": "The export"}},
)
async def export_record(body: ToExport, principal: PlatformAuditor, proctor: Running) -> StreamingResponse:
    """The entries, and a manifest as the last line. That somebody exports is an entry too."""
    wanted = audit.Wanted(
        since=body.since, until=body.until, actor=body.actor, action=body.action, thing=body.thing
    )
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    with ExitStack() as failing:
        failing.callback(file.close)
        await proctor.record.export(file.write, wanted, by=principal.name)
        await to_thread(file.seek, 0)
        failing.pop_all()
    return StreamingResponse(_pieces(file), media_type=MEDIA)


@router.get("/audit/findings", summary="List what inspections found, oldest first")
async def list_findings(
    _principal: PlatformAuditor,
    proctor: Running,
    *,
    all: Annotated[bool, Query(description="Also what is gone by now.")] = False,
    after: After = "",
    limit: Limit = 50,
) -> Page[FindingLine]:
    """The page behind `after`."""
    found = await proctor.database.read(partial(inspection.page, all=all, after=after, limit=limit + 1))
    return page_of(found, limit, FindingLine.model_validate)


@router.get("/audit/report", summary="Tell who did how much in a period, and what was found")
async def report_period(
    _principal: PlatformAuditor, proctor: Running, since: Since = None, until: Until = None
) -> Told:
    """Of the last 30 days, where no time is given."""
    begin, end = period(since, until, now=proctor.clock.now(), usual=USUAL)
    made = await proctor.database.read_long(partial(inspection.report, since=begin, until=end))
    deeds: dict[Part, list[Deed]] = {part: [] for part in get_args(Part)}
    for each in made.deeds:
        deed = Deed(action=each.action, actor=each.actor, times=each.times, last_at=each.last_at)
        deeds[part_of(each.action)].append(deed)
    return Told(
        since=begin,
        until=end,
        deeds=deeds,
        overruled=[_entry(each) for each in made.overruled],
        findings=[FindingLine.model_validate(each) for each in made.findings],
    )


async def _pieces(file: "SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
    with file:
        while piece := await to_thread(file.read, IN_MEMORY):
            yield piece


def _entry(entry: Entry) -> EntryLine:
    return EntryLine(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        thing=entry.thing,
        tenant=entry.tenant,
        data=dict(entry.details),
        previous=entry.previous,
        hash=entry.hash,
    )
