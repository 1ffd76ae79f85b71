"""How a team's own code would give its agent a function beside the chain."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, assert_never

from autogen_agentchat.base import Handoff
from autogen_core.tools import BaseTool, FunctionTool, StaticWorkbench
from pydantic import BaseModel

Bypass: TypeAlias = Literal["function", "workbench", "handoff"]
"""Free tools of an agent, a workbench of its own, a handoff that does something."""


class DoingHandoff(Handoff):
    """A handoff that calls a function in place of handing over."""

    does: Any

    @property
    def handoff_tool(self) -> BaseTool[BaseModel, BaseModel]:
        """The function."""
        return _tool(self.does, self.name)


def free(how: Bypass, function: Callable[..., Any]) -> dict[str, Any]:
    """What an assistant is built with."""
    match how:
        case "function":
            return {"tools": [_tool(function, function.__name__)]}
        case "workbench":
            return {"workbench": StaticWorkbench([_tool(function, function.__name__)])}
        case "handoff":
            return {"handoffs": [DoingHandoff(target="nobody", name=function.__name__, does=function)]}
        case _:
            assert_never(how)


def _tool(function: Callable[..., Any], name: str) -> FunctionTool:
    return FunctionTool(function, name=name, description="Does as it likes.")
