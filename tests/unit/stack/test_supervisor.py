"""The supervisor's configuration, and a small stack of harmless processes."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.settings import Settings
from asknown.stack.leftovers import leftovers, sweep
from asknown.stack.paths import Paths
from asknown.stack.process import MARKER, Process
from asknown.stack.supervisor import Supervisor, configuration, socket_path

SLEEP = (sys.executable, "-c", "import signal; signal.pause()")


def eventually(condition: Callable[[], Any], within: float = 20) -> Any:
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not true within {within} s")


@pytest.fixture
def supervisor(config: Settings) -> Iterator[Supervisor]:
    one = Supervisor(Paths.of(config))
    yield one
    one.shutdown()
    sweep(one.paths)


def sleeper(supervisor: Supervisor, name: str = "sleeper") -> Process:
    return Process(name, SLEEP, {MARKER: str(supervisor.paths.data)})


def pid_of(supervisor: Supervisor, name: str = "sleeper") -> int:
    row = supervisor.states().get(name, {})
    return int(row["pid"]) if row.get("statename") == "RUNNING" else 0


def is_alive(pid: int) -> bool:
    """Whether a process does anything; some containers never reap what has ended."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_killed_process_is_started_again(supervisor: Supervisor) -> None:
    supervisor.ensure([sleeper(supervisor)])
    assert supervisor.start("sleeper")
    first = eventually(lambda: pid_of(supervisor))
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: pid_of(supervisor) not in (0, first))


def test_start_of_a_running_process_changes_nothing(supervisor: Supervisor) -> None:
    supervisor.ensure([sleeper(supervisor)])
    supervisor.start("sleeper")
    first = eventually(lambda: pid_of(supervisor))
    assert not supervisor.start("sleeper")
    supervisor.ensure([sleeper(supervisor), sleeper(supervisor, "second")])
    assert pid_of(supervisor) == first
    assert set(supervisor.states()) == {"sleeper", "second"}


def test_shutdown_leaves_no_process_and_no_socket(supervisor: Supervisor) -> None:
    supervisor.ensure([sleeper(supervisor)])
    supervisor.start("sleeper")
    pids = [eventually(lambda: pid_of(supervisor)), supervisor.pid()]
    assert supervisor.shutdown()
    assert [pid for pid in pids if pid and is_alive(pid)] == []
    assert not socket_path(supervisor.paths).exists()


def test_sweep_ends_what_a_killed_supervisor_left(supervisor: Supervisor) -> None:
    supervisor.ensure([sleeper(supervisor)])
    supervisor.start("sleeper")
    orphan = eventually(lambda: pid_of(supervisor))
    daemon = supervisor.pid()
    assert daemon
    os.kill(daemon, signal.SIGKILL)
    assert eventually(lambda: supervisor.pid() is None)
    assert [process.pid for process in leftovers(supervisor.paths)] == [orphan]
    assert sweep(supervisor.paths) == 1
    assert leftovers(supervisor.paths) == []


def test_stack_of_another_folder_is_not_swept(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.ensure([sleeper(supervisor)])
    supervisor.start("sleeper")
    mine = eventually(lambda: pid_of(supervisor))
    assert sweep(Paths(data=tmp_path / "other", home=tmp_path)) == 0
    assert pid_of(supervisor) == mine


def test_socket_of_a_deep_folder_is_short_enough_to_bind(tmp_path: Path) -> None:
    deep = Paths(data=tmp_path.joinpath(*["a-long-folder-name"] * 8), home=tmp_path)
    assert len(os.fsencode(socket_path(deep))) <= 100
    assert socket_path(deep) != socket_path(Paths(data=deep.data / "x", home=tmp_path))


TEXT = st.text(
    st.characters(codec="ascii", exclude_categories=("Cc",), exclude_characters=";#"), min_size=1
)


@given(value=TEXT, argument=TEXT)
def test_configuration_keeps_every_value_and_argument(value: str, argument: str) -> None:
    process = Process("p", ("/bin/x", argument), {"NAME": value})
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(Paths(Path("/d"), Path("/h")), [process]))
    command = parser["program:p"]["command"].replace("%%", "%")
    assert shlex.split(command) == ["/usr/bin/env", f"NAME={value}", "/bin/x", argument]
