"""Tools: sessions with MCP servers, the application's own functions, and the checks on every call."""

from proctor.tools._allow import allow_list
from proctor.tools._arguments import check_arguments
from proctor.tools._functions import PythonTool, function_tool
from proctor.tools._output import check_output
from proctor.tools._server import ToolServer
from proctor.tools._toolbox import Toolbox

__all__ = [
    "PythonTool",
    "ToolServer",
    "Toolbox",
    "allow_list",
    "check_arguments",
    "check_output",
    "function_tool",
]
