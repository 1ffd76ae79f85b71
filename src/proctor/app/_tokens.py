"""Values behind tokens: hidden as a task enters, given back to tools and to whoever reads the answer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

from proctor.core import JsonObject, Parts, PolicySettings, PrivacySettings, ToolCall, ToolHandler, ToolResult
from proctor.policies import KINDS, Policy
from proctor.privacy import Place, Privacy, Scope, check_vault
from proctor.runs import Prepared, Run

_BEGIN, _END = "\ue000", "\ue001"
"""Characters for private use stand around a number until the vault gives a token for it."""


def check_tokens(policies: PolicySettings, privacy: PrivacySettings) -> None:
    """Returns where there is a key for all values that are to be put behind tokens.

    Raises:
        MissingSetting: there is none.
    """
    for place in _asking(policies):
        check_vault(privacy, wanted_by=place)


def _asking(policies: PolicySettings) -> Iterator[str]:
    """Where the policy puts values behind tokens."""
    yield from (f"policies.input.{kind}" for kind in KINDS if getattr(policies.input, kind) == "tokenise")
    yield from (f"policies.rules: {rule.id}" for rule in policies.rules if rule.outcome == "tokenise")


class Tokens:
    """What stands for values in the runs of one application."""

    def __init__(self, settings: PolicySettings, policy: Policy, privacy: Callable[[], Privacy]) -> None:
        self._hides = any(_asking(settings))
        self._policy = policy
        self._privacy = privacy

    async def hide(self, prepared: Prepared, task: str, parts: Parts = ()) -> Prepared:
        """The run with tokens in its task, where the policy puts values behind them."""
        vault, run = self._privacy().vault, prepared.run
        if vault is None or not self._hides or run.state == "refused":
            return prepared
        values: list[tuple[str, str]] = []

        def mark(kind: str, value: str) -> str:
            values.append((kind, value))
            return f"{_BEGIN}{len(values) - 1}{_END}"

        plain = task.replace(_BEGIN, "\ufffd").replace(_END, "\ufffd")
        text = self._policy.read(plain, "input", team=run.team, hide=mark, parts=parts).text
        if text is None or not values:
            return prepared
        scope = await self._privacy().scope_of(run)
        for number, (kind, value) in enumerate(values):
            place = Place(kind=kind, start=0, end=len(value))
            text = text.replace(f"{_BEGIN}{number}{_END}", await vault.hide(value, [place], scope=scope))
        return replace(prepared, run=replace(run, task=text))

    async def tool(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """The answer of a tool that is called with what stands behind the tokens in its arguments."""
        vault = self._privacy().vault
        if vault is None:
            return await proceed(call)
        scope = Scope(id=call.scope.thread or call.scope.run_id)
        arguments = cast("JsonObject", await vault.restore(dict(call.arguments), scope=scope))
        return await proceed(replace(call, arguments=arguments))

    async def answer(self, run: Run) -> str | None:
        """What a run has answered, with what stands behind its tokens: for whoever asked, and nobody else."""
        vault = self._privacy().vault
        if vault is None or run.result is None:
            return run.result
        return str(await vault.restore(run.result, scope=Scope(id=run.thread_id or run.id)))
