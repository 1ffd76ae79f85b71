"""Raw AutoGen as a measured process: the agents of `benchmarks.overhead`, without anything around them."""

import asyncio
import sys
from pathlib import Path

from benchmarks._overhead._autogen import open_autogen
from benchmarks._scale._serving import Load


async def _main(url: str) -> None:
    async with open_autogen(url, Path()) as contender:
        await Load(contender).obey()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
