"""`proctor keys`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.access import OVERLAP, KeyState, NewKey, Role, ShutOut, shut_out
from proctor.app import Proctor
from proctor.cli._options import ConfigFile, Json, Limit, WrongCall, read_duration, this_user
from proctor.cli._output import age, console, print_json, print_table
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
        print_json([key.told(now) for key in found])
        return
    if not found:
        console().print("There are no keys yet.")
        return
    rows = [
        (
            key.id,
            Text(key.state(now), style=_MOODS[key.state(now)]),
            f"{key.name} of {key.person}" if key.person else key.name,
            ", ".join(sorted(key.roles)),
            key.tenant or "all",
            age((now - key.used_at).total_seconds()) if key.used_at else "never",
            f"in {age((key.expires_at - now).total_seconds())}"
            if key.expires_at and key.state(now) == "active"
            else "",
        )
        for key in found
    ]
    print_table(console(), ("id", "", "name", "roles", "tenant", "used", "expires"), rows)


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
def revoke(
    key_id: str | None = None,
    /,
    *,
    person: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Revoke a key, or all that opens the server in a person's name: it is refused within two seconds.

    Parameters
    ----------
    key_id
        The key's id, as `proctor keys list` shows it.
    person
        Whose own keys are revoked, and whose sessions end. Whoever the identity provider still lets in can
        sign in anew.
    """
    if person is not None and key_id is None:
        _shut_out(person, config, as_json=json)
        return
    if key_id is None or person is not None:
        raise WrongCall("A key is revoked, or a person.", hint="Give a key's id, or --person.")
    key = with_proctor(config, lambda proctor: proctor.keys.revoke(key_id, by=this_user()))
    if json:
        print_json(key.told(datetime.now(UTC)))
    else:
        console().print(Text(f"Key {key.name} ({key.id}) is revoked."))


def _shut_out(person: str, config: Path | None, *, as_json: bool) -> None:
    async def work(proctor: Proctor) -> ShutOut:
        return await shut_out(proctor.database, person, by=this_user(), clock=proctor.clock)

    done = with_proctor(config, work)
    if as_json:
        now = datetime.now(UTC)
        print_json({"keys": [key.told(now) for key in done.keys], "sessions": done.sessions})
    else:
        console().print(Text(f"{person}: {len(done.keys)} keys are revoked, {done.sessions} sessions ended."))


def _print_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json(made.told())
        return
    console(stderr=True).print(Text(f"Key {made.key.id}. Keep what follows: it is shown this once."))
    console().print(Text(made.token), soft_wrap=True)
