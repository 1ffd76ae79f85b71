"""What the record says of the configuration: since when it has been as it is."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from proctor import audit
from proctor.audit import Entry, Wanted

PAGE = 500
EVER = datetime.min.replace(tzinfo=UTC)


class History:
    """Since when parts of the configuration have been as they are."""

    def __init__(self, connection: Connection) -> None:
        self._begun = EVER
        self._changed: dict[str, datetime] = {}
        for entry in entries(connection, Wanted(action="settings.changed")):
            if self._begun is EVER:
                self._begun = entry.at
            changed = entry.details.get("changed")
            if isinstance(changed, Mapping):
                self._changed.update(dict.fromkeys(changed, entry.at))

    def since(self, *above: str) -> datetime:
        """Since when all keys below these have had their present values, as far as the record goes back."""
        named = (
            at
            for key, at in self._changed.items()
            if any(key == each or key.startswith(f"{each}.") for each in above)
        )
        return max(named, default=self._begun)


def entries(connection: Connection, wanted: Wanted) -> list[Entry]:
    """All entries of a kind, oldest first."""
    found: list[Entry] = []
    after = 0
    while page := audit.page(connection, wanted, after=after, limit=PAGE):
        found += page
        after = page[-1].seq
    return found
