"""A real Redis for tests: the stack's own server on a free port, to be killed and started again."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from asknown.settings import Settings
from asknown.stack.redis import redis_service

START_SECONDS = 30


class RunningRedis:
    """A Redis as the stack configures it, for the time of a test."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self._service = redis_service(config)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._service.prepare()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._service.processes[0].command, stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + START_SECONDS
        while self._service.ready():
            assert time.monotonic() < end, self._service.ready()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def with_redis(config: Settings) -> Settings:
    """Return settings whose Redis has a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return config.model_copy(update={"redis_port": port, "port_offset": 0})


def settings_in(folder: Path) -> Settings:
    """Return settings of a Redis of its own in a folder."""
    return with_redis(Settings(data_dir=folder, redis_address=""))
