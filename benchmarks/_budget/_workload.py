"""What every process of the benchmark knows: the orders, their teams, and what the provider charges for them.

Imports nothing of Proctor: the provider counts by itself.
"""

import hashlib
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

TEAMS = ("desk", "shop", "lab")
DEPLOYMENTS = ("small", "middle", "large")
MAX_TOKENS = 60
"""Of each answer."""
TOOLS = ("look_up", "stock")
"""Both are called at once in each round."""


def task(number: int) -> str:
    """The text of a run: it names the order, by which the provider keeps its own books."""
    return f"Order {number}: say where it is and whether it can be filled."


def order_of(text: str) -> int:
    """The order that a text is about."""
    return int(text.removeprefix("Order ").partition(":")[0])


def team_of(number: int) -> str:
    """The team that handles an order."""
    return TEAMS[number % len(TEAMS)]


def deployment_of(number: int) -> str:
    """The model that an order is handled with."""
    return DEPLOYMENTS[chance("deployment", number) % len(DEPLOYMENTS)]


def rounds_of(number: int) -> int:
    """How often tools are called for an order."""
    return 1 + chance("rounds", number) % 2


def prices(seed: int) -> dict[str, dict[str, str]]:
    """Random prices: dollars for a million tokens of each kind, by model."""
    rng = Random(seed)
    return {
        name: {
            "input": f"{rng.uniform(0.1, 6):.4f}",
            "cached_input": f"{rng.uniform(0.01, 0.1):.4f}",
            "output": f"{rng.uniform(6, 40):.4f}",
            "reasoning": f"{rng.uniform(6, 60):.4f}",
        }
        for name in DEPLOYMENTS
    }


def usage_of(key: str, size: int) -> dict[str, Any]:
    """The tokens of a request of so many bytes: by chance, but always the same for a key."""
    prompt, completion = size // 5 + chance("prompt", key) % 50, 1 + chance("answer", key) % MAX_TOKENS
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": chance("cached", key) % prompt},
        "completion_tokens_details": {"reasoning_tokens": chance("reasoning", key) % completion},
    }


def charge(usage: dict[str, Any], price: dict[str, str]) -> int:
    """Micro-dollars, as a provider would write them on its bill."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    kinds = {
        "input": usage["prompt_tokens"] - cached,
        "cached_input": cached,
        "output": usage["completion_tokens"] - reasoning,
        "reasoning": reasoning,
    }
    total = sum((Decimal(price[kind]) * tokens for kind, tokens in kinds.items()), Decimal(0))
    return int(total.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def chance(what: str, of: str | int) -> int:
    """A number by chance, the same in every process."""
    return int.from_bytes(hashlib.blake2b(f"{what} {of}".encode(), digest_size=6).digest())
