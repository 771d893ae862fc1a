"""Processes of this stack that no supervisor looks after any more, and who holds a port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

import psutil

from asknown.stack.paths import Paths
from asknown.stack.process import MARKER


def leftovers(paths: Paths) -> list[psutil.Process]:
    """Return this stack's processes: those that carry its mark, and its Postgres.

    Postgres is found by its pid file: it overwrites its own environment to show its status.
    """
    found = [p for p in psutil.process_iter() if _marked(p, str(paths.data))]
    found += _postmaster(paths)
    return found


def sweep(paths: Paths, seconds: float = 10.0) -> int:
    """End every process of this stack that is still there, and return how many there were."""
    found = leftovers(paths)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(found, timeout=seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    return len(found)


def _marked(process: psutil.Process, data: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get(MARKER) == data
    return False


def _postmaster(paths: Paths) -> list[psutil.Process]:
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        lines = (paths.postgres / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        # a pid is used again after a reboot: it must be a postgres that started at that time
        same_start = abs(process.create_time() - int(lines[2])) < 60
        if process.name() == "postgres" and same_start:
            return [process]
    return []


def port_is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(ports: Iterable[int]) -> str:
    """Return who listens on one of these ports, as far as this user may see it."""
    wanted = set(ports)
    with contextlib.suppress(psutil.Error, OSError):
        for row in psutil.net_connections("tcp"):
            if not row.laddr or not row.pid or row.status != psutil.CONN_LISTEN:
                continue
            if row.laddr.port in wanted:
                return f"pid {row.pid} ({psutil.Process(row.pid).name()})"
    return "another process"
