"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="The configuration; else PROCTOR_CONFIG, else proctor.toml here.")
]
Json: TypeAlias = Annotated[bool, Parameter(negative="", help="Print one JSON value for programs.")]
