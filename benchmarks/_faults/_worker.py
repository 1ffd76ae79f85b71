"""A process that executes the runs of a site until SIGTERM drains it: `… SITE`, as JSON."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import proctor
from benchmarks._faults._desk import Site, application, settings


async def work(site: Site) -> None:
    """Executes runs until it is told to stop; says so when it begins."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)

    def left_alone() -> None:
        loop.remove_reader(sys.stdin)
        stopped.set()

    loop.add_reader(sys.stdin, left_alone)  # nobody writes to it: it ends with whoever started this
    configured = settings(site)
    async with proctor.open(application(site), settings=configured, environ={}) as running:
        if site.desks:
            await asyncio.gather(*(running.toolbox.specs([name]) for name in configured.tools))
        print("ready", flush=True)
        await stopped.wait()


def read_site(text: str) -> Site:
    """A site as another process describes it."""
    fields = json.loads(text)
    return Site(**{**fields, "folder": Path(fields["folder"])})


if __name__ == "__main__":
    asyncio.run(work(read_site(sys.argv[1])))
