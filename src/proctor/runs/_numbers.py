"""The numbers of tool calls, by which their limits are counted: the same at every attempt."""

from collections import defaultdict, deque
from collections.abc import Mapping

from proctor.core import JsonObject


class ToolNumbers:
    """Counts the tool calls of a run, and those that one answer of a model asked for.

    Recorded calls are met again at every attempt, so nothing has to be kept for it.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._ranks: dict[str, defaultdict[str, deque[int]]] = {}
        """For each agent's last answer, by the calls' ids. A model may give one id to many calls."""

    def answered(self, agent: str, message: JsonObject) -> None:
        """Takes note of what an answer asks for."""
        calls = message.get("tool_calls")
        ranks = self._ranks[agent] = defaultdict(deque)
        if isinstance(calls, list | tuple):
            for rank, call in enumerate(calls, start=1):
                ranks[str(call.get("id")) if isinstance(call, Mapping) else ""].append(rank)

    def next(self, agent: str, call_id: str) -> tuple[int, int]:
        """Of the next call: which of its run it is, and which of its answer, both from 1.

        A call that no answer asked for, because an agent's own code makes it, is the first of its own.
        """
        self._calls += 1
        answer = self._ranks.get(agent)
        ranks = None if answer is None else answer.get(call_id)
        return self._calls, ranks.popleft() if ranks else 1
