import asyncio
import functools
import threading
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from proctor.core import ConfigurationError, NotFound, ToolCall, ToolResult, ToolRule
from proctor.tools import PythonTool, Toolbox, function_tool, ruled


class Scope:
    run_id, team, tenant, agent, key = "run_1", "desk", "acme", "analyst", "key_1"

    def __init__(self):
        self.events: list[Any] = []

    def event(self, type, data):
        self.events.append((type, data))

    async def begin(self):
        pass


def opening_hours(
    day: Annotated[date, Field(description="Which day.")], shop: Literal["north", "south"] = "north"
) -> str:
    """Says when a shop is open."""
    return f"{shop} {day:%A}"


async def run(tool: PythonTool, /, **arguments: Any) -> ToolResult:
    return await tool.call(ToolCall(scope=Scope(), tool=tool.spec, arguments=arguments))


def test_a_function_describes_itself():
    spec = function_tool(opening_hours, effect="read_only").spec
    assert (spec.server, spec.name, spec.effect) == ("python", "opening_hours", "read_only")
    assert spec.description == "Says when a shop is open."
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date", "description": "Which day."},
            "shop": {"type": "string", "enum": ["north", "south"], "default": "north"},
        },
        "required": ["day"],
        "additionalProperties": False,
    }


def test_a_function_is_consequential_unless_it_is_said_otherwise():
    assert function_tool(opening_hours).spec.effect == "consequential"


async def test_arguments_arrive_in_the_types_of_the_signature():
    assert await run(function_tool(opening_hours), day="2026-01-31") == ToolResult(text="north Saturday")


async def test_arguments_that_do_not_fit_never_reach_the_function():
    result = await run(function_tool(opening_hours), day="2026-01-31", shop="east", town="x")
    assert (result.is_error, result.refused_by) == (True, "arguments")
    assert "- shop: Input should be 'north' or 'south'" in result.text
    assert "- town: Extra inputs are not permitted" in result.text


async def test_parameters_may_have_the_names_that_pydantic_uses():
    def odd(model_config: str, copy: str, _private: int = 1) -> str:
        return model_config + copy + str(_private)

    assert (await run(function_tool(odd), model_config="a", copy="b", _private=2)).text == "ab2"


async def test_what_a_function_raises_becomes_an_error_that_names_it():
    def fails() -> str:
        raise KeyError("no such order")

    assert await run(function_tool(fails)) == ToolResult(text="KeyError: 'no such order'", is_error=True)


async def test_a_result_that_is_no_json_is_an_error_too():
    def gives() -> object:
        return object()

    result = await run(function_tool(gives))
    assert result.is_error
    assert "Unable to serialize" in result.text


@dataclass
class Point:
    x: int


class Order(BaseModel):
    on: date


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("plain", ToolResult(text="plain")),
        (None, ToolResult(text="")),
        (7, ToolResult(text="7")),
        (date(2026, 1, 31), ToolResult(text="2026-01-31")),
        ([1, "b"], ToolResult(text='[1,"b"]')),
        (Point(1), ToolResult(text='{"x":1}', structured={"x": 1})),
        (
            Order(on=date(2026, 1, 31)),
            ToolResult(text='{"on":"2026-01-31"}', structured={"on": "2026-01-31"}),
        ),
        (ToolResult(text="own", cost=5), ToolResult(text="own", cost=5)),
    ],
)
async def test_results_become_texts_and_structures(value, result):
    def gives() -> object:
        return value

    assert await run(function_tool(gives)) == result


async def test_a_plain_function_runs_beside_the_loop_and_a_coroutine_on_it():
    def plain() -> bool:
        return threading.current_thread() is threading.main_thread()

    async def coroutine() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert (await run(function_tool(plain))).text == "false"
    assert (await run(function_tool(coroutine))).text == "true"


async def test_cancelling_the_caller_cancels_the_coroutine():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(run(function_tool(waits)))
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended.is_set()


async def test_a_parameter_for_the_call_receives_it_and_is_not_shown():
    def keyed(call: ToolCall, amount: int) -> str:
        return f"{call.scope.key} {amount}"

    tool = function_tool(keyed)
    assert set(tool.spec.parameters["properties"]) == {"amount"}
    assert (await run(tool, amount=5)).text == "key_1 5"


async def test_a_method_and_a_callable_object_are_functions_too():
    class Shop:
        def close(self, hour: int) -> int:
            """Closes."""
            return hour

        def __call__(self, hour: int) -> int:
            """Opens."""
            return hour + 1

    assert (await run(function_tool(Shop().close), hour=3)).text == "3"
    opening = function_tool(Shop(), name="open")
    assert (await run(opening, hour=3)).text == "4"


def no_type(a):
    pass


def by_place(a: int, /) -> None:
    pass


def many(*a: int) -> None:
    pass


def no_json(a: threading.Lock) -> None:
    pass


def missing(a: "Nowhere") -> None:  # noqa: F821 - that it doesn't exist is the point
    pass


@pytest.mark.parametrize("function", [no_type, by_place, many, no_json, missing, lambda: 1])
def test_a_function_that_can_be_no_tool_is_refused_when_it_is_registered(function):
    with pytest.raises(ConfigurationError):
        function_tool(function)


def test_a_partial_needs_a_name():
    part = functools.partial(opening_hours, shop="south")
    with pytest.raises(ConfigurationError):
        function_tool(part)


async def test_a_toolbox_finds_functions_and_says_what_is_close():
    tool = function_tool(opening_hours)
    box = Toolbox({}, {"opening_hours": tool})
    assert await box.specs(["opening_hours", "opening_hours"]) == (tool.spec,)
    assert (await box.call(ToolCall(scope=Scope(), tool=tool.spec, arguments={"day": "2026-01-31"}))).text
    with pytest.raises(NotFound) as raised:
        await box.specs(["opening_hour"])
    assert raised.value.hint == "Did you mean 'opening_hours'?"


def test_the_configuration_says_what_a_function_does_to_the_world():
    functions = {"opening_hours": function_tool(opening_hours, effect="read_only")}
    rules = {"opening_hours": ToolRule(effect="consequential")}
    assert ruled(functions, rules)["opening_hours"].spec.effect == "consequential"
    assert ruled(functions, {"opening_hours": ToolRule()}) == functions


def test_a_section_for_a_function_that_there_is_not_is_an_error():
    with pytest.raises(ConfigurationError) as raised:
        ruled({"opening_hours": function_tool(opening_hours)}, {"opening_hour": ToolRule()})
    assert raised.value.hint == "Did you mean 'opening_hours'?"
