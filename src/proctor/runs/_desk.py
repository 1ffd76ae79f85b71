"""What people and time decide on waiting runs.

Each step, its events and the run's going on are one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from proctor import approvals, audit
from proctor.approvals import Approval, Filter, Roles, Standing
from proctor.core import Clock, Conflict, Decision, EventType, Forbidden, InvalidInput, JsonObject, JsonValue
from proctor.runs import _sql
from proctor.runs._sql import EventDraft
from proctor.store import Database

PROCTOR = "proctor"
"""Who acts in the record where no person does."""

PAGE = 200
"""Questions that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What became of many questions that one person rejected together."""

    rejected: tuple[Approval, ...]
    left: tuple[tuple[Approval, str], ...]
    """Those that this person couldn't reject, each with the reason."""


class Desk:
    """The questions of the runs of one database, and who decides them."""

    def __init__(self, database: Database, *, clock: Clock, roles: Roles) -> None:
        self._database = database
        self._clock = clock
        self._roles = roles

    async def decide(
        self,
        approval_id: str,
        decision: Decision,
        *,
        also: Callable[[Connection], None] | None = None,
        link_of: str = "",
    ) -> Approval:
        """The approval after a person's answer. Where that decides it, its run is queued again.

        `also` is done before, in the same transaction: what it refuses isn't decided. `link_of` is the role
        whose link was used: only who has checked the link may say so.

        Raises:
            NotFound: there is no such approval.
            Conflict: it is decided already, or about another action by now; or this person has voted.
            Forbidden: this person doesn't decide it.
            InvalidInput: the answer doesn't fit the question.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> Approval:
            if also is not None:
                also(connection)
            _hold(connection, approval_id)
            approval = approvals.decide(
                connection, id=approval_id, decision=decision, at=at, roles=self._roles, link_of=link_of
            )
            _log(connection, approval, *_of_decision(approval, decision), at=at)
            _note(connection, approval, decision, at=at, link_of=link_of)
            return approval

        return await self._database.commit(apply)

    async def delegate(self, approval_id: str, *, by: str, to: str) -> Approval:
        """The approval after a member of a deciding role has handed the decision to another person, or back.

        Raises:
            NotFound: there is no such approval.
            Conflict: it is decided; anybody may decide it; one of both has voted; too few would be left.
            Forbidden: the one can't hand it on, or the other mustn't decide.
            InvalidInput: the other name is nobody's.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> Approval:
            _hold(connection, approval_id)
            approval = approvals.delegate(connection, id=approval_id, by=by, to=to, at=at, roles=self._roles)
            data = {"id": approval.id, "by": by, "to": to}
            _log(connection, approval, "approval.delegated", data, at=at)
            audit.append(
                connection,
                at=at,
                actor=by,
                action="approval.delegated",
                thing=approval.id,
                tenant=approval.tenant,
                data={"run": approval.run_id, "to": to},
            )
            return approval

        return await self._database.commit(apply)

    async def reject_all(self, wanted: Filter, *, by: str, comment: str = "") -> Rejected:
        """What becomes of all pending questions that a filter finds when one person rejects them."""
        rejected: list[Approval] = []
        left: list[tuple[Approval, str]] = []
        decision = Decision(kind="reject", by=by, comment=comment)
        after = ""
        while found := await self.page(wanted, after=after, limit=PAGE):
            after = found[-1].id
            for approval in found:
                try:
                    rejected.append(await self.decide(approval.id, decision))
                except (Conflict, Forbidden, InvalidInput) as refusal:
                    left.append((approval, refusal.message))
        return Rejected(rejected=tuple(rejected), left=tuple(left))

    async def expire(self) -> tuple[str, ...]:
        """Ids of runs that are queued again because nobody decided in time; other questions are passed on."""
        now = self._clock.now()
        queued: list[str] = []

        def apply(approval_id: str, connection: Connection) -> Approval | None:
            _hold(connection, approval_id)
            approval = approvals.expire(connection, approval_id, now)
            if approval is not None:
                happened, data = _of_expiry(approval)
                _log(connection, approval, happened, data, at=now)
                audit.append(
                    connection,
                    at=now,
                    actor=PROCTOR,
                    action=happened,
                    thing=approval.id,
                    tenant=approval.tenant,
                    data={**data, "run": approval.run_id},
                )
            return approval

        due = await self._database.read(lambda connection: approvals.overdue(connection, now, limit=PAGE))
        for approval_id in due:
            settled = await self._database.commit(partial(apply, approval_id))
            if settled is not None and settled.state == "decided":
                queued.append(settled.run_id)
        return tuple(queued)

    async def get(self, approval_id: str, *, tenant: str | None = None) -> Approval:
        """One approval, of one tenant where it is named.

        Raises:
            NotFound: there is no such approval.
        """
        return await self._database.read(
            lambda connection: approvals.get(connection, approval_id, tenant=tenant)
        )

    async def page(
        self, wanted: Filter | None = None, *, after: str = "", limit: int = 50
    ) -> tuple[Approval, ...]:
        """A page of approvals, oldest first, from behind the id `after`."""

        def query(connection: Connection) -> tuple[Approval, ...]:
            return approvals.page(connection, wanted or Filter(), self._roles, after=after, limit=limit)

        return await self._database.read(query)

    async def standing(
        self, *, team: str = "", tenant: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[Standing, ...]:
        """A page of the standing approvals that hold, oldest first, from behind the id `after`."""
        now = self._clock.now()
        return await self._database.read(
            lambda connection: approvals.standing_page(
                connection, now=now, team=team, tenant=tenant, after=after, limit=limit
            )
        )

    async def revoke(self, standing_id: str, *, by: str, tenant: str | None = None) -> Standing:
        """A standing approval that answers nothing any more.

        Raises:
            NotFound: there is no such one.
            Conflict: it was revoked before.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> Standing:
            given = approvals.revoke(connection, standing_id, by=by, at=at, tenant=tenant)
            audit.append(
                connection, at=at, actor=by, action="standing.revoked", thing=given.id, tenant=given.tenant
            )
            return given

        return await self._database.commit(apply)


def _hold(connection: Connection, approval_id: str) -> None:
    """Locks the run before the question: whoever executes or cancels the run takes them in this order too."""
    _sql.append(connection, approvals.get(connection, approval_id).run_id, None, ())


def _log(
    connection: Connection, approval: Approval, type: EventType, data: JsonObject, *, at: datetime
) -> None:
    draft = EventDraft(type=type, agent=approval.agent, data=data, at=at)
    _sql.append(connection, approval.run_id, None, [draft])
    if approval.state == "decided":
        _sql.move(connection, approval.run_id, allowed=("waiting",), to="queued")


def _note(
    connection: Connection, approval: Approval, decision: Decision, *, at: datetime, link_of: str
) -> None:
    """Enters in the record who decided what about which action."""
    settled = approval.state == "decided"
    data: dict[str, JsonValue] = {
        "run": approval.run_id,
        "question": approval.question.kind,
        "decision": decision.kind,
        "digest": approval.digest,
        "stage": approval.stage,
    }
    if decision.standing is not None:
        data["standing"] = decision.standing
    if link_of:
        data["link_of"] = link_of
    audit.append(
        connection,
        at=at,
        actor=decision.by,
        action="approval.decided" if settled else "approval.voted",
        thing=approval.id,
        tenant=approval.tenant,
        data=data,
    )


def _of_decision(approval: Approval, decision: Decision) -> tuple[EventType, JsonObject]:
    data: dict[str, JsonValue] = {"id": approval.id}
    if approval.state != "decided" or approval.decision is None:
        data |= {"decision": decision.kind, "stage": approval.stage, "digest": approval.digest}
        settled: EventType = "approval.voted"
    else:
        data |= {"decision": approval.decision.kind}
        settled = "approval.decided"
    data |= {"by": decision.by, "comment": decision.comment}
    if decision.arguments is not None:
        data["arguments"] = decision.arguments
    return settled, data


def _of_expiry(approval: Approval) -> tuple[EventType, JsonObject]:
    if approval.decision is None:
        return "approval.escalated", {"id": approval.id, "to": ", ".join(approval.roles)}
    return "approval.expired", {"id": approval.id, "outcome": approval.decision.kind}
