"""Ports for servers that can't be given a socket, or that leave their port and take it again."""

import socket
from contextlib import suppress
from random import SystemRandom


def free_port() -> int:
    """A port of this machine that is free.

    It is below those that the system gives to whoever names none: one of these may be somebody else's before
    its server has begun, or while it is down.
    """
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
