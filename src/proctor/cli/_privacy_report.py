"""What `proctor privacy` prints."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from proctor.cli._output import console, fields, instant, print_json, print_table, put
from proctor.privacy import Consent, Erasure, Hold, Left, Survey, Tombstone


def tell_consent(said: Consent, *, json: bool) -> None:
    """Prints what was recorded."""
    if json:
        print_json(consent_json(said))
        return
    what = "given" if said.act == "give" else "withdrawn"
    text = f", to text {said.version}" if said.version else ""
    console().print(Text(f"Recorded as no. {said.number}: consent to {said.purpose} is {what}{text}."))


def print_survey(survey: Survey) -> None:
    """Prints what an erasure would come to."""
    out = console()
    put(fields({"runs": str(survey.runs), "to be cancelled": str(survey.going_on or "")}), out)
    _print_counts(survey.counts, survey.kept)


def print_erasure(erasure: Erasure) -> None:
    """Prints what came of an erasure."""
    stone = erasure.tombstone
    console().print(Text(f"Erased: {stone.id}."))
    _print_counts(stone.counts, stone.kept)
    if not erasure.files_are_clean:
        print_unclean()


def print_unclean() -> None:
    """Says where bytes may be left."""
    said = (
        "The database may still have bytes of it in its files and logs, until it uses them again: see "
        "the documentation of erasure. So may backups, traces, and whoever the data was sent to."
    )
    console().print(Text(said))


def _print_counts(counts: Mapping[str, int], kept: Mapping[str, Left]) -> None:
    rows = [(name, f"{count:,}") for name, count in sorted(counts.items())]
    if rows:
        print_table(console(), ("table", "rows"), rows, right=("rows",))
    for name, left in kept.items():
        console().print(Text(f"Kept until {instant(left.until)}: {left.rows} of {name}."))


def consent_json(said: Consent) -> dict[str, Any]:
    """A record of consent for programs."""
    return {
        "number": said.number,
        "subject": said.subject,
        "tenant": said.tenant,
        "purpose": said.purpose,
        "act": said.act,
        "version": said.version,
        "channel": said.channel,
        "recorded_by": said.recorded_by,
        "at": said.at,
    }


def hold_json(found: Hold) -> dict[str, Any]:
    """A hold for programs."""
    return {
        "id": found.id,
        "kind": found.kind,
        "tenant": found.tenant,
        "subject": found.subject or None,
        "run": found.run_id or None,
        "reason": found.reason,
        "placed_by": found.placed_by,
        "placed_at": found.placed_at,
        "released_by": found.released_by,
        "released_at": found.released_at,
    }


def survey_json(survey: Survey) -> dict[str, Any]:
    """What an erasure would come to, for programs."""
    return {
        "runs": survey.runs,
        "to_be_cancelled": survey.going_on,
        "rows": survey.counts,
        "kept": _kept_json(survey.kept),
    }


def stone_json(stone: Tombstone) -> dict[str, Any]:
    """An erasure for programs."""
    return {
        "id": stone.id,
        "tenant": stone.tenant,
        "mark": stone.mark,
        "at": stone.at,
        "by": stone.erased_by,
        "rows": dict(stone.counts),
        "kept": _kept_json(stone.kept),
        "due_at": stone.due_at,
        "finished_at": stone.finished_at,
    }


def _kept_json(kept: Mapping[str, Left]) -> dict[str, Any]:
    return {name: {"rows": left.rows, "until": left.until} for name, left in kept.items()}
