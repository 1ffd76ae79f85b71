"""The application's own functions as tools."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from proctor.core import (
    ConfigurationError,
    Effect,
    JsonValue,
    ToolCall,
    ToolResult,
    ToolRule,
    ToolSpec,
    canonical_json,
    in_own_thread,
)
from proctor.tools._refusals import refuse
from proctor.tools._text import did_you_mean

PYTHON = "python"
"""Stands for the server where the tool is a function."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What providers of models take as a tool's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonTool:
    """A function with what a model must know of it."""

    spec: ToolSpec
    function: Callable[..., object]
    arguments: type[BaseModel]
    """Reads the arguments. Its fields have the parameters' names as aliases."""
    call_parameter: str | None
    """The parameter that takes the `ToolCall` itself, where the function has one."""

    async def call(self, call: ToolCall) -> ToolResult:
        """What the function returns, or as an error what it raises.

        A function that isn't a coroutine runs in a thread of its own. Where the caller is cancelled it runs
        on to its end, since Python can't stop a thread, but holds up nothing.
        """
        try:
            given = self.arguments.model_validate_json(canonical_json(call.arguments), strict=True)
        except ValidationError as error:
            return refuse(call, "arguments", _misfit(error))
        fields = type(given).model_fields
        values: dict[str, object] = {
            fields[name].alias or name: getattr(given, name) for name in given.model_fields_set
        }
        if self.call_parameter is not None:
            values[self.call_parameter] = call
        try:
            return _result(await self._run(values))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's: what it raises is its answer
            return ToolResult(text=f"{type(error).__name__}: {error}", is_error=True)

    async def _run(self, arguments: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**arguments)
        value = await in_own_thread(partial(self.function, **arguments), name=f"proctor-{self.spec.name}")
        return await value if inspect.isawaitable(value) else value


def function_tool(
    function: Callable[..., object], *, effect: Effect = "consequential", name: str | None = None
) -> PythonTool:
    """The function as a tool: its docstring describes it, its annotations are the schema of its arguments.

    A parameter of the type `ToolCall` isn't shown to the model: it receives the call, for example for the
    idempotency key in `call.scope.key`. `Annotated[…, pydantic.Field(description=…)]` describes a parameter.

    Raises:
        ConfigurationError: a parameter has no type, or none that JSON can express, or isn't given by name.
    """
    title = name or str(getattr(function, "__name__", ""))
    if not _NAME.fullmatch(title):
        raise ConfigurationError(
            f"{title!r} can't be a tool's name",
            hint="Letters, digits, `_` and `-`, at most 64; give `name=`.",
        )
    model, call_parameter = _arguments(function, title)
    try:
        schema = model.model_json_schema(schema_generator=_Schema)
    except PydanticUserError as error:
        raise _no_tool(title, str(error).partition("\n")[0]) from error
    schema.pop("title", None)
    spec = ToolSpec(
        server=PYTHON,
        name=title,
        description=inspect.getdoc(function) or "",
        parameters=schema,
        effect=effect,
    )
    return PythonTool(spec=spec, function=function, arguments=model, call_parameter=call_parameter)


def ruled(functions: Mapping[str, PythonTool], rules: Mapping[str, ToolRule]) -> Mapping[str, PythonTool]:
    """The functions as the configuration has them: an effect that it names holds above the function's own.

    Raises:
        ConfigurationError: it has a section for a function that there isn't.
    """
    for name in rules:
        if name not in functions:
            raise ConfigurationError(
                f"[functions.{name}] is for a function that the application doesn't have",
                hint=did_you_mean(name, functions),
            )
    effects = {name: rule.effect for name, rule in rules.items() if rule.effect is not None}
    return {
        name: replace(tool, spec=replace(tool.spec, effect=effects[name])) if name in effects else tool
        for name, tool in functions.items()
    }


def _arguments(function: Callable[..., object], title: str) -> tuple[type[BaseModel], str | None]:
    try:
        signature = inspect.signature(function)
        # A callable object keeps its annotations at `__call__`.
        hints = get_type_hints(
            function if inspect.isroutine(function) else type(function).__call__, None, None, True
        )
    except (TypeError, ValueError, NameError) as error:
        raise _no_tool(title, str(error)) from error
    fields: dict[str, Any] = {}
    call_parameter = None
    for number, (name, parameter) in enumerate(signature.parameters.items()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _no_tool(title, f"the parameter {name!r} can't be given by name")
        if name not in hints:
            raise _no_tool(title, f"the parameter {name!r} has no type")
        if hints[name] is ToolCall:
            call_parameter = name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        # Numbered, because a parameter may have a name that pydantic's models keep for themselves.
        fields[f"field_{number}"] = (hints[name], Field(default, alias=name))
    try:
        return create_model(title, __config__=ConfigDict(extra="forbid"), **fields), call_parameter
    except PydanticUserError as error:
        raise _no_tool(title, str(error).partition("\n")[0]) from error


class _Schema(GenerateJsonSchema):
    """Without the titles, which repeat the names and cost tokens at every call of a model."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def _no_tool(title: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"the function {title!r} can't be a tool: {reason}")


def _misfit(error: ValidationError) -> str:
    lines = [
        f"- {'.'.join(str(part) for part in one['loc']) or 'arguments'}: {one['msg']}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)[:5]
    ]
    return "\n".join(["The function was not called, its arguments don't fit:", *lines])


def _result(value: object) -> ToolResult:
    if isinstance(value, ToolResult):
        return value
    if value is None or isinstance(value, str):
        return ToolResult(text=value or "")
    plain = cast("JsonValue", to_jsonable_python(value))
    if isinstance(plain, str):
        return ToolResult(text=plain)
    return ToolResult(text=canonical_json(plain), structured=plain if isinstance(plain, Mapping) else None)
