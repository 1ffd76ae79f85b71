"""All tools of an application under the names that teams ask for them."""

from collections.abc import Mapping, Sequence

from proctor.core import ConfigurationError, NotFound, ToolCall, ToolResult, ToolSpec
from proctor.tools._asks import Asks
from proctor.tools._functions import PYTHON, PythonTool
from proctor.tools._server import ToolServer
from proctor.tools._text import did_you_mean


class Toolbox:
    """The configured servers and the application's own functions."""

    def __init__(self, servers: Mapping[str, ToolServer], functions: Mapping[str, PythonTool]) -> None:
        for name in sorted({PYTHON} & set(servers)) + sorted(set(servers) & set(functions)):
            raise ConfigurationError(
                f"the tool server {name!r} has a name that is taken",
                hint="Rename its section; functions keep their names, and 'python' stands for all of them.",
            )
        self._servers = servers
        self._functions = functions

    async def specs(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        """The tools that the names stand for: `server`, `server.tool` or a function's name.

        Raises:
            NotFound: a name stands for nothing.
            ConfigurationError: two different tools have one name, so that a model couldn't tell them apart.
            ToolError: a server doesn't start or can't list its tools.
        """
        found: dict[str, ToolSpec] = {}
        for name in names:
            for spec in await self._specs(name):
                other = found.setdefault(spec.name, spec)
                if other.server != spec.server:
                    raise ConfigurationError(
                        f"{other.server!r} and {spec.server!r} both have a tool {spec.name!r}",
                        hint=f"Name the tools one by one, such as '{spec.server}.{spec.name}'.",
                    )
        return tuple(found.values())

    async def call(self, call: ToolCall, *, asks: Asks | None = None) -> ToolResult:
        """The answer of the server or function that the call is for, or of what an agent holds itself.

        `asks` answers what a server asks for meanwhile; without it such requests are declined.

        Raises:
            NotFound: there is no such server or function.
            ToolError: the server can't be reached.
        """
        if call.act is not None:
            return await call.act(call)
        if call.tool.server == PYTHON:
            return await self._function(call.tool.name).call(call)
        return await self._server(call.tool.server).call(call, asks)

    async def _specs(self, name: str) -> tuple[ToolSpec, ...]:
        if name in self._functions:
            return (self._functions[name].spec,)
        server, dot, tool = name.partition(".")
        if not dot and server not in self._servers:
            raise NotFound(
                f"there is no tool server or function {name!r}",
                hint=did_you_mean(name, [*self._servers, *self._functions]),
            )
        specs = await self._server(server).list_tools()
        if not dot:
            return specs
        if chosen := tuple(spec for spec in specs if spec.name == tool):
            return chosen
        if self._server(server).withholds(tool):
            raise ConfigurationError(
                f"nobody has pinned {name}, and pins are required",
                hint=f"Look at it and accept it: proctor tools pin {name}",
            )
        raise NotFound(
            f"the tool server {server!r} has no tool {tool!r}",
            hint=did_you_mean(tool, [spec.name for spec in specs]),
        )

    def _server(self, name: str) -> ToolServer:
        if name not in self._servers:
            raise NotFound(f"there is no tool server {name!r}", hint=did_you_mean(name, self._servers))
        return self._servers[name]

    def _function(self, name: str) -> PythonTool:
        if name not in self._functions:
            raise NotFound(f"there is no function {name!r}", hint=did_you_mean(name, self._functions))
        return self._functions[name]
