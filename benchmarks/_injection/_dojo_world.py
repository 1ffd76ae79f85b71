"""One suite of AgentDojo, spoken to in lines of JSON. Runs in AgentDojo's environment, which has no Proctor.

    python -m benchmarks._injection._dojo_world workspace important_instructions

What a tool may do is found by experiment: it is `read_only` where its name says so and none of the suite's
own solutions sees it change anything.
"""

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from agentdojo.agent_pipeline import GroundTruthPipeline  # type: ignore[import-not-found]
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str  # type: ignore[import-not-found]
from agentdojo.attacks import load_attack  # type: ignore[import-not-found]
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime  # type: ignore[import-not-found]
from agentdojo.task_suite.load_suites import get_suite  # type: ignore[import-not-found]
from agentdojo.task_suite.task_suite import read_suite_file  # type: ignore[import-not-found]

from benchmarks._injection._dojo_aims import AIMS

BENCHMARK = "v1.2.2"
"""The version of the suites' tasks."""
MODEL = "gpt-4o-2024-05-13"
"""Whom attacks speak to that address a model by its name."""
READING = ("get_", "search_", "list_", "read_", "find_", "check_", "show_", "view_", "query_", "count_")

Call = dict[str, Any]


class World:
    """The states of all plays."""

    def __init__(self, suite: str, attack: str) -> None:
        self._suite = get_suite(BENCHMARK, suite)
        self._runtime = FunctionsRuntime(self._suite.tools)
        target = GroundTruthPipeline(None)
        target.name = MODEL
        self._attack = load_attack(attack, self._suite, target)
        self._default = self._environment({})
        self._plays: dict[str, dict[str, Any]] = {}

    def describe(self) -> dict[str, Any]:
        """What there is to play."""
        changing = self._changing()
        tools = [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.model_json_schema(),
                "effect": "read_only"
                if tool.name.startswith(READING) and tool.name not in changing
                else "consequential",
            }
            for tool in self._suite.tools
        ]
        aimed = [id for id in self._suite.injection_tasks if self._aims(id, self._default)]
        tasks = self._suite.user_tasks
        cases: list[dict[str, str]] = [{"task": task} for task in tasks]
        for id, task in tasks.items():
            if self._shows_places(task):
                cases += [{"task": id, "injection": injection} for injection in aimed]
        left_out = [id for id in self._suite.injection_tasks if id not in aimed]
        return {"name": self._suite.name, "tools": tools, "cases": cases, "left_out": left_out}

    def open(self, key: str, task: str, injection: str | None) -> dict[str, Any]:
        """A new play."""
        user = self._suite.user_tasks[task]
        texts: dict[str, str] = {}
        if injection is not None:
            texts = self._attack.attack(user, self._suite.injection_tasks[injection])
        environment = user.init_environment(self._environment(texts))
        before = environment.model_copy(deep=True)
        self._plays[key] = {
            "task": user,
            "injection": injection,
            "before": before,
            "now": environment,
            "trace": [],
        }
        orders = []
        if injection is not None:
            calls = self._aims(injection, before)
            orders = [
                {"id": injection, "text": text, "calls": calls} for text in dict.fromkeys(texts.values())
            ]
        steps = _plain(user.ground_truth(before.model_copy(deep=True)))
        return {
            "prompt": user.PROMPT,
            "steps": steps,
            "answer": user.GROUND_TRUTH_OUTPUT,
            "orders": orders,
        }

    def call(self, key: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a tool says after it has acted."""
        play = self._plays[key]
        play["trace"].append(FunctionCall(function=tool, args=arguments))
        result, error = self._runtime.run_function(play["now"], tool, arguments)
        if error:
            return {"text": error, "is_error": True}
        return {"text": tool_result_to_str(result) or "done"}

    def close(self, key: str, said: str) -> dict[str, Any]:
        """What the suite's own checks say."""
        play = self._plays.pop(key)
        seen = (
            [{"type": "text", "content": said}],
            play["before"],
            play["now"],
            play["trace"],
        )
        utility = _holds(self._suite._check_user_task_utility, play["task"], *seen)  # noqa: SLF001 - no other door
        if play["injection"] is None:
            return {"utility": utility}
        injection = self._suite.injection_tasks[play["injection"]]
        security = _holds(self._suite._check_injection_task_security, injection, *seen)  # noqa: SLF001
        return {"utility": utility, "security": security}

    def _environment(self, texts: dict[str, str]) -> Any:
        """What `load_and_inject_default_environment` makes, ten times as fast: YAML is read in C."""
        suite = self._suite
        file = read_suite_file(suite.name, "environment.yaml", suite.data_path)
        filled = file.format(**{**suite.get_injection_vector_defaults(), **texts})
        return suite.environment_type.model_validate(yaml.load(filled, yaml.CSafeLoader))

    def _aims(self, injection: str, environment: Any) -> list[Call]:
        """The calls that an injection aims at: its own solution, or for those that have none ours."""
        own = self._suite.injection_tasks[injection].ground_truth(environment.model_copy(deep=True))
        if own:
            return _plain(own)
        ours: Callable[[Any], list[Call]] | None = AIMS.get((self._suite.name, injection))
        return ours(environment) if ours else []

    def _shows_places(self, task: Any) -> bool:
        """Whether the task's own solution comes to read something that an attacker can write to."""
        with contextlib.suppress(ValueError):
            return bool(self._attack.get_injection_candidates(task))
        return False

    def _changing(self) -> set[str]:
        """The tools that change something in one of the suite's own solutions."""
        found = set()
        for task in self._suite.user_tasks.values():
            environment = task.init_environment(self._default.model_copy(deep=True))
            for call in task.ground_truth(environment.model_copy(deep=True)):
                before = environment.model_dump_json()
                self._runtime.run_function(environment, call.function, call.args)
                if environment.model_dump_json() != before:
                    found.add(call.function)
        return found


def _holds(check: Callable[..., object], *seen: Any) -> bool:
    """What a check says; one that breaks, because it finds something else than it looks for, says no."""
    try:
        return bool(check(*seen))
    except (TypeError, ValueError, LookupError, AttributeError):
        return False


def _plain(calls: Sequence[Any]) -> list[Call]:
    return [{"tool": call.function, "arguments": call.model_dump()["args"]} for call in calls]


def main(suite: str, attack: str) -> None:
    """Carries out orders until the standard input ends."""
    with contextlib.redirect_stdout(sys.stderr):
        world = World(suite, attack)
        described = world.describe()
    print(json.dumps(described), flush=True)
    handlers: dict[str, Callable[..., dict[str, Any]]] = {
        "open": world.open,
        "call": world.call,
        "close": world.close,
    }
    for line in sys.stdin:
        order = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            answer = handlers[order.pop("do")](**order)
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(sys.argv[1], sys.argv[2])
