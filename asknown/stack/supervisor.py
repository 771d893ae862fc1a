"""The supervisor underneath: its configuration, its daemon, its XML-RPC interface."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from asknown.errors import AsknownError
from asknown.stack.paths import Paths
from asknown.stack.process import Process

_SOCKET_LIMIT = 100  # bytes; the kernel takes 107 and supervisor adds a suffix while it binds
_RUNNING = ("RUNNING", "STARTING", "BACKOFF")


def socket_path(paths: Paths) -> Path:
    """Return the supervisor's socket: in the data folder, or in /tmp when that name is too long."""
    inside = paths.run / "supervisor.sock"
    if len(os.fsencode(inside)) <= _SOCKET_LIMIT:
        return inside
    name = hashlib.blake2b(os.fsencode(paths.data), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"asknown-{os.getuid()}-{name}.sock"


def configuration(paths: Paths, processes: Sequence[Process]) -> str:
    """Return supervisord's configuration for these processes, in their order of starting."""
    socket = socket_path(paths)
    lines = [
        "[unix_http_server]",
        f"file={_escape(str(socket))}",
        "chmod=0700",
        "[supervisord]",
        f"logfile={_escape(str(paths.logs / 'supervisor.log'))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=1",
        f"pidfile={_escape(str(paths.run / 'supervisor.pid'))}",
        f"childlogdir={_escape(str(paths.logs))}",
        "minfds=1024",
        *(["user=root"] if os.getuid() == 0 else []),  # said, so that it does not warn
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for position, process in enumerate(processes):
        lines += _program(paths, process, position)
    return "\n".join(lines) + "\n"


def _program(paths: Paths, process: Process, position: int) -> list[str]:
    # env(1) rather than supervisor's environment=, which cannot hold every value
    variables = [f"{name}={value}" for name, value in sorted(process.environment.items())]
    command = shlex.join(["/usr/bin/env", *variables, *process.command])
    return [
        f"[program:{process.name}]",
        f"command={_escape(command)}",
        f"directory={_escape(str(paths.run))}",
        f"stdout_logfile={_escape(str(paths.logs / process.name))}.log",
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=2",
        "redirect_stderr=true",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000000",  # it waits longer and longer between them, up to a minute or so
        f"stopsignal={process.stop_signal}",
        f"stopwaitsecs={process.stop_seconds}",
        "stopasgroup=true",
        "killasgroup=true",
        f"priority={100 + position}",
    ]


def _escape(text: str) -> str:
    return text.replace("%", "%%")


class Supervisor:
    """One supervisord and what it runs."""

    def __init__(self, paths: Paths) -> None:
        """Prepare to talk to the stack of these folders; starts nothing."""
        self.paths = paths
        self.config = paths.run / "supervisord.conf"

    def pid(self) -> int | None:
        """Return the daemon's process id, or None when it does not answer."""
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            return int(self._call("getPID"))
        return None

    def ensure(self, processes: Sequence[Process]) -> None:
        """Have the daemon run with exactly these programs; changed ones are stopped first.

        Raises:
            AsknownError: the daemon does not start.
        """
        text = configuration(self.paths, processes)
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.paths.logs.mkdir(parents=True, exist_ok=True)
        self.config.touch(mode=0o600)
        self.config.write_text(text)
        if self.pid() is None:
            self._launch()
        else:
            self._reload()

    def states(self) -> dict[str, dict[str, Any]]:
        """Return supervisor's record of every program, by name; empty when it is not running."""
        try:
            return {row["name"]: row for row in self._call("getAllProcessInfo")}
        except (OSError, xmlrpc.client.Error):
            return {}

    def start(self, name: str) -> bool:
        """Start a program and return at once; False when it was running."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.ALREADY_STARTED:
                return False
            raise AsknownError(
                "ASKNOWN-STACK-031", f"Expected {name} to start, found: {fault.faultString}"
            ) from fault
        return True

    def stop(self, names: Sequence[str], timeout: float = 40.0) -> None:
        """Stop programs together and wait until none runs."""
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it was not running
                self._call("stopProcess", name, False)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            states = self.states()
            if not any(
                states.get(n, {}).get("statename") in (*_RUNNING, "STOPPING") for n in names
            ):
                return
            time.sleep(0.1)

    def shutdown(self, timeout: float = 60.0) -> bool:
        """Stop everything and the daemon; whether the daemon has gone."""
        pid = self.pid()
        if pid is None:
            return True
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            self._call("shutdown")
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not _runs(pid):
                return True
            time.sleep(0.1)
        return False

    def _launch(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            socket_path(self.paths).unlink()  # a killed daemon leaves it behind
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        end = time.monotonic() + 15
        while done.returncode == 0 and time.monotonic() < end:
            if self.pid() is not None:
                return
            time.sleep(0.05)
        raise AsknownError(
            "ASKNOWN-STACK-030",
            f"Expected the supervisor to start, found: {(done.stderr or done.stdout).strip()}",
            where=str(self.paths.logs / "supervisor.log"),
        )

    def _reload(self) -> None:
        added, changed, removed = self._call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self.stop([name])
            self._call("removeProcessGroup", name)
        for name in [*changed, *added]:
            self._call("addProcessGroup", name)

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._connection() as server:
            return getattr(server.supervisor, method)(*arguments)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[xmlrpc.client.ServerProxy]:
        transport = SupervisorTransport(None, None, f"unix://{socket_path(self.paths)}")
        try:
            yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        finally:
            transport.close()


def _runs(pid: int) -> bool:
    """Return whether a process is alive; one that only waits to be reaped is not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
