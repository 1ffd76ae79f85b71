"""`proctor privacy`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, TypeAlias

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from proctor.app import Proctor
from proctor.cli._options import ConfigFile, Json, Limit, WrongCall, this_user
from proctor.cli._output import console, instant, one_line, print_json, print_table
from proctor.cli._privacy_report import (
    consent_json,
    hold_json,
    print_erasure,
    print_survey,
    print_unclean,
    stone_json,
    survey_json,
    tell_consent,
)
from proctor.cli._reading import with_proctor
from proctor.core import InvalidInput, VaultSettings
from proctor.privacy import Consent, Erasure, Hold, HoldKind, Scrubbed, Standing, Subject

Of: TypeAlias = Annotated[str, Parameter(help="The person, as runs name them.")]
Tenant: TypeAlias = Annotated[str, Parameter(help="Whose customer that is.")]
By: TypeAlias = Annotated[str | None, Parameter(help="Who records it; else the user of this machine.")]

privacy = Commands(
    name="privacy",
    help="Record consents, tell people what is held on them, and erase it.",
    help_format="plaintext",
)
consent = Commands(name="consent", help="Record what people consent to.", help_format="plaintext")
hold = Commands(name="hold", help="Keep what must not be erased.", help_format="plaintext")
privacy.command(consent)
privacy.command(hold)


@consent.command
def give(
    *,
    subject: Of,
    purpose: str,
    version: str = "",
    channel: str = "",
    tenant: Tenant = "default",
    by: By = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Record that a person consents.

    Parameters
    ----------
    purpose
        What to, as [privacy.purposes] names it.
    version
        The text that was agreed to; else the one that the purpose demands now.
    channel
        How it came: web, phone, paper.
    """
    who, recorder = Subject(name=subject, tenant=tenant), this_user() if by is None else by

    async def work(proctor: Proctor) -> Consent:
        return await proctor.privacy.give(who, purpose, version=version, channel=channel, by=recorder)

    tell_consent(with_proctor(config, work), json=json)


@consent.command
def withdraw(
    *,
    subject: Of,
    purpose: str,
    channel: str = "",
    tenant: Tenant = "default",
    by: By = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Record that a person consents no more. Their runs for that purpose stop.

    Parameters
    ----------
    purpose
        What to, as [privacy.purposes] names it.
    channel
        How it came: web, phone, paper.
    """
    who, recorder = Subject(name=subject, tenant=tenant), this_user() if by is None else by

    async def work(proctor: Proctor) -> Consent:
        return await proctor.privacy.withdraw(who, purpose, channel=channel, by=recorder)

    tell_consent(with_proctor(config, work), json=json)


@consent.command(name="list")
def list_consents(
    *,
    subject: str | None = None,
    purpose: str | None = None,
    tenant: Tenant = "default",
    after: int = 0,
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List what people said, in its order, and with --subject what of it lives.

    Parameters
    ----------
    subject
        Only of this person.
    purpose
        Only to this purpose.
    after
        Only what was recorded after this number.
    limit
        At most so many.
    """
    who = None if subject is None else Subject(name=subject, tenant=tenant)

    async def load(proctor: Proctor) -> tuple[tuple[Consent, ...], dict[str, Standing]]:
        said = await proctor.privacy.consents(who, tenant=tenant, purpose=purpose, after=after, limit=limit)
        return said, {} if who is None else await proctor.privacy.standing(who)

    said, stands = with_proctor(config, load)
    living = {each.last.number for each in stands.values() if each.lives}
    if json:
        more = [{"lives": each.number in living} if who else {} for each in said]
        print_json([consent_json(each) | lives for each, lives in zip(said, more, strict=True)])
        return
    if not said:
        console().print("Nothing was said.")
        return
    rows = [
        (
            str(each.number),
            instant(each.at),
            each.act + (" (lives)" if each.number in living else ""),
            each.purpose,
            each.version,
            each.channel,
            each.recorded_by,
            each.subject,
        )
        for each in said
    ]
    columns = ("no.", "at", "what", "purpose", "text", "channel", "recorded by", "subject")
    print_table(console(), columns, rows, right=("no.",), overflow="ellipsis")


@hold.command
def place(
    *,
    reason: str,
    subject: str | None = None,
    run: str | None = None,
    kind: HoldKind = "legal",
    tenant: Tenant = "default",
    by: By = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Keep all of a person, or one run: nothing of it is erased, nor deleted for its age.

    Parameters
    ----------
    reason
        Why.
    subject
        The person, as runs name them.
    run
        The run's id.
    kind
        legal keeps; restriction keeps, and lets nothing be processed, either.
    """
    if (subject is None) == (run is None):
        raise WrongCall("A hold is on a person, or on a run.", hint="Add --subject or --run.")
    who = None if subject is None else Subject(name=subject, tenant=tenant)
    placer = this_user() if by is None else by

    async def work(proctor: Proctor) -> Hold:
        return await proctor.privacy.hold(subject=who, run_id=run or "", kind=kind, reason=reason, by=placer)

    made = with_proctor(config, work)
    if json:
        print_json(hold_json(made))
    else:
        console().print(Text(f"Hold {made.id} holds. To end it: proctor privacy hold release {made.id}"))


@hold.command
def release(id: str, /, *, by: By = None, config: ConfigFile = None, json: Json = False) -> None:
    """End a hold.

    Parameters
    ----------
    id
        The hold's id.
    """
    who = this_user() if by is None else by
    ended = with_proctor(config, lambda proctor: proctor.privacy.release(id, by=who))
    if json:
        print_json(hold_json(ended))
    else:
        console().print(Text(f"Hold {ended.id} is released."))


@hold.command(name="list")
def list_holds(
    *,
    tenant: Tenant = "default",
    all: Annotated[bool, Parameter(negative="")] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List what is kept, and why.

    Parameters
    ----------
    all
        Released holds as well.
    """
    found = with_proctor(config, lambda proctor: proctor.privacy.holds(tenant=tenant, all=all))
    if json:
        print_json([hold_json(each) for each in found])
        return
    if not found:
        console().print("Nothing is held.")
        return
    rows = [
        (
            each.id,
            each.kind,
            each.run_id or each.subject,
            instant(each.placed_at),
            each.placed_by,
            instant(each.released_at) if each.released_at else "",
            one_line(each.reason, 200),
        )
        for each in found
    ]
    columns = ("hold", "kind", "of", "since", "by", "released", "reason")
    print_table(console(), columns, rows, overflow="ellipsis")


@privacy.command
def export(
    *,
    subject: Of,
    tenant: Tenant = "default",
    to: Path | None = None,
    config: ConfigFile = None,
) -> None:
    """Write all that is held on a person, as one JSON object.

    Parameters
    ----------
    to
        The file, which is made and readable by you alone; else standard output.
    """
    who = Subject(name=subject, tenant=tenant)

    async def work(proctor: Proctor, file: IO[str]) -> None:
        with _progress("export") as told:
            async for piece in proctor.privacy.export(who, by=this_user(), told=told):
                file.write(piece)
        file.flush()

    if to is None:
        with_proctor(config, lambda proctor: work(proctor, sys.stdout))
        return
    with _new_file(to) as file:
        with_proctor(config, lambda proctor: work(proctor, file))
    console(stderr=True).print(Text(f"Written to {to}."))


@privacy.command
def erase(
    *,
    subject: Of,
    tenant: Tenant = "default",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    scrub_later: Annotated[bool, Parameter(negative="")] = False,
    by: By = None,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Erase all that is held on a person. Their runs are cancelled first; it can't be taken back.

    What the law demands to be kept is kept, and told. Exit code 1 where nothing was erased.

    Parameters
    ----------
    dry_run
        Only tell what it would come to.
    yes
        Don't ask.
    scrub_later
        Leave it to `proctor privacy scrub` to write the database's files anew: large ones take long.
    """
    who, eraser = Subject(name=subject, tenant=tenant), this_user() if by is None else by
    if dry_run or not yes:
        survey = with_proctor(config, lambda proctor: proctor.privacy.survey(who))
        if dry_run and json:
            print_json(survey_json(survey))
            return 0
        if json:
            raise WrongCall("Nobody can be asked here.", hint="Add --yes, or --dry-run.")
        print_survey(survey)
        if dry_run:
            return 0
        if not _agreed(subject):
            console(stderr=True).print("Nothing was erased.")
            return 1

    async def work(proctor: Proctor) -> Erasure:
        with _progress("erase") as told:
            when: Scrubbed = "later" if scrub_later else "now"
            return await proctor.privacy.erase(who, by=eraser, told=told, scrubbed=when)

    erasure = with_proctor(config, work)
    if json:
        print_json(stone_json(erasure.tombstone) | {"files_are_clean": erasure.files_are_clean})
    else:
        print_erasure(erasure)
    return 0


@privacy.command
def erasures(
    *,
    subject: str | None = None,
    tenant: Tenant = "default",
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the newest erasures. They bear no names: --subject finds those of a person.

    Parameters
    ----------
    subject
        Only of this person.
    limit
        At most so many.
    """
    who = None if subject is None else Subject(name=subject, tenant=tenant)
    found = with_proctor(config, lambda proctor: proctor.privacy.tombstones(who, tenant=tenant, limit=limit))
    if json:
        print_json([stone_json(each) for each in found])
        return
    if not found:
        console().print("Nobody was erased.")
        return
    rows = [
        (
            each.id,
            instant(each.at),
            each.erased_by,
            f"{sum(each.counts.values()):,}",
            "broke off: erase again"
            if each.finished_at is None
            else f"until {instant(each.due_at)}: {', '.join(each.kept)}"
            if each.due_at
            else "",
            each.mark,
        )
        for each in found
    ]
    print_table(console(), ("erasure", "at", "by", "rows", "kept", "mark"), rows, right=("rows",))


@privacy.command
def scrub(*, config: ConfigFile = None, json: Json = False) -> None:
    """Write the database's files anew, so that nothing is in them of what was deleted.

    It takes as long as copying them. Proctor's processes wait with what they write meanwhile: stop them
    first where the database is large.
    """
    clean = with_proctor(config, lambda proctor: proctor.privacy.scrub())
    if json:
        print_json({"files_are_clean": clean})
    elif clean:
        console().print("The files hold nothing of what was deleted.")
    else:
        print_unclean()


@privacy.command(name="reseal")
def reseal_keys(
    *,
    old_key_env: str | None = None,
    old_key_file: Path | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Change the vault's key: what the old one sealed is sealed by the one that is configured now.

    Stop Proctor, configure the new key, reseal, and start it again.

    Parameters
    ----------
    old_key_env
        The environment variable that holds the old key.
    old_key_file
        The file that holds it.
    """
    if (old_key_env is None) == (old_key_file is None):
        raise WrongCall("The old key is needed.", hint="Add --old-key-env or --old-key-file.")
    old = VaultSettings(key_env=old_key_env, key_file=old_key_file)
    count = with_proctor(config, lambda proctor: proctor.privacy.reseal(old, by=this_user()))
    if json:
        print_json({"resealed": count})
    else:
        console().print(Text(f"Sealed anew: {count} keys."))


def _agreed(subject: str) -> bool:
    """Whether whoever sits there types the name once more."""
    if not sys.stdin.isatty():
        console(stderr=True).print(Text("To erase it without being asked, add --yes."))
        return False
    console(stderr=True).print(Text(f"\nType {subject} to erase all this: "), end="")
    return sys.stdin.readline().strip() == subject


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{what}: runs")

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


@contextmanager
def _new_file(to: Path) -> Iterator[IO[str]]:
    """A file that wasn't there, readable by its owner alone; it is gone again where not all could be written.

    Raises:
        InvalidInput: it can't be made.
    """
    try:
        number = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        hint = "Name a new file with --to."
        raise InvalidInput(f"{to} can't be made: {error.strerror}", hint=hint) from None
    with ExitStack() as broken:
        broken.callback(to.unlink)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            yield file
        broken.pop_all()
