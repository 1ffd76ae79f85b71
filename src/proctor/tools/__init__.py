"""Tools: sessions with MCP servers, the application's own functions, and the checks on every call."""

from proctor.tools._access import check_clearances, guard_access
from proctor.tools._allow import allow_list, check_agent_tools
from proctor.tools._arguments import check_arguments
from proctor.tools._asks import Asks
from proctor.tools._commands import runs_commands
from proctor.tools._flow import guard_flow
from proctor.tools._functions import PythonTool, function_tool, ruled
from proctor.tools._limits import ToolRates, limit_calls, limit_time
from proctor.tools._marking import mark_untrusted
from proctor.tools._output import check_output
from proctor.tools._packages import check_packages, loose_package
from proctor.tools._pin_form import Form, difference, form_of, spec_of, visible
from proctor.tools._pin_sql import Pin, accept, stored_pins
from proctor.tools._pins import FIRST_USE, Pins
from proctor.tools._places import guard_places
from proctor.tools._rules import ToolRules
from proctor.tools._server import ToolServer
from proctor.tools._suspected import suspect
from proctor.tools._suspicions import Suspicion, SuspicionKind, suspicions
from proctor.tools._text import did_you_mean
from proctor.tools._toolbox import Toolbox

__all__ = [
    "FIRST_USE",
    "Asks",
    "Form",
    "Pin",
    "Pins",
    "PythonTool",
    "Suspicion",
    "SuspicionKind",
    "ToolRates",
    "ToolRules",
    "ToolServer",
    "Toolbox",
    "accept",
    "allow_list",
    "check_agent_tools",
    "check_arguments",
    "check_clearances",
    "check_output",
    "check_packages",
    "did_you_mean",
    "difference",
    "form_of",
    "function_tool",
    "guard_access",
    "guard_flow",
    "guard_places",
    "limit_calls",
    "limit_time",
    "loose_package",
    "mark_untrusted",
    "ruled",
    "runs_commands",
    "spec_of",
    "stored_pins",
    "suspect",
    "suspicions",
    "visible",
]
