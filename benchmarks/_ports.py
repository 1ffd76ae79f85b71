"""Ports of servers that benchmarks start: free ones, and those that a process listens on."""

import socket
from contextlib import suppress
from random import SystemRandom

import psutil


def free_port() -> int:
    """A port of this machine that is free, for a server that can't be told to take any.

    It is below those that the system gives to whoever names none; still another process may take it until the
    server has begun: `ports_of` tells whether it is the server's.
    """
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def ports_of(pid: int) -> frozenset[int]:
    """The ports on which a process listens.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    sockets = psutil.Process(pid).net_connections("tcp")
    return frozenset(each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN)
