"""`proctor notices`."""

from dataclasses import asdict
from datetime import UTC, datetime

from cyclopts import App as Commands
from rich.text import Text

from proctor.cli._options import ConfigFile, Json, Limit
from proctor.cli._output import age, console, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.notices import State

_MOODS: dict[State, str] = {"pending": "yellow", "sent": "green", "failed": "red", "dropped": "dim"}

notices = Commands(name="notices", help="See who was told of what, and try it.", help_format="plaintext")


@notices.command(name="list")
def list_notices(
    *,
    state: State | None = None,
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the messages about approvals and alerts, newest first.

    Parameters
    ----------
    state
        Only messages in this state.
    limit
        At most so many.
    """
    found = with_proctor(config, lambda proctor: proctor.notices.page(state=state, limit=limit))
    if json:
        print_json([asdict(notice) for notice in found])
        return
    if not found:
        console().print("There are no such messages." if state else "Nobody was told of anything yet.")
        return
    now = datetime.now(UTC)
    rows = [
        (
            Text(notice.state, style=_MOODS[notice.state]),
            notice.kind,
            notice.subject,
            notice.audience,
            notice.target,
            age((now - notice.created_at).total_seconds()),
            str(notice.attempts),
            notice.error,
        )
        for notice in found
    ]
    columns = ("state", "what", "about", "role", "target", "age", "tries", "last error")
    print_table(console(), columns, rows, right=("age", "tries"))


@notices.command(name="test")
def send_test(role: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Send a test message to all addresses of a role, and tell which of them failed.

    Parameters
    ----------
    role
        A role of the configuration.
    """
    found = with_proctor(config, lambda proctor: proctor.notices.test(role))
    if json:
        print_json({target: {"sent": not error, "error": error} for target, error in found.items()})
    elif found:
        rows = [
            (Text("failed", style="red") if error else Text("sent", style="green"), target, error)
            for target, error in found.items()
        ]
        print_table(console(), ("", "target", "error"), rows)
    else:
        console().print(Text(f"Role {role} has no addresses: add notify = […] to [roles.{role}]."))
    return 1 if not found or any(found.values()) else 0
