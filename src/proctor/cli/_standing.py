"""`proctor approvals standing`."""

from typing import Any

from cyclopts import App as Commands
from rich.text import Text

from proctor.approvals import Standing
from proctor.cli._options import ConfigFile, Json, Limit, this_user
from proctor.cli._output import console, instant, one_line, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.core import canonical_json

standing = Commands(
    name="standing", help="See and end what was approved in advance.", help_format="plaintext"
)


@standing.command(name="list")
def list_standing(
    *,
    team: str = "",
    after: str = "",
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the approvals that stand for later calls, oldest first.

    Parameters
    ----------
    team
        Only those of this team.
    after
        Only those behind this id: the last one of the page before.
    limit
        At most so many.
    """
    found = with_proctor(
        config, lambda proctor: proctor.runs.desk.standing(team=team, after=after, limit=limit)
    )
    if json:
        print_json([standing_json(given) for given in found])
        return
    if not found:
        console().print("Nothing is approved in advance.")
        return
    columns = ("standing", "team", "tool", "for", "until", "by", "arguments")
    rows = [
        (
            given.id,
            given.team,
            f"{given.server}.{given.tool}",
            {"run": given.run_id, "thread": given.thread_id or "", "day": "the day"}[given.scope],
            instant(given.expires_at),
            given.made_by,
            one_line(canonical_json(given.arguments) + ("" if given.exact else " and any others")),
        )
        for given in found
    ]
    print_table(console(), columns, rows)


@standing.command
def revoke(id: str, /, *, by: str | None = None, config: ConfigFile = None, json: Json = False) -> None:
    """End an approval that stands for later calls: they are asked about again.

    Parameters
    ----------
    id
        The standing approval's id.
    by
        Who ends it; else the user of this machine.
    """
    given = with_proctor(config, lambda proctor: proctor.runs.desk.revoke(id, by=by or this_user()))
    if json:
        print_json(standing_json(given))
    else:
        console().print(Text(f"Ended. Calls of {given.tool} are asked about again."))


def same_arguments(text: str | None) -> tuple[str, ...] | None:
    """The arguments that `--same` names."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip() not in ("", "none"))


def standing_json(given: Standing) -> dict[str, Any]:
    """A standing approval for programs."""
    return {
        "id": given.id,
        "team": given.team,
        "tenant": given.tenant,
        "server": given.server,
        "tool": given.tool,
        "scope": given.scope,
        "run": given.run_id,
        "thread": given.thread_id,
        "arguments": given.arguments,
        "exact": given.exact,
        "approval": given.approval_id,
        "by": given.made_by,
        "made_at": given.made_at,
        "expires_at": given.expires_at,
        "revoked_at": given.revoked_at,
        "revoked_by": given.revoked_by,
    }
