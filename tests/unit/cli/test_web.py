"""The port of a process."""

import asyncio
import socket

import pytest
from starlette.applications import Starlette

from proctor.cli._web import web


@pytest.mark.parametrize(("host", "named"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", socket.gethostname())])
async def test_the_address_that_is_told_is_one_that_others_can_call(host: str, named: str) -> None:
    async with asyncio.timeout(20), web(Starlette(), host=host, port=0) as address:
        assert address.startswith(f"http://{named}:")
