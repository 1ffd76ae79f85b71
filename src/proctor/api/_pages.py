"""Pages by key: each says from where the next goes on."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

MOST = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
After = Annotated[
    str, Query(max_length=200, pattern=r"^[!-~]*$", description="The `next` of the page before.")
]


class Page(BaseModel, Generic[T]):
    """Some of many."""

    items: list[T]
    next: str | None = Field(default=None, description="Give it as `after` for the next page; none: the end.")
