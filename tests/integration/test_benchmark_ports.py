"""The ports of servers that benchmarks start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks._ports import free_port, ports_of
from benchmarks._servers import _listens


def test_a_free_port_is_one_that_the_system_gives_to_nobody_else():
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    ports = {free_port() for _ in range(20)}
    assert all(1_024 <= port < int(given[0]) for port in ports)
    assert len(ports) > 1


def test_a_process_is_asked_for_the_ports_on_which_it_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            found = ports_of(os.getpid())
            assert port in found
            assert client.getsockname()[1] not in found
    assert port not in ports_of(os.getpid())


def test_a_process_that_has_ended_has_no_ports():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(psutil.NoSuchProcess):
        ports_of(ended.pid)


def test_a_port_on_which_another_process_answers_is_not_taken_for_the_servers():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        program = f"import socket; socket.create_server(('127.0.0.1', {port}))"
        with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as server:
            assert not _listens(server, port)
