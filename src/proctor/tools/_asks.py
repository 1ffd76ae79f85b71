"""What a tool server may ask for while it works on a call, and who answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from proctor.core import JsonObject, ModelResult, Terms, ToolCall


class Sample(Protocol):
    """Asks a model, as a call of the run that the tool call belongs to."""

    def __call__(
        self,
        call: ToolCall,
        /,
        *,
        model: str,
        messages: tuple[JsonObject, ...],
        options: JsonObject,
    ) -> Awaitable[ModelResult]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """Who answers a server: a person, or a model."""

    terms: Callable[[ToolCall], Terms]
    """On which terms a person is asked."""
    sample: Sample
