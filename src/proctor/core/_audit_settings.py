"""`[audit]`: the record of who decided, changed, saw or overrode what."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from proctor.core._section import Duration, Section

PUBLIC_KEY = r"^ed25519:[A-Za-z0-9+/]{43}=$"


def _as_list(value: Any) -> Any:
    """One place alone is a list of one."""
    return (value,) if isinstance(value, str) else value


Places: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_list)]


class AuditSettings(Section):
    """How the record is signed, and where its heads are kept beside."""

    key_env: str | None = None
    """The environment variable that holds the key which signs heads and exports."""
    key_file: Path | None = None
    """The file that holds it, as `proctor audit key` makes it."""
    heads: Places = ()
    """Where signed heads are kept, outside of the database: files that they are added to, and `https://`
    addresses that they are sent to."""
    heads_every: Duration = timedelta(minutes=10)
    """The longest time for which new entries stand without a signed head."""
    trusted: tuple[Annotated[str, Field(pattern=PUBLIC_KEY)], ...] = ()
    """Public keys that signed former heads, beside that of the present one."""
    inspect: bool = True
    """Whether the books, approvals, policies, pins and retention are inspected once a day."""

    @model_validator(mode="after")
    def _signed(self) -> "AuditSettings":
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("give either `key_env` or `key_file`")
        if self.heads and self.key_env is None and self.key_file is None:
            raise ValueError(
                "`heads` are signed: give `key_env`, or a `key_file` made by `proctor audit key`"
            )
        return self
