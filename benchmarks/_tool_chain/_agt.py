"""What a decision costs in Microsoft's Agent Governance Toolkit, in an environment of its own.

`python _agt.py CALLS BURSTS RULES…` prints one JSON object: microseconds of processor time of a decision at
the median of the bursts, by the number of rules. Each rule allows one tool by its name, and the last one is
asked for, as on our side; it imports nothing of ours.
"""

import json
import sys
import time
from importlib.metadata import version
from statistics import median

from agent_os.policies.evaluator import PolicyEvaluator  # type: ignore[import-not-found]
from agent_os.policies.schema import (  # type: ignore[import-not-found]
    PolicyAction,
    PolicyCondition,
    PolicyDocument,
    PolicyOperator,
    PolicyRule,
)


def rule(number: int) -> PolicyRule:
    """Allows one tool."""
    condition = PolicyCondition(field="tool_name", operator=PolicyOperator.EQ, value=f"tool_{number:04d}")
    return PolicyRule(name=f"rule {number}", condition=condition, action=PolicyAction.ALLOW)


def cost(rules: int, calls: int, bursts: int) -> float:
    """Microseconds of a decision."""
    document = PolicyDocument(name="shop", rules=[rule(number) for number in range(rules)])
    evaluator = PolicyEvaluator(policies=[document])
    context = {"tool_name": f"tool_{rules - 1:04d}", "order": "W0000001", "agent_id": "clerk"}
    found = []
    for _ in range(bursts + 1):
        began = time.process_time_ns()
        for _ in range(calls):
            if not evaluator.evaluate(context).allowed:
                raise SystemExit("the toolkit denies what its rule allows")
        found.append((time.process_time_ns() - began) / calls / 1e3)
    return median(found[1:])


if __name__ == "__main__":
    calls, bursts, *sizes = map(int, sys.argv[1:])
    # So many calls that a burst takes about as long with many rules as with one.
    costs = {str(size): round(cost(size, max(20, calls // size), bursts), 2) for size in sizes}
    print(json.dumps({"version": version("agent-governance-toolkit-core"), "us": costs}))
