"""The real registry server, and settings of a stack that is nowhere else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from asknown.settings import CHECKOUT, Settings


class RegistryServer:
    """The real registry as a process, which can be killed and started again."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.data = data
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asknown.stack.registry"],
            env={
                **os.environ,
                "PYTHONPATH": str(CHECKOUT),
                "ASKNOWN_DATA_DIR": str(self.data),
                "ASKNOWN_PORT_OFFSET": "0",
                "ASKNOWN_REGISTRY_PORT": str(self.port),
            },
        )
        end = time.monotonic() + 90
        while time.monotonic() < end:
            try:
                httpx2.get(f"{self.url}/subjects", timeout=1).raise_for_status()
            except httpx2.HTTPError:
                assert self.process.poll() is None, "the registry ended"
                time.sleep(0.05)
            else:
                return self.process
        pytest.fail("the registry did not answer within 90 s")

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Return a running registry; tests of a module share it and use subjects of their own."""
    server = RegistryServer(tmp_path_factory.mktemp("registry"))
    yield server
    server.kill()


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Return the settings of a stack that is nowhere else."""
    return Settings(data_dir=tmp_path / "data", port_offset=31)
