"""Executors of code: where they may run it, and what is known of their output."""

import asyncio
from typing import cast

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult
from pydantic import BaseModel

from proctor.agents._session import Session
from proctor.agents._wire import arguments_from
from proctor.core import (
    SANDBOX,
    JsonObject,
    ToolCall,
    ToolError,
    ToolResult,
    ToolServerUnavailable,
    ToolSpec,
    UngovernedTeam,
)

_ON_THIS_MACHINE = frozenset({"LocalCommandLineCodeExecutor", "JupyterCodeExecutor"})
"""AutoGen's executors that run code with all rights of this process."""

_SANDBOXES = {
    "docker": frozenset({"DockerCommandLineCodeExecutor", "DockerJupyterCodeExecutor"}),
    "azure": frozenset({"ACADynamicSessionsCodeExecutor"}),
}
"""AutoGen's executors that run it elsewhere, by the words that settings have for them."""

_TEXT: JsonObject = {"type": "string"}
_BLOCKS: JsonObject = {
    "type": "object",
    "properties": {
        "blocks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"language": _TEXT, "code": _TEXT},
                "required": ["language", "code"],
            },
        }
    },
    "required": ["blocks"],
}


class SandboxedExecutor(CodeExecutor):
    """An executor each of whose executions is a recorded call of the run: a resumed run makes none again.

    Its output counts as untrusted: what code prints it may have read anywhere.
    """

    component_type = "code_executor"
    component_config_schema = BaseModel

    def __init__(self, session: Session, executor: CodeExecutor, place: str, sandbox: str) -> None:
        self._session = session
        self._executor = executor
        self._place = place
        self._spec = ToolSpec(
            server=SANDBOX,
            name=sandbox,
            description="Executes code.",
            parameters=_BLOCKS,
            effect="read_only",  # to the world outside: that is what the team names a sandbox for
        )

    async def execute_code_blocks(
        self,
        code_blocks: list[CodeBlock],
        cancellation_token: CancellationToken,  # noqa: ARG002 - the run owns cancellation
    ) -> CodeResult:
        """What the code came to; a refusal of the chain is a failed execution too."""
        blocks = [{"language": block.language, "code": block.code} for block in code_blocks]
        arguments = arguments_from({"blocks": blocks})
        result = await self._session.tool(self._place, self._spec, arguments, "", act=self._execute)
        code = (result.structured or {}).get("exit_code")
        return CodeResult(exit_code=code if isinstance(code, int) else 1, output=result.text)

    async def _execute(self, call: ToolCall) -> ToolResult:
        given = cast("list[dict[str, str]]", call.arguments["blocks"])
        blocks = [CodeBlock(language=block["language"], code=block["code"]) for block in given]
        try:
            result = await self._executor.execute_code_blocks(blocks, CancellationToken())
        except Exception as error:  # the executor may raise anything
            text = f"the sandbox of {self._place} failed: {type(error).__name__}: {error}"
            kind = ToolServerUnavailable if isinstance(error, OSError) else ToolError
            raise kind(text) from error
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # some executors make an answer of it
            raise asyncio.CancelledError
        code = result.exit_code
        return ToolResult(text=result.output, is_error=code != 0, structured={"exit_code": code})

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
    return SandboxedExecutor(session, executor, place, sandbox)


def executes_code(place: str) -> UngovernedTeam:
    """The refusal of an agent that executes code in no sandbox."""
    return UngovernedTeam(
        f"{place} executes code, and its team names no sandbox",
        hint="Give the work to a tool server that runs it in a sandbox; or set `sandbox` for the team, and "
        "build a CodeExecutorAgent with an executor of that sandbox.",
    )
