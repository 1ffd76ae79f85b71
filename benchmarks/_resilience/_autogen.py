"""The contender: AutoGen 0.7.5 as it comes, with the retries of OpenAI's SDK (2, as is its default)."""

import asyncio
import logging
import sys
from typing import Any

from autogen_agentchat.messages import TextMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient  # type: ignore[import-not-found]

from benchmarks._overhead._autogen import MODEL_INFO
from benchmarks._resilience._contender import run_all
from benchmarks._resilience._workload import PRIMARY, REQUEST_SECONDS, build, order_status, task_of
from benchmarks._scale._serving import obey


async def _main(url: str) -> None:
    logging.disable(logging.CRITICAL)  # it logs each failure with its whole trace
    client = OpenAIChatCompletionClient(
        model=PRIMARY, base_url=url, api_key="none", model_info=MODEL_INFO, timeout=REQUEST_SECONDS
    )
    tools = {"tools": [FunctionTool(order_status, description="Where an order is.")]}

    async def run(mode: str, number: int) -> str:
        result = await build(mode, client, tools).run(task=task_of(number))
        last = result.messages[-1]
        return last.content if isinstance(last, TextMessage) else ""

    async def burst(mode: str, runs: int, beside: int) -> dict[str, Any]:
        return await run_all(run, mode=mode, runs=runs, beside=beside)

    await obey({"burst": burst})


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
