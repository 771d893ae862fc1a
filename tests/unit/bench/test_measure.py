"""What is measured from outside: processes by role, rates by slope."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.stack.process import MARKER
from bench.measure import Processes, checkpoint_figures, crossing, role_of, steady_rate

BURN = """
import sys, time
while time.process_time() < 0.3:
    pass
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def burner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process of a stack in `tmp_path` that burns 0.3 s after it is let go."""
    environment = {**os.environ, MARKER: str(tmp_path)}
    program = "input()\n" + BURN
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_processes_of_a_stack_are_counted_by_role_and_no_others(
    burner: subprocess.Popen[str], tmp_path: Path
) -> None:
    mine, others = Processes(tmp_path), Processes(tmp_path / "elsewhere")
    mine.start()
    others.start()
    assert burner.stdin is not None
    assert burner.stdout is not None
    burner.stdin.write("go\n")
    burner.stdin.flush()
    assert burner.stdout.readline() == "done\n"
    mine.sample()
    others.sample()
    used = mine.usage()
    assert 0.2 <= used.cpu_s["python"] < 2.0
    assert used.peak_rss_mb["python"] > 1
    assert 0 < used.peak_pss_mb["python"] <= used.peak_rss_mb["python"]  # its pages are shared
    assert others.usage().cpu_s == {}


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("/usr/bin/java -cp a.jar kafka.Kafka server.properties", "broker"),
        (
            "/x/java org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
            "jobmanager",
        ),
        ("/x/java org.apache.flink.runtime.taskexecutor.TaskManagerRunner -D a=b", "taskmanager"),
        ("/x/.venv/bin/python -m pyflink.fn_execution.beam.beam_boot", "python"),
        ("/x/java org.apache.flink.client.cli.CliFrontend run -pyexec /x/python", "client"),
        ("/bin/bash /x/bin/flink run -pyexec /x/bin/python", "other"),
        ("/usr/bin/env PATH=/x/python/bin /bin/bash jobmanager.sh", "other"),
        ("", "other"),
    ],
)
def test_role_of_a_command_is_its_part_in_the_stack(command: str, role: str) -> None:
    assert role_of(command.split()) == role


@given(st.integers(1_000, 10_000_000), st.floats(1, 1e6), st.floats(0, 60))
def test_steady_rate_of_a_constant_stream_is_its_rate(n: int, rate: float, start: float) -> None:
    points = [(0.0, 0), (start, 0)]
    points += [(start + share / 100 * n / rate, n * share // 100) for share in range(1, 101)]
    assert steady_rate(points, n, n) == pytest.approx(rate, rel=0.02)


def test_steady_rate_leaves_start_and_end_out() -> None:
    points = [(0.0, 0), (50.0, 200), (57.0, 900), (400.0, 1000)]
    assert steady_rate(points, 1000, 1000) == pytest.approx(100)


def test_crossing_of_a_level_never_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 5"):
        crossing([(0.0, 0), (1.0, 5)], 6)


def test_checkpoint_figures_before_the_first_checkpoint_are_null() -> None:
    nothing = dict.fromkeys(("min", "max", "avg", "p50", "p99"), "NaN")
    summary = {"end_to_end_duration": nothing, "state_size": nothing}
    figures = checkpoint_figures({"summary": summary, "counts": {"completed": 0, "failed": 0}})
    assert figures["checkpoint_ms"] == {"p50": None, "p99": None, "max": None}
