"""A whole stack for the end-to-end tests: real servers, on ports and in a folder of their own.

Use the fixture `stack` (one for the session; the first test that asks for it pays for the start):

    def test_something(stack, eventually):
        stack.run("ingest", "synthetic", "--seed", "7")   # the `asknown` command; fails the test
        ledger = stack.json("ledger")                      # the same with -o json, parsed
        stack.kill("clickhouse")                           # kill -9; it comes back by itself
        stack.wait_ready("clickhouse")
        eventually(lambda: stack.json("ledger")["closed"], within=60)

`stack.settings` are its Settings. A test that calls the library in its own process takes the
fixture `in_stack` as well: `asknown.settings.settings()` is then this stack's for that test.

A test of data takes `pipeline` instead: the same stack with its four jobs running, and
`surfaces`, which reads its stores. One stack runs on one clock, so such tests are marked with the
time they replay, `@pytest.mark.clock("2014-05-01")`, and run in that order, behind all others.

ASKNOWN_TEST_STACK_KEEP=1 leaves the stack running afterwards and prints where it is. When a test
has failed, the logs of the stack are kept in .asknown/e2e-logs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asknown.settings import CHECKOUT, Settings, settings
from asknown.stack.control import status
from asknown.stack.leftovers import port_is_free
from asknown.stack.paths import Paths
from asknown.stack.services import services
from asknown.stack.supervisor import Supervisor
from tests.e2e.surfaces import Surfaces

JOBS = ("reference", "normalize", "derive", "lake")
Eventually = Callable[..., Any]
# Such a stack is over before the second compiler has paid for itself.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"
_OFFSETS = range(2000, 12000, 137)  # apart from any a person would choose


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of the tests that replay a time."""
    config.addinivalue_line("markers", "clock(time): the time a test on the shared stack replays")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need a stack last, in the order of the time they replay."""
    shared = [item for item in items if item.get_closest_marker("e2e")]
    others = [item for item in items if not item.get_closest_marker("e2e")]
    items[:] = others + sorted(shared, key=_clock)


def _clock(item: pytest.Item) -> str:
    marker = item.get_closest_marker("clock")
    return str(marker.args[0]) if marker else ""


class Stack:
    """A running stack and the `asknown` command that belongs to it."""

    def __init__(self, config: Settings, java_options: str = SHORT_LIVED) -> None:
        self.settings = config
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ASKNOWN_")},
            "ASKNOWN_PORT_OFFSET": str(config.port_offset),
            "ASKNOWN_DATA_DIR": str(config.data_dir),
            "ASKNOWN_REFERENCE_GRACE_MS": str(config.reference_grace_ms),
            "ASKNOWN_JAVA_OPTIONS": java_options,
            "PYTHONPATH": str(CHECKOUT),
        }

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 420
    ) -> subprocess.CompletedProcess[str]:
        """Run `asknown ARGUMENTS`; unless told otherwise a failure fails the test."""
        done = subprocess.run(
            [sys.executable, "-m", "asknown.cli.main", *arguments],
            env=self.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            text = f"asknown {' '.join(arguments)} exited with {done.returncode}"
            pytest.fail(f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def json(self, *arguments: str, check: bool = True, timeout: float = 420) -> Any:
        """Run a command with `-o json` and return what it printed."""
        done = self.run(*arguments, "-o", "json", check=check, timeout=timeout)
        if not done.stdout:
            pytest.fail(f"asknown {' '.join(arguments)} printed nothing\n{done.stderr[-3000:]}")
        return json.loads(done.stdout)

    def pids(self, name: str) -> list[int]:
        """Return the process ids of a service, or of one process (taskmanager-1)."""
        rows = Supervisor(Paths.of(self.settings)).states()
        members = {s.name: [p.name for p in s.processes] for s in services(self.settings)}
        names = members.get(name, [name])
        return [int(rows[n]["pid"]) for n in names if rows[n]["statename"] == "RUNNING"]

    def kill(self, name: str) -> list[int]:
        """Kill -9 a service's processes, or one process, and return their ids."""
        pids = self.pids(name)
        assert pids, f"{name} does not run"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def state(self, name: str) -> str:
        """Return a service's state as `asknown status` shows it."""
        return next(s.state for s in status(config=self.settings) if s.name == name)

    def wait_ready(self, name: str, within: float = 60) -> None:
        """Wait until a service is ready."""
        wait_until(lambda: self.state(name) == "ready", within, f"{name} to be ready")

    def working_taskmanager(self) -> str:
        """Return the name of the TaskManager process that has the most tasks."""
        from asknown.stack.flink import FlinkRest

        with FlinkRest(self.settings.flink_url) as rest:
            busiest = min(rest.taskmanagers(), key=lambda row: int(row["freeSlots"]))
        port = int(busiest["path"].rpartition("@")[2].partition("/")[0].rpartition(":")[2])
        return next(n for n in self._taskmanagers() if port in _listening(self.pids(n)[0]))

    def _taskmanagers(self) -> list[str]:
        flink = next(s for s in services(self.settings) if s.name == "flink")
        return [p.name for p in flink.processes if p.name.startswith("taskmanager")]


def _listening(pid: int) -> set[int]:
    import psutil

    return {row.laddr.port for row in psutil.Process(pid).net_connections() if not row.raddr}


def wait_until(condition: Callable[[], Any], within: float, what: str = "the condition") -> Any:
    """Ask again and again until the answer is true, and return it; fails the test in the end."""
    end = time.monotonic() + within
    last: Any = None
    while time.monotonic() < end:
        try:
            last = condition()
        except Exception as error:
            last = error
        else:
            if last:
                return last
        time.sleep(0.2)
    pytest.fail(f"waited {within:.0f} s for {what}, last: {last!r}")


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Return wait_until(condition, within=30, what='...')."""

    def wait(condition: Callable[[], Any], within: float = 30, what: str = "the condition") -> Any:
        return wait_until(condition, within, what)

    return wait


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Return a whole running stack; stopped and removed after the last test of the session."""
    if not Paths.of(Settings()).flink_jars.exists():
        pytest.skip("the jars are not there: make setup")
    folder = Path(tempfile.mkdtemp(prefix="asknown-e2e-"))
    # A grace that a test can wait for, and longer than any pause of a busy machine.
    config = Settings(
        port_offset=free_offset(), data_dir=folder / "data", reference_grace_ms=40_000
    )
    whole = Stack(config)
    keep = os.environ.get("ASKNOWN_TEST_STACK_KEEP") == "1"
    is_up = False
    try:
        whole.run("up")
        is_up = True
        yield whole
    finally:
        if keep:
            print(f"\nkept: ASKNOWN_PORT_OFFSET={config.port_offset} in {config.data_dir}")
        else:
            whole.run("down", check=False)
            if request.session.testsfailed or not is_up:
                keep_logs(config, folder.name)
            shutil.rmtree(folder, ignore_errors=True)


def keep_logs(config: Settings, name: str) -> None:
    """Copy the logs of a stack in which a test failed to where they stay."""
    logs, kept = Paths.of(config).logs, config.home / "e2e-logs" / name
    if logs.exists():
        shutil.copytree(logs, kept)
        print(f"\nlogs of the stack: {kept}")


@pytest.fixture(scope="session")
def pipeline(stack: Stack) -> Stack:
    """Return the stack with its jobs running; they stay for the rest of the session."""
    with ThreadPoolExecutor(2) as pool:
        started = list(pool.map(lambda job: stack.json("job", "submit", job), JOBS))
    assert [job["state"] for job in started] == ["RUNNING"] * len(JOBS)
    return stack


@pytest.fixture(scope="session")
def surfaces(pipeline: Stack) -> Surfaces:
    """Return the stores of the running stack."""
    return Surfaces(pipeline.settings)


@pytest.fixture
def in_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Make the settings of this process the stack's for one test."""
    for name in [n for n in os.environ if n.startswith("ASKNOWN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASKNOWN_PORT_OFFSET", str(stack.settings.port_offset))
    monkeypatch.setenv("ASKNOWN_DATA_DIR", str(stack.settings.data_dir))
    settings.cache_clear()
    yield stack
    settings.cache_clear()


def free_offset() -> int:
    """Return a port offset with which every port of a stack is free."""
    for offset in _OFFSETS:
        config = Settings(port_offset=offset)
        ports = [port for service in services(config) for port in service.ports]
        if all(port_is_free(config.host, port) for port in ports):
            return offset
    pytest.fail("no port offset with all ports free")
