"""The log files of the stack's processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.stack.paths import Paths
from asknown.stack.services import services

_POLL_SECONDS = 0.3


def log_files(config: Settings, name: str) -> list[Path]:
    """Return the log files of a service, of one of its processes, or of the supervisor.

    Raises:
        UsageError: nothing is called so.
    """
    known: dict[str, list[str]] = {"supervisor": ["supervisor"]}
    for service in services(config):
        members = [process.name for process in service.processes]
        known.update({member: [member] for member in members})
        known[service.name] = members
    if not known.get(name):
        names = ", ".join(sorted(known))
        raise UsageError("ASKNOWN-STACK-051", f"Expected one of {names}, was {name!r}.")
    return [Paths.of(config).logs / f"{member}.log" for member in known[name]]


def tail(file: Path, lines: int) -> list[str]:
    """Return the last lines of a file."""
    with file.open(errors="replace") as text:
        return [line.rstrip("\n") for line in deque(text, maxlen=lines)]


def follow_logs(files: Sequence[Path], emit: Callable[[str], None]) -> None:
    """Emit every new line of the files until interrupted; survives their rotation."""
    positions = {file: file.stat().st_size for file in files}
    while True:
        for file in files:
            size = file.stat().st_size if file.exists() else 0
            if size < positions[file]:
                positions[file] = 0  # it was rotated
            if size > positions[file]:
                with file.open("rb") as stream:
                    stream.seek(positions[file])
                    text, _, rest = stream.read().rpartition(b"\n")
                    positions[file] = stream.tell() - len(rest)
                for line in text.decode(errors="replace").splitlines():
                    emit(line if len(files) == 1 else f"{file.stem}: {line}")
        time.sleep(_POLL_SECONDS)
