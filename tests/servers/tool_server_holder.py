"""A process that holds two tool servers and another child, prints the servers' ids and waits to be killed."""

import asyncio
import subprocess
import sys
from pathlib import Path

from proctor.core import SystemClock, ToolServerSettings
from proctor.tools import ToolServer


async def main() -> None:
    program = Path(__file__).with_name("odd_tool_server.py")
    settings = ToolServerSettings(command=(sys.executable, str(program), "plain"))
    servers = [ToolServer(name, settings, SystemClock()) for name in ("one", "two")]
    for server in servers:
        await server.start()
    other = await asyncio.create_subprocess_exec("sleep", "60", stdout=subprocess.DEVNULL)
    sys.stdout.write(f"{other.pid}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
