"""Start, stop and describe the local stack."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psutil

from asknown.errors import AsknownError
from asknown.settings import Settings, settings
from asknown.stack.bootstrap import steps
from asknown.stack.leftovers import holder, port_is_free, sweep
from asknown.stack.paths import Paths
from asknown.stack.process import Service
from asknown.stack.services import chosen, services
from asknown.stack.supervisor import Supervisor

POLL_SECONDS = 0.2
_MAX_EXITS = 4  # so often a process may end before it is called broken
_UP = ("RUNNING", "STARTING")
_USED = ("kafka", "postgres", "clickhouse", "redis", "registry")  # by the others
# Everything a stack writes, the warehouse of its default settings included.
_OURS = (
    *("kafka", "flink", "registry", "postgres", "postgres.new", "clickhouse", "warehouse"),
    *("redis", "trino", "jobs", "secrets", "logs", "run"),
)


@dataclass(frozen=True)
class Outcome:
    """One line of `asknown up`: a service that became ready, or a step that was done."""

    name: str
    state: str
    seconds: float
    url: str = ""


@dataclass(frozen=True)
class State:
    """One line of `asknown status`."""

    name: str
    state: str  # ready, starting, failing, stopped, external, unreachable
    url: str
    detail: str
    pids: tuple[int, ...]
    uptime_seconds: int
    rss_mb: int


Report = Callable[[Outcome], None]


def up(
    only: Sequence[str] = (), *, config: Settings | None = None, report: Report = lambda _: None
) -> list[Outcome]:
    """Start what does not run yet and return when all of it is ready.

    Calls `report` as each service becomes ready. Harmless when everything runs already.

    Raises:
        AsknownError: a service does not become ready; the others are left running.
        UsageError: `only` names no service.
    """
    config = config or settings()
    every = services(config)
    wanted = chosen(every, only)
    paths = Paths.of(config)
    supervisor = Supervisor(paths)
    outcomes: list[Outcome] = []

    one_line = threading.Lock()

    def note(outcome: Outcome) -> None:
        with one_line:
            outcomes.append(outcome)
            report(outcome)

    with _one_at_a_time(paths):
        if supervisor.pid() is None:
            sweep(paths)  # what a killed supervisor left would hold the ports and the files
        _check_ports(config, wanted, supervisor)
        with ThreadPoolExecutor(len(wanted)) as pool:
            list(pool.map(lambda service: service.prepare(), wanted))
        supervisor.ensure([process for service in every for process in service.processes])
        _Start(config, supervisor, note).run(wanted)
    return outcomes


def down(*, config: Settings | None = None) -> int:
    """Stop every process of this stack, the supervisor too, and return how many there were."""
    paths = Paths.of(config or settings())
    supervisor = Supervisor(paths)
    with _one_at_a_time(paths):
        rows = supervisor.states()
        running = [name for name, row in rows.items() if row["statename"] in _UP]
        if supervisor.pid() is not None:
            # users of a service before the service: what is asked for last is stopped first
            clients = [n for n in running if n not in _USED]
            supervisor.stop(clients)
            supervisor.stop([n for n in running if n not in clients])
            supervisor.shutdown()
        return len(running) + sweep(paths)


def purge(*, config: Settings | None = None) -> list[str]:
    """Remove what a stopped stack has written, and return the names of the folders removed.

    Only folders the stack makes itself are touched, whatever else lies in the data folder.

    Raises:
        AsknownError: a process of the stack still runs.
    """
    paths = Paths.of(config or settings())
    with _one_at_a_time(paths):
        if Supervisor(paths).pid() is not None:
            raise AsknownError(
                "ASKNOWN-STACK-043",
                "Expected the stack to be stopped before its data is removed, found it running.",
                where=str(paths.data),
                hint="asknown down --purge",
            )
        present = [name for name in _OURS if (paths.data / name).is_dir()]
        for name in present:
            shutil.rmtree(paths.data / name)
    return present


def status(*, config: Settings | None = None) -> list[State]:
    """Return how every service is; asks each one, so it takes as long as the slowest."""
    config = config or settings()
    every = services(config)
    rows = Supervisor(Paths.of(config)).states()
    with ThreadPoolExecutor(len(every)) as pool:
        return list(pool.map(lambda service: _state(service, rows), every))


@contextlib.contextmanager
def _one_at_a_time(paths: Paths) -> Iterator[None]:
    """Keep two `up` or `down` of one stack apart."""
    paths.run.mkdir(parents=True, exist_ok=True)
    with (paths.run / "control.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_ports(config: Settings, wanted: Sequence[Service], supervisor: Supervisor) -> None:
    """Refuse to start when somebody else listens on one of our ports."""
    rows = supervisor.states()
    for service in wanted:
        if any(_is_up(rows, process.name) for process in service.processes):
            continue
        taken = [port for port in service.ports if not port_is_free(config.host, port)]
        if taken:
            raise AsknownError(
                "ASKNOWN-STACK-041",
                f"Expected port {taken[0]} to be free for {service.name}, found {holder(taken)}.",
                where=f"{config.host}:{taken[0]}",
                hint="stop it, or set ASKNOWN_PORT_OFFSET=100 (1000, ...) for this checkout",
            )


class _Start:
    """Bring services up side by side, each after those it needs and what is made in them."""

    def __init__(self, config: Settings, supervisor: Supervisor, note: Report) -> None:
        self._config, self._supervisor, self._note = config, supervisor, note
        self._futures: dict[str, Future[None]] = {}

    def run(self, wanted: Sequence[Service]) -> None:
        """Return when all are ready; otherwise raise the first failure, in their order."""
        with ThreadPoolExecutor(len(wanted)) as pool:
            for service in wanted:  # what a service needs stands before it
                needs = [self._futures[name] for name in service.needs if name in self._futures]
                self._futures[service.name] = pool.submit(self._bring_up, service, needs)
        for future in self._futures.values():
            future.result()

    def _bring_up(self, service: Service, needs: Sequence[Future[None]]) -> None:
        for need in needs:
            need.result()
        began = time.monotonic()
        started = [p.name for p in service.processes if self._supervisor.start(p.name)]
        try:
            _await_ready(service, self._supervisor)
        except AsknownError:
            self._note(Outcome(service.name, "failed", time.monotonic() - began, service.url))
            raise
        seconds = time.monotonic() - began if started else 0.0
        state = "external" if service.external else "ready"
        self._note(Outcome(service.name, state, seconds, service.url))
        for step in steps(self._config, [service.name]):
            began = time.monotonic()
            done = step.run()
            self._note(Outcome(step.name, done, time.monotonic() - began))


def _await_ready(service: Service, supervisor: Supervisor) -> None:
    """Wait until a service's processes run and it answers."""
    end = time.monotonic() + (service.timeout if service.processes else 5.0)
    exits: dict[str, int] = {}
    waiting = ""
    while time.monotonic() < end:
        waiting = _missing(service, supervisor.states(), exits)
        if not waiting:
            service.initialise()
            return
        if any(count >= _MAX_EXITS for count in exits.values()):
            break
        time.sleep(POLL_SECONDS)
    raise AsknownError(
        "ASKNOWN-STACK-042",
        f"Expected {service.name} to become ready, found: {waiting}.",
        where=service.url,
        hint=_hint(service),
    )


def _hint(service: Service) -> str:
    if service.external:
        return "start that server or correct its address (ASKNOWN_... variables)"
    return f"asknown logs {service.name} -n 50"


def _missing(service: Service, rows: dict[str, Any], exits: dict[str, int]) -> str:
    """Return what a service still lacks; counts the ends of its processes in `exits`."""
    for process in service.processes:
        row = rows.get(process.name, {})
        if row.get("statename") not in _UP:
            if row.get("statename") in ("BACKOFF", "EXITED", "FATAL"):
                stamp = f"{process.name}@{row['stop']}"
                if stamp not in exits:
                    exits[stamp] = 0
                    exits[process.name] = exits.get(process.name, 0) + 1
            return (
                f"{process.name} is {row.get('statename', 'not known')} {row.get('spawnerr', '')}"
            )
    return service.ready()


def _is_up(rows: dict[str, Any], name: str) -> bool:
    return rows.get(name, {}).get("statename") in _UP


def _state(service: Service, rows: dict[str, Any]) -> State:
    if service.external:
        missing = service.ready()
        return State(
            service.name, "unreachable" if missing else "external", service.url, missing, (), 0, 0
        )
    mine = [rows.get(process.name, {}) for process in service.processes]
    running = [row for row in mine if row.get("statename") in _UP]
    pids = tuple(int(row["pid"]) for row in running)
    uptime = min((int(row["now"]) - int(row["start"]) for row in running), default=0)
    state, detail = _condition(service, mine, running)
    return State(service.name, state, service.url, detail, pids, uptime, _memory(pids))


def _condition(
    service: Service, mine: Sequence[dict[str, Any]], running: Sequence[dict[str, Any]]
) -> tuple[str, str]:
    if not running and not any(row.get("statename") == "BACKOFF" for row in mine):
        return "stopped", ""
    if len(running) < len(mine):
        names = [
            p.name for p, row in zip(service.processes, mine, strict=True) if row not in running
        ]
        return "failing", f"down: {', '.join(names)}; asknown logs {names[0]}"
    missing = service.ready()
    return ("starting", missing) if missing else ("ready", "")


def _memory(pids: Sequence[int]) -> int:
    """Return the resident memory in MB of processes and all their children."""
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += member.memory_info().rss
    return total // 1_000_000
