"""Fixtures of the storage tests: a real ClickHouse (libchdb's HTTP server), to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asknown.settings import Settings
from asknown.storage import iceberg
from asknown.storage.clickhouse import migrate
from asknown.storage.kafka import ensure_topics

LIBRARY = Path("clickhouse", "node_modules", "@chdb", "lib-linux-x64-gnu", "libchdb.so")
PASSWORD = "for-tests"

# ClickHouse's entry for its local mode, called with the arguments of the command line.
_START = """
import ctypes, sys
arguments = [b"clickhouse", *(a.encode() for a in sys.argv[2:])]
entry = ctypes.CDLL(sys.argv[1]).chdb_query_cmdline
entry(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))
"""
_FOREVER = (
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM system.numbers FORMAT Null SETTINGS"
    " max_block_size=1, function_sleep_max_microseconds_per_block=0, max_execution_time=0,"
    " max_memory_usage=0"
)
_CONFIG = """<clickhouse>
  <logger><level>error</level><console>1</console></logger>
  <users_config>users.xml</users_config>
</clickhouse>
"""
_USER = "<{name}><password>{password}</password><profile>default</profile></{name}>"
_USERS = (
    "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>"
    "<default><password></password><profile>default</profile></default>"
    + _USER.format(name="writer", password=PASSWORD)
    + _USER.format(name="reader", password=PASSWORD)
    + "</users></clickhouse>"
)


Eventually = Callable[..., None]


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Poll until the condition is true; fail when it is not true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s")
        time.sleep(0.05)


@pytest.fixture
def eventually() -> Eventually:
    """Return a function that waits for a condition."""
    return wait_until


def free_offset() -> int:
    """Return a port offset at which ClickHouse's default port is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) - int(Settings().clickhouse_port)


@dataclass
class ClickHouseServer:
    """One server on one folder; `kill` is kill -9, after which `start` goes on with the folder."""

    settings: Settings
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.xml"
        config.write_text(_CONFIG.replace("users.xml", str(self.folder / "users.xml")))
        (self.folder / "users.xml").write_text(_USERS)
        port = self.settings.clickhouse_url.rpartition(":")[2]
        command = [
            *(sys.executable, "-c", _START, str(self.settings.home / LIBRARY)),
            f"--path={self.folder / 'data'}",
            f"--http_port={port}",
            "--listen_host=127.0.0.1",
            f"--config-file={config}",
            f"--query={_FOREVER}",
        ]
        with (self.folder / "server.log").open("ab") as log:
            environment = {**os.environ, "TZ": "UTC"}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self.answers)

    def answers(self) -> bool:
        """Tell whether the server takes requests."""
        try:
            with urllib.request.urlopen(f"{self.settings.clickhouse_url}/ping", timeout=1) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """Kill the server without any chance to finish."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            self.process = None


@pytest.fixture
def clickhouse_settings(tmp_path: Path) -> Settings:
    """Return settings of a stack of its own: free port, own folder, known passwords."""
    found = Settings(
        clickhouse_address=f"http://127.0.0.1:{free_offset() + Settings().clickhouse_port}",
        data_dir=tmp_path / "data",
        clickhouse_writer_password=PASSWORD,
        clickhouse_reader_password=PASSWORD,
    )
    if not (found.home / LIBRARY).is_file():
        pytest.skip("ClickHouse's library is not there: run `make setup`")
    return found


@pytest.fixture
def clickhouse(clickhouse_settings: Settings, tmp_path: Path) -> Iterator[ClickHouseServer]:
    """Start a ClickHouse of its own for one test."""
    server = ClickHouseServer(clickhouse_settings, tmp_path / "clickhouse")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start Kafka and the registry for the session; yields the variables that address them."""
    folder = tmp_path_factory.mktemp("stack")
    environment = {
        **os.environ,
        "ASKNOWN_DATA_DIR": str(folder),
        "ASKNOWN_PORT_OFFSET": str(free_stack_offset()),
    }
    command = [sys.executable, "-m", "asknown.cli.main"]
    try:
        up = [*command, "up", "--only", "kafka,registry"]
        subprocess.run(up, env=environment, check=True, timeout=120, capture_output=True)
        yield environment
    finally:
        subprocess.run(
            [*command, "down"], env=environment, check=False, timeout=60, capture_output=True
        )


@pytest.fixture
def stores(broker: dict[str, str], clickhouse: ClickHouseServer, tmp_path: Path) -> Settings:
    """Return the settings of Kafka, registry, an empty ClickHouse and an empty lake."""
    found = clickhouse.settings.model_copy(
        update={
            "port_offset": int(broker["ASKNOWN_PORT_OFFSET"]),
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )
    ensure_topics(found)
    migrate(found)
    iceberg.ensure_tables(found)
    return found


def free_stack_offset() -> int:
    """Return an offset at which every default port of the stack is free now."""
    ports = [value for name, value in Settings() if name.endswith("_port")]
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 11_000 + 7_000 * worker  # two workers that look at once must not find the same
    for offset in range(first, first + 7_000, 97):
        if all(_is_free(port + offset) for port in ports):
            return offset
    raise AssertionError("no free ports for a stack")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
