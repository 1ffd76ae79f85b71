"""What every section of `proctor.toml` is made of."""

from datetime import timedelta
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

_LONGEST = timedelta(days=3650)

Duration: TypeAlias = Annotated[timedelta, Field(gt=timedelta(0), le=_LONGEST)]
Pause: TypeAlias = Annotated[timedelta, Field(ge=timedelta(0), le=_LONGEST)]
"""A duration that may be none."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """A section in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
