"""Pages by key: each says from where the next goes on."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")
Row = TypeVar("Row")

MOST = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
After = Annotated[
    str, Query(max_length=200, pattern=r"^[!-~]*$", description="The `next` of the page before.")
]


class Page(BaseModel, Generic[T]):
    """Some of many."""

    items: list[T]
    next: str | None = Field(default=None, description="Give it as `after` for the next page; none: the end.")


def page_of(
    found: Sequence[Row],
    limit: int,
    show: Callable[[Row], T],
    *,
    place: Callable[[Row], str] = attrgetter("id"),
) -> Page[T]:
    """The page of what was found where one more than fits was asked for: by it one knows of a next."""
    rows = found[:limit]
    return Page(items=[show(row) for row in rows], next=place(rows[-1]) if len(found) > limit else None)
