"""Whether the server lives, and whether it can work."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That the process answers."""

    status: Literal["ok"]


@router.get("/health", summary="Whether the process answers")
async def health() -> Health:
    """Answers as long as the process does; says nothing of what it depends on."""
    return Health(status="ok")
