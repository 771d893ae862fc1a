"""Measure a running stack from outside: processor time and memory by role, progress, checkpoints.

Processor time is utime + stime of each process, read every second from /proc; of a process that
ended, the last reading counts. (Adding its parent's cutime + cstime would count it twice.)
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from confluent_kafka import Consumer, TopicPartition

from asknown.stack.process import MARKER

ROLES = ("broker", "jobmanager", "taskmanager", "python")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PSS_EVERY = 5  # readings; adding up a big process' mappings is not free
_ENTRY_POINTS = (  # of Java programs
    ("kafka.Kafka", "broker"),
    ("StandaloneSessionClusterEntrypoint", "jobmanager"),
    ("TaskManagerRunner", "taskmanager"),
    ("CliFrontend", "client"),
)


def role_of(command: list[str]) -> str:
    """Return the role of a process of the stack by its command line.

    `client` is what submits a job: it belongs to the start, not to the drain. Shells are `other`:
    Flink's scripts name everything in their arguments and then become something else.
    """
    program = Path(command[0]).name if command else ""
    if program.startswith("python"):
        return "python"
    if program != "java":
        return "other"
    mains = {argument.rpartition(".")[2] for argument in command}
    return next((role for main, role in _ENTRY_POINTS if main.rpartition(".")[2] in mains), "other")


@dataclass
class Usage:
    """Processor seconds and peak memory by role."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    peak_rss_mb: dict[str, float] = field(default_factory=dict)
    peak_pss_mb: dict[str, float] = field(default_factory=dict)


class Sampler(threading.Thread):
    """Call a function at a fixed interval until stopped; a context manager."""

    def __init__(self, every_s: float, sample: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._every_s = every_s
        self._sample = sample
        self._stop_now = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Sample until stopped; a failure ends it and is raised by `__exit__`."""
        due = time.monotonic()
        while not self._stop_now.is_set():
            try:
                self._sample()
            except Exception as error:  # handed to the thread that waits for us
                self.error = error
                return
            due = max(due + self._every_s, time.monotonic())
            self._stop_now.wait(due - time.monotonic())

    def __enter__(self) -> Self:
        """Start sampling."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling and raise what ended it, if anything did."""
        self._stop_now.set()
        self.join(30)
        if self.error is not None:
            raise self.error


class Processes:
    """The processes of one stack, known by the marker in their environment."""

    def __init__(self, data_dir: Path, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._marker = f"{MARKER}={data_dir.absolute()}".encode()
        self._roles: dict[tuple[str, str], str | None] = {}  # by pid and start time; None: not ours
        self._cpu: dict[tuple[str, str], float] = {}
        self._base: dict[tuple[str, str], float] = {}
        self._readings = 0
        self._usage = Usage()

    def sample(self) -> None:
        """Read every process once."""
        rss: dict[str, float] = {}
        pss: dict[str, float] = {}
        with_pss = self._readings % _PSS_EVERY == 0
        self._readings += 1
        for folder in self._proc.iterdir():
            if not folder.name.isdigit():
                continue
            try:
                self._read(folder, rss, pss if with_pss else None)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended meanwhile, or is somebody else's
        for now, peak in ((rss, self._usage.peak_rss_mb), (pss, self._usage.peak_pss_mb)):
            now["total"] = sum(now.values())
            for role, value in now.items():
                peak[role] = max(peak.get(role, 0.0), value)

    def start(self) -> None:
        """Count processor time from here on."""
        self.sample()
        self._base = dict(self._cpu)

    def usage(self) -> Usage:
        """Return what has been used since `start`."""
        self._usage.cpu_s = {}
        for key, seconds in self._cpu.items():
            role = self._roles[key] or "other"
            used = seconds - self._base.get(key, 0.0)
            self._usage.cpu_s[role] = self._usage.cpu_s.get(role, 0.0) + used
        return self._usage

    def _read(self, folder: Path, rss: dict[str, float], pss: dict[str, float] | None) -> None:
        stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        key = (folder.name, stat[19].decode())  # the start time tells a re-used pid apart
        role = self._role(folder, key, stat[1].decode())
        if role is None:
            return
        self._cpu[key] = (int(stat[11]) + int(stat[12])) / _TICKS
        rss[role] = rss.get(role, 0.0) + int(stat[21]) * _PAGE / 1e6
        if pss is not None:
            lines = (folder / "smaps_rollup").read_text().splitlines()
            kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            pss[role] = pss.get(role, 0.0) + kilobytes * 1024 / 1e6

    def _role(self, folder: Path, key: tuple[str, str], parent: str) -> str | None:
        """Return the role of a process of this stack, None for any other."""
        if self._roles.get(key) in (None, "other"):  # a fork becomes something else by exec
            mine = self._marker in (folder / "environ").read_bytes().split(b"\0")
            role = role_of(_command(folder)) if mine else None
            if role == "python" and self._of_client(parent):
                role = "client"  # the program that Flink's client runs to plan a job
            self._roles[key] = role
        return self._roles[key]

    def _of_client(self, parent: str) -> bool:
        return role_of(_command(self._proc / parent)) == "client"


def _command(folder: Path) -> list[str]:
    return (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")


class Progress:
    """How many records output topics have got since this was made, over time.

    Reads the ends of the partitions, uncommitted records included: smooth, where committed ones
    come once a checkpoint. Each transaction adds one marker per partition, which is counted too:
    a few hundred in a run of millions.
    """

    def __init__(self, bootstrap: str, topics: Mapping[str, int]) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-progress"})
        self._parts = [TopicPartition(t, p) for t, n in topics.items() for p in range(n)]
        self.points: list[tuple[float, int]] = []
        self._before = self._records()

    def sample(self) -> None:
        """Note the time and the number of records."""
        self.points.append((time.time(), self._records() - self._before))

    def _records(self) -> int:
        ends = (self._consumer.get_watermark_offsets(part, timeout=10) for part in self._parts)
        return sum(high for _, high in ends)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def crossing(points: list[tuple[float, int]], level: float) -> float:
    """Return when a rising count crossed a level, interpolated between readings.

    Raises ValueError when it never did.
    """
    before = points[0]
    for point in points:
        if point[1] >= level:
            rise = point[1] - before[1]
            share = (level - before[1]) / rise if rise else 0.0
            return before[0] + share * (point[0] - before[0])
        before = point
    raise ValueError(f"expected a count of {level:,.0f}, found at most {points[-1][1]:,}")


def steady_rate(points: list[tuple[float, int]], outputs: int, inputs: int) -> float:
    """Return input events per second between 20 % and 90 % of the outputs."""
    seconds = crossing(points, 0.9 * outputs) - crossing(points, 0.2 * outputs)
    return 0.7 * inputs / seconds


def checkpoint_figures(answer: Mapping[str, object]) -> dict[str, object]:
    """Return durations and sizes of the completed checkpoints from Flink's REST answer."""
    summary = answer["summary"]
    counts = answer["counts"]
    assert isinstance(summary, dict)
    assert isinstance(counts, dict)
    duration, size = summary["end_to_end_duration"], summary["state_size"]
    return {
        "checkpoint_ms": {name: _number(duration[name]) for name in ("p50", "p99", "max")},
        "checkpoint_bytes": {name: _number(size[name]) for name in ("p50", "max")},
        "checkpoints": {name: counts[name] for name in ("completed", "failed")},
    }


def _number(value: object) -> int | None:
    """Return a figure of Flink's, which writes NaN as text before the first checkpoint."""
    number = float(str(value))
    return None if math.isnan(number) else round(number)
