"""Executors of code: where they may run it, and what is known of their output."""

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult
from pydantic import BaseModel

from proctor.agents._session import Session
from proctor.core import UngovernedTeam

_ON_THIS_MACHINE = frozenset({"LocalCommandLineCodeExecutor", "JupyterCodeExecutor"})
"""AutoGen's executors that run code with all rights of this process."""

_SANDBOXES = {
    "docker": frozenset({"DockerCommandLineCodeExecutor", "DockerJupyterCodeExecutor"}),
    "azure": frozenset({"ACADynamicSessionsCodeExecutor"}),
}
"""AutoGen's executors that run it elsewhere, by the words that settings have for them."""


class SandboxedExecutor(CodeExecutor):
    """An executor whose output counts as untrusted: what code prints it may have read anywhere."""

    component_type = "code_executor"
    component_config_schema = BaseModel

    def __init__(self, session: Session, executor: CodeExecutor, source: str) -> None:
        self._session = session
        self._executor = executor
        self._source = source

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        """What the code came to."""
        result = await self._executor.execute_code_blocks(code_blocks, cancellation_token)
        self._session.derive(result.output, (), self._source)
        return result

    async def start(self) -> None:
        """Starts the sandbox."""
        await self._executor.start()

    async def stop(self) -> None:
        """Ends the sandbox."""
        await self._executor.stop()

    async def restart(self) -> None:
        """Starts the sandbox afresh."""
        await self._executor.restart()


def sandboxed(executor: CodeExecutor, place: str, sandbox: str, session: Session) -> SandboxedExecutor:
    """The executor of an agent, where it runs code in the sandbox that the team's settings name.

    Raises:
        UngovernedTeam: they name none, or another one, or the executor runs code on this machine.
    """
    names = {kind.__name__ for kind in type(executor).__mro__}
    if not sandbox:
        raise executes_code(place)
    if names & _ON_THIS_MACHINE:
        raise UngovernedTeam(
            f"{place} executes code on this machine, with all that this process may do",
            hint="Give it an executor that runs code in a container, such as DockerCommandLineCodeExecutor.",
        )
    wanted = _SANDBOXES.get(sandbox, frozenset({sandbox}))
    if names.isdisjoint(wanted):
        raise UngovernedTeam(
            f"{place} executes code by {type(executor).__name__}, and the team's sandbox is {sandbox!r}",
            hint=f"Executors of that sandbox: {', '.join(sorted(wanted))}. Or name the executor's class.",
        )
    return SandboxedExecutor(session, executor, f"sandbox.{sandbox}")


def executes_code(place: str) -> UngovernedTeam:
    """The refusal of an agent that executes code in no sandbox."""
    return UngovernedTeam(
        f"{place} executes code, and its team names no sandbox",
        hint="Give the work to a tool server that runs it in a sandbox; or set `sandbox` for the team, and "
        "build a CodeExecutorAgent with an executor of that sandbox.",
    )
