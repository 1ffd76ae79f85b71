"""`proctor keys`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.access import OVERLAP, Key, KeyState, NewKey, Role
from proctor.app import Proctor
from proctor.cli._options import ConfigFile, Json, Limit, WrongCall, read_duration, this_user
from proctor.cli._output import age, console, instant, print_json, print_table
from proctor.cli._reading import with_proctor

_MOODS: dict[KeyState, str] = {"active": "green", "expired": "dim", "revoked": "red"}

keys = Commands(
    name="keys", help="Make, list, rotate and revoke keys to the server.", help_format="plaintext"
)


@keys.command
def create(
    name: str,
    /,
    *,
    role: Annotated[Sequence[Role], Parameter(negative="", consume_multiple=False)] = (),
    tenant: str | None = None,
    person: str = "",
    expires: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make a key. Its secret is printed this once; the database holds a hash of it.

    Parameters
    ----------
    name
        What the key is for: letters, digits, dots, - and _. It signs what it does as `key:NAME`.
    role
        viewer, operator, approver, auditor or admin; may be given several times.
    tenant
        The one tenant whose things it opens; else those of all.
    person
        Whose own key it is: then what it decides is signed with this name.
    expires
        How long it holds, as 90d; else till it is revoked.
    """
    if not role:
        raise WrongCall("A key needs a role.", hint="Add --role viewer, or another one.")
    life = None if expires is None else read_duration(expires)

    async def work(proctor: Proctor) -> NewKey:
        return await proctor.keys.create(
            name, roles=role, by=this_user(), tenant=tenant, person=person, life=life
        )

    _print_new(with_proctor(config, work), as_json=json)


@keys.command(name="list")
def list_keys(*, limit: Limit = 50, config: ConfigFile = None, json: Json = False) -> None:
    """List the keys, newest first, also those that hold no more.

    Parameters
    ----------
    limit
        At most so many.
    """
    found = with_proctor(config, lambda proctor: proctor.keys.page(limit=limit))
    now = datetime.now(UTC)
    if json:
        print_json([_told(key, now) for key in found])
        return
    if not found:
        console().print("There are no keys yet.")
        return
    rows = [
        (
            key.id,
            Text(key.state(now), style=_MOODS[key.state(now)]),
            key.name,
            ", ".join(sorted(key.roles)),
            key.tenant or "all",
            age((now - key.used_at).total_seconds()) if key.used_at else "never",
            instant(key.expires_at) if key.expires_at else "",
            key.person,
        )
        for key in found
    ]
    print_table(console(), ("id", "", "name", "roles", "tenant", "used", "expires", "person"), rows)


@keys.command
def rotate(
    key_id: str,
    /,
    *,
    overlap: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Give a key a successor with the same rights; the key itself goes on for a while.

    Parameters
    ----------
    key_id
        The key's id, as `proctor keys list` shows it.
    overlap
        How long it goes on, as 1h; else a day.
    """
    span = OVERLAP if overlap is None else read_duration(overlap)

    async def work(proctor: Proctor) -> NewKey:
        return await proctor.keys.rotate(key_id, by=this_user(), overlap=span)

    _print_new(with_proctor(config, work), as_json=json)


@keys.command
def revoke(key_id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Revoke a key: servers refuse it within two seconds.

    Parameters
    ----------
    key_id
        The key's id, as `proctor keys list` shows it.
    """
    key = with_proctor(config, lambda proctor: proctor.keys.revoke(key_id, by=this_user()))
    if json:
        print_json(_told(key, datetime.now(UTC)))
    else:
        console().print(Text(f"Key {key.name} ({key.id}) is revoked."))


def _print_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json({**_told(made.key, made.key.created_at), "token": made.token})
        return
    console(stderr=True).print(Text(f"Key {made.key.id}. Keep what follows: it is shown this once."))
    console().print(Text(made.token), soft_wrap=True)


def _told(key: Key, at: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "person": key.person,
        "roles": sorted(key.roles),
        "tenant": key.tenant,
        "state": key.state(at),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "successor": key.successor,
        "used_at": key.used_at,
    }
