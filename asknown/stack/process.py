"""What a service of the stack is: processes to supervise, and how to tell that it is ready."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asknown.errors import AsknownError
from asknown.settings import CHECKOUT, Settings

# Every supervised process carries this variable, so that `down` finds what a killed supervisor
# left behind, and nothing else.
MARKER = "ASKNOWN_STACK"


@dataclass(frozen=True)
class Process:
    """One supervised process.

    `stop_signal` asks it to end in good order; `stop_seconds` later it is killed.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 20


@dataclass(frozen=True)
class Service:
    """One service: its processes and what must hold before others may use it.

    `prepare` makes files and folders before the start and may be run again at any time. `ready`
    returns an empty string when the service answers, else what it waits for. A service without
    processes runs elsewhere (its address was configured) and is only probed.
    """

    name: str
    url: str
    ready: Callable[[], str]
    processes: tuple[Process, ...] = ()
    prepare: Callable[[], None] = lambda: None
    initialise: Callable[[], None] = lambda: None
    ports: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()
    timeout: float = 240.0  # of a machine that does much else at the same time

    @property
    def external(self) -> bool:
        """Whether the service is run by somebody else."""
        return not self.processes


def environment(config: Settings) -> dict[str, str]:
    """Return the variables every process of this stack is started with."""
    ours = {k: v for k, v in os.environ.items() if k.startswith("ASKNOWN_") and k != MARKER}
    return {
        **ours,
        "ASKNOWN_DATA_DIR": str(config.data_dir.absolute()),
        "ASKNOWN_HOME": str(config.home.absolute()),
        "ASKNOWN_PORT_OFFSET": str(config.port_offset),
        MARKER: str(config.data_dir.absolute()),
        "PYTHONPATH": str(CHECKOUT),
        "TZ": "UTC",
        "MALLOC_ARENA_MAX": "2",  # glibc arenas of many-threaded JVMs otherwise cost 100s of MB
    }


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def render(template: Path, target: Path, values: Mapping[str, object]) -> None:
    """Write a configuration file from its template, only when its text changes.

    Raises:
        AsknownError: the template names a value that was not given.
    """
    try:
        text = string.Template(template.read_text()).substitute(values)
    except (KeyError, ValueError) as error:
        raise AsknownError(
            "ASKNOWN-STACK-001",
            f"Expected a template whose every $name is known, found {error}.",
            where=str(template),
            hint="correct the template or give it the value",
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)
        target.chmod(0o600)
