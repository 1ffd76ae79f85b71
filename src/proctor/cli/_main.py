"""The commands by name, and what becomes of their errors.

Each command's module is imported when it is called: the names and their help cost nothing.
"""

import os
import signal
import sys

from cyclopts import App, CycloptsError

from proctor.cli._options import WrongCall
from proctor.cli._output import print_error
from proctor.core import ProctorError

INTERRUPTED = 128 + signal.SIGINT


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("proctor-runtime")
    except PackageNotFoundError:
        return "not installed"


app = App(
    name="proctor",
    help="Runs AutoGen teams so that no run is lost, no call goes unseen, and people decide what matters.",
    help_epilogue=(
        "Exit codes of run, resume, watch and decide: 0 completed, 1 failed or cancelled, 2 waits for a "
        "person, 3 refused by policy, 130 stopped. All commands: 1 for an error, 64 for a wrong call. "
        "PROCTOR_DEBUG=1 shows tracebacks."
    ),
    help_format="plaintext",  # Markdown takes longer to load than all the rest
    version=_version,
)
app.command("proctor.cli._run:run", name="run", help="Run a team on a text and follow it.")
app.command("proctor.cli._runs:runs", name="runs", help="List, show, watch, resume and cancel runs.")
app.command("proctor.cli._threads:threads", name="threads", help="Show conversations.")
app.command("proctor.cli._approvals:approvals", name="approvals", help="Decide what waits for a person.")
app.command("proctor.cli._notices:notices", name="notices", help="See who was told of what, and try it.")
app.command("proctor.cli._schedules:schedules", name="schedules", help="Run teams by the clock.")
app.command("proctor.cli._workers:workers", name="workers", help="Show the processes that execute runs.")
app.command(
    "proctor.cli._degradation:degradation",
    name="degradation",
    help="Show and hold the level to which the system has stepped down.",
)
app.command("proctor.cli._costs:costs", name="costs", help="See what was spent, and check the books.")
app.command(
    "proctor.cli._budget:budget", name="budget", help="Set budgets, and see how they stand and will stand."
)
app.command("proctor.cli._roi:roi", name="roi", help="Compare what a query costs with what people cost.")
app.command("proctor.cli._serve:serve", name="serve", help="Execute this database's runs until stopped.")
app.command("proctor.cli._mcp:mcp", name="mcp", help="Give the teams to the MCP client that starts this.")
app.command("proctor.cli._keys:keys", name="keys", help="Make, list, rotate and revoke keys to the server.")
app.command("proctor.cli._worker:worker", name="worker", help="Execute runs that Temporal distributes.")
app.command("proctor.cli._db:db", name="db", help="Upgrade, check and move the database.")
app.command("proctor.cli._config:config", name="config", help="Show and check the configuration.")
app.command("proctor.cli._doctor:doctor", name="doctor", help="Check all that Proctor needs on this machine.")
app.command(
    "proctor.cli._models:models",
    name="models",
    help="See what `auto` chooses and what waits in batches; fetch weights for local models.",
)
app.command(
    "proctor.cli._tools:tools",
    name="tools",
    help="See what tools say of themselves, and accept what has changed.",
)
app.command(
    "proctor.cli._policy:policy",
    name="policy",
    help="Check texts against the policy, and try a policy on past runs.",
)
app.command("proctor.cli._alerts:alerts", name="alerts", help="See what is wrong, and hush what is known.")
app.command("proctor.cli._analyze:analyze", name="analyze", help="Find what failures have in common.")
app.command(
    "proctor.cli._privacy:privacy",
    name="privacy",
    help="Record consents, tell people what is held on them, and erase it.",
)
app.command(
    "proctor.cli._monitoring:monitoring",
    name="monitoring",
    help="Write out and check what Prometheus and Grafana need.",
)
app.command(
    "proctor.cli._audit:audit",
    name="audit",
    help="Check, export and report the record of who did what; inspect the books.",
)
app.command("proctor.cli._init:init", name="init", help="Write a configuration and a first team.")


def main() -> None:
    """Runs the command that the arguments name and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr] # an odd terminal must not end a run
    as_json = "--json" in sys.argv
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = app(
            sys.argv[1:],
            result_action="return_int_as_exit_code_else_zero",
            exit_on_error=False,
            print_error=False,
        )
    except CycloptsError as error:
        command = " ".join(("proctor", *(error.command_chain or ())))
        print_error("usage", str(error), f"`{command} --help` tells how it is called.", as_json=as_json)
        code = os.EX_USAGE
    except WrongCall as error:
        print_error(error.code, error.message, error.hint, as_json=as_json)
        code = os.EX_USAGE
    except ProctorError as error:
        if os.environ.get("PROCTOR_DEBUG") == "1":
            raise
        print_error(error.code, error.message, error.hint, as_json=as_json)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`) has gone. The interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
