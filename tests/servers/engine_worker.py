"""A process that executes a desk's work and holds it. It tells how each execution ended.

Arguments: the desk's file, the worker's name, the engine's settings as JSON.
"""

import asyncio
import sys
from pathlib import Path

from desk import Desk

from proctor.core import EngineSettings


def tell(id: str, outcome: str) -> None:
    sys.stdout.write(f"{id} {outcome}\n")
    sys.stdout.flush()


async def main(file: str, worker: str, settings: str) -> None:
    desk = Desk(Path(file), worker, held=True, ended=tell)
    await desk.engine(EngineSettings.model_validate_json(settings)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
