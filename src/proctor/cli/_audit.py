"""`proctor audit`."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Literal

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text
from sqlalchemy import Connection

from proctor import audit as record
from proctor import inspection
from proctor.app import Proctor, load_settings
from proctor.audit import Fault, Head, Position, Verified, Wanted
from proctor.cli._audit_report import (
    entry_json,
    finding_json,
    print_entries,
    print_findings,
    print_verified,
    report_json,
    report_markdown,
    verified_json,
)
from proctor.cli._options import ConfigFile, Json, Limit, WrongCall, read_period, this_user
from proctor.cli._output import console, print_json
from proctor.cli._reading import with_proctor
from proctor.core import ConfigurationError, Conflict

PRIVATE = 0o600
PAGE = 500

Since = Annotated[str | None, Parameter(help="From this day or time on.")]
Until = Annotated[str | None, Parameter(help="Up to this day or time, a day being whole.")]
Last = Annotated[str | None, Parameter(help="The last 30min, 12h, 7d.")]
Keys = Annotated[
    tuple[str, ...],
    Parameter(name="--key", help="A public key that is trusted, ed25519:…; several may be given."),
]

audit = Commands(
    name="audit",
    help="Read, check, export and report the record of who decided, changed, saw or overrode what.",
    help_format="plaintext",
)


@audit.command(name="list")
def list_entries(
    *,
    actor: str = "",
    action: str = "",
    thing: str = "",
    since: Since = None,
    until: Until = None,
    last: Last = None,
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the newest entries, newest first.

    Parameters
    ----------
    actor
        Only of this person, key or process.
    action
        Only this: `approval.decided`, or `approval` for all that begins so.
    thing
        Only on the thing with this id.
    limit
        At most so many.
    """
    wanted = _within(Wanted(actor=actor, action=action, thing=thing), since, until, last)

    def load(connection: Connection) -> tuple[record.Entry, ...]:
        return record.newest(connection, wanted, limit=limit)

    found = with_proctor(config, lambda proctor: proctor.database.read(load))
    if json:
        print_json([entry_json(entry) for entry in found])
    else:
        print_entries(found)


@audit.command
def verify(
    file: Path | None = None,
    /,
    *,
    heads: tuple[Path, ...] = (),
    key: Keys = (),
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Check the record, or an export of it: exit code 0 where all is as it was written, else 1.

    Parameters
    ----------
    file
        An export, which is checked by itself. Absent: the database.
    heads
        Files of signed heads that were kept elsewhere; else those that the configuration names, if they can
        be read here.
    """
    if file is not None:
        if heads:
            raise WrongCall("--heads are for the database, not for an export.")
        # An export may be checked where there is no configuration at all.
        found = record.verify_export(file, trusted=key or _configured_keys(config))
    else:
        found = with_proctor(config, lambda proctor: _verify(proctor, heads, key))
    if json:
        print_json(verified_json(found))
    else:
        print_verified(found)
    return 0 if found.sound else 1


@audit.command
def export(
    *,
    to: Path | None = None,
    actor: str = "",
    action: str = "",
    thing: str = "",
    since: Since = None,
    until: Until = None,
    last: Last = None,
    config: ConfigFile = None,
) -> None:
    """Write the record, or a part of it, as lines of JSON that prove themselves. That is an entry too.

    Parameters
    ----------
    to
        The file, which is made and readable by you alone; else standard output.
    actor
        Only of this person, key or process.
    action
        Only this: `approval.decided`, or `approval` for all that begins so.
    thing
        Only on the thing with this id.
    """
    wanted = _within(Wanted(actor=actor, action=action, thing=thing), since, until, last)
    with ExitStack() as stack:
        out: IO[bytes] = sys.stdout.buffer if to is None else stack.enter_context(_new_file(to))
        entries = with_proctor(
            config, lambda proctor: proctor.record.export(out.write, wanted, by=this_user())
        )
        out.flush()
    if to is not None:
        console(stderr=True).print(Text(f"{entries:,} entries are written to {to}."))


@audit.command
def report(
    *,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    format: Literal["markdown", "json"] = "markdown",
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Tell who decided, overrode, changed and saw how much in a period, and what inspections found.

    Parameters
    ----------
    format
        Markdown for people, or JSON.
    """
    begin, end = read_period(since, until, last, datetime.now(UTC))

    def load(connection: Connection) -> inspection.Report:
        return inspection.report(connection, since=begin, until=end)

    made = with_proctor(config, lambda proctor: proctor.database.read(load))
    if json or format == "json":
        print_json(report_json(made))
    else:
        console().out(report_markdown(made))


@audit.command
def heads(*, sign: Annotated[bool, Parameter(negative="")] = False, config: ConfigFile = None) -> None:
    """Check the record, and print how far it has come, as one signed line to be kept elsewhere.

    Parameters
    ----------
    sign
        Keep it in the places that the configuration names, too.
    """

    async def work(proctor: Proctor) -> Head:
        signer = proctor.record.signer
        if signer is None:
            raise ConfigurationError(
                "No key is configured that could sign.", hint="`proctor audit key FILE` makes one."
            )
        if sign:
            await proctor.record.end()
        heads, trusted = proctor.record.kept_heads(), proctor.record.trusted

        def check(connection: Connection) -> tuple[Verified, Position | None]:
            found = record.verify(connection, heads=heads, trusted=trusted)
            return found, record.stands(connection)

        found, position = await proctor.database.read_long(check)
        if not found.sound:
            raise Conflict(f"The record is broken: {found.faults[0]}.", hint="See `proctor audit verify`.")
        if position is None:
            raise Conflict("The record has no entry yet.")
        return record.sign(position, signer, datetime.now(UTC))

    print_json(with_proctor(config, work).as_json())


@audit.command
def key(file: Path, /, *, json: Json = False) -> None:
    """Make the key that signs heads and exports. Its public part is printed: keep that elsewhere.

    Parameters
    ----------
    file
        Where it is kept, readable by you alone; `[audit] key_file` names it.
    """
    made = record.make_key(file)
    if json:
        print_json({"file": str(file), "public_key": made.public})
        return
    out = console()
    out.print(Text(f"{file} holds the key: [audit] key_file names it, or its line stands in key_env."))
    out.print(Text(f"Public key: {made.public}"))


@audit.command
def inspect(
    *,
    since: Since = None,
    last: Last = None,
    all: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Hold books, approvals, policies, retention and pins against the journal: exit code 1 if one is off.

    Parameters
    ----------
    all
        Show also what was found before and is gone by now.
    """
    begin, _ = read_period(since, None, last, datetime.now(UTC))

    async def work(proctor: Proctor) -> tuple[inspection.Inspected, tuple[inspection.Filed, ...]]:
        done = await proctor.record.inspector.inspect(begin, by=this_user())
        found: list[inspection.Filed] = []
        after = ""
        while page := await proctor.database.read(partial(inspection.page, all=all, after=after, limit=PAGE)):
            found += page
            after = page[-1].id
        return done, tuple(found)

    done, found = with_proctor(config, work)
    if json:
        print_json(
            {
                "since": done.period.since,
                "until": done.period.until,
                "found": done.found,
                "new": [filed.id for filed in done.fresh],
                "findings": [finding_json(filed) for filed in found],
            }
        )
    else:
        print_findings(found, new=len(done.fresh))
    return 1 if any(filed.gone_at is None for filed in found) else 0


async def _verify(proctor: Proctor, files: Sequence[Path], keys: Sequence[str]) -> Verified:
    given: list[Head] | None = None
    faults: list[Fault] = []
    for file in files:
        read, wrong = record.read_heads(file)
        given = [*(given or ()), *read]
        faults += wrong
    if given is None:
        given = list(proctor.record.kept_heads())
    trusted = frozenset(keys) or proctor.record.trusted
    found = await proctor.database.read(
        lambda connection: record.verify(connection, heads=given, trusted=trusted)
    )
    if not faults:
        return found
    return Verified(
        entries=found.entries, heads=found.heads, faults=(*faults, *found.faults), unproven=found.unproven
    )


def _configured_keys(config: Path | None) -> frozenset[str]:
    settings = load_settings(config).settings.audit
    try:
        signer = record.load_signer(settings)
    except ConfigurationError:
        signer = None
    own = {signer.public} if signer is not None else set()
    return frozenset({*settings.trusted, *own})


def _within(wanted: Wanted, since: str | None, until: str | None, last: str | None) -> Wanted:
    """What is wanted, in a period where one is named; else of all times."""
    if since is None and until is None and last is None:
        return wanted
    begin, end = read_period(since, until, last, datetime.now(UTC))
    return replace(wanted, since=begin, until=end)


def _new_file(file: Path) -> IO[bytes]:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError:
        raise Conflict(f"{file} is there already.", hint="Name another file.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error
    return os.fdopen(descriptor, "wb")
