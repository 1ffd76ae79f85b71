"""Values held against schemas that others wrote, within bounded work.

No pattern of such a schema is run, since one can be made to take for ever, and a schema that asks for too
much work counts as one that can't be checked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias, cast

from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from proctor.core import JsonObject, JsonValue, canonical_json

Keyword: TypeAlias = Callable[..., Iterator[ValidationError] | None]

_PATTERNED = ("pattern", "patternProperties", "uniqueItems", "unevaluatedProperties", "unevaluatedItems")
"""Keywords that may take more than linear time; they promise nothing on which we rely."""

_REFERENCE = 3
"""What following a reference costs, in the work for another keyword."""
_LISTED = 50
"""Entries of a keyword's own value, such as an `enum`, that cost as much."""

_LONG = 2
"""Characters of a schema that cost as much to compile."""

_BREAKS = (
    *(SchemaError, Unresolvable, UnknownType),
    *(AttributeError, TypeError, ValueError, LookupError, ArithmeticError),
)
"""What a schema can make a check raise: a reference may lead to something in it that is no schema."""

_left: ContextVar[list[int]] = ContextVar("left")


class _TooMuch(Exception):
    """More work than was allowed."""


class BrokenSchema(Exception):
    """The schema can't be used. The text is ours and quotes none of it."""


def faults_of(schema: JsonObject, value: JsonValue, *, work: int, most: int) -> list[ValidationError] | None:
    """The first faults of a value, at most so many.

    Nothing where more than so many keywords have to be held against parts of the value to tell.

    Raises:
        BrokenSchema: nothing can be held against this schema.
    """
    token = _left.set([work])
    try:
        written = canonical_json(schema)
        if len(written) > work * _LONG:
            return None
        return list(islice(_compiled(written).iter_errors(value), most))
    except _TooMuch:
        return None
    except RecursionError:
        raise BrokenSchema("refers to itself without end") from None
    except _BREAKS:
        raise BrokenSchema("can't be used") from None
    finally:
        _left.reset(token)


@lru_cache(maxsize=1024)
def _compiled(schema: str) -> Validator:
    """The compiled schema. The empty registry keeps a `$ref` from reaching for the network."""
    parsed = json.loads(schema)
    kind = validator_for(parsed, default=Draft202012Validator)
    # Without formats: its patterns are JavaScript's, and are not run.
    cast("Any", kind).check_schema(parsed, format_checker=None)
    return cast("Validator", _bounded(kind)(parsed, registry=Registry()))


@lru_cache(maxsize=16)
def _bounded(kind: type[Validator]) -> Any:
    keywords: dict[str, Keyword] = {name: _counted(name, check) for name, check in kind.VALIDATORS.items()}
    keywords |= {name: _passed for name in _PATTERNED if name in keywords}
    further = keywords["additionalProperties"]

    def additional(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if "patternProperties" not in schema:
            yield from further(validator, value, instance, schema) or ()

    bounded: Any = extend(kind, {**keywords, "additionalProperties": additional})  # type: ignore[no-untyped-call]
    evolve = bounded.evolve

    def stay_bounded(self: Any, **changes: Any) -> Any:
        # A part that names its dialect would be checked by that dialect's own class, without our bounds.
        schema = changes.get("schema")
        if isinstance(schema, Mapping):
            changes["schema"] = {name: value for name, value in schema.items() if name != "$schema"}
        return evolve(self, **changes)

    bounded.evolve = stay_bounded
    return bounded


def _counted(name: str, check: Keyword) -> Keyword:
    cost = _REFERENCE if name.lower().endswith("ref") else 1

    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left = _left.get()
        left[0] -= cost + (len(value) // _LISTED if isinstance(value, list | dict) else 0)
        if left[0] < 0:
            raise _TooMuch
        errors = check(validator, value, instance, schema)
        if errors is not None:  # which stands for none
            yield from errors

    return counted


def _passed(*_: object) -> Iterator[ValidationError]:
    yield from ()
