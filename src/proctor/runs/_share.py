"""Which runs, or what starts runs, a process executes."""

from sqlalchemy import ColumnElement, and_, or_, true

from proctor.runs._values import Share


def in_share(share: Share, team: ColumnElement[str], target: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether what stands for this team, of this place, is a process's to see to."""
    teams = true() if share.teams is None else team.in_(sorted(share.teams))
    if not share.place:
        return teams
    return and_(teams, or_(target.in_(("", share.place)), target == share.place + ":" + team))
