"""Check everything the stack needs, and say what mends each failure."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree  # noqa: S405  # our own pom.xml files

import psutil

from asknown.errors import AsknownError
from asknown.settings import CHECKOUT, Settings
from asknown.stack import trino
from asknown.stack.control import State, status
from asknown.stack.java import java
from asknown.stack.leftovers import holder, port_is_free
from asknown.stack.paths import INFRA, Paths
from asknown.stack.postgres import programs
from asknown.stack.services import services
from asknown.stack.unprivileged import unprivileged

DEBIAN = "apt-get install -y python3 python3-venv openjdk-17-jdk-headless maven npm"
MIN_DISK_GB = 5
MIN_MEMORY_GB = 9
VENUES = ("XNSE", "XNYS")
_POM = "{http://maven.apache.org/POM/4.0.0}"
_FACTORIES = "META-INF/services/org.apache.flink.table.factories.Factory"
# What jobs/runtime names in its DDL -> the class that must be announced by a jar.
FACTORIES = {
    "kafka": "org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicTableFactory",
    "avro-confluent": (
        "org.apache.flink.formats.avro.registry.confluent.RegistryAvroFormatFactory"
    ),
    "lenient avro": "asknown.flink.LenientAvroFormatFactory",
    "iceberg": "org.apache.iceberg.flink.FlinkDynamicTableFactory",
    "iceberg catalog": "org.apache.iceberg.flink.FlinkCatalogFactory",
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `mend` is the command or change that repairs it."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine(config: Settings) -> list[Check]:
    """Look at everything; changes nothing. A check that itself fails counts as failed."""
    states = {state.name: state for state in status(config=config)}
    looks: list[tuple[str, Callable[[], Check]]] = [
        ("interpreter", _interpreter),
        ("packages", _packages),
        ("java", _java),
        ("build tools", _build_tools),
        ("flink jars", lambda: _jars(config, "flink")),
        ("kafka jars", lambda: _jars(config, "kafka")),
        ("connector factories", lambda: _factories(Paths.of(config).flink_jars)),
        ("clickhouse library", lambda: _clickhouse(config)),
        ("postgres programs", _postgres),
        ("trino", lambda: _trino(config)),
        ("disk", lambda: _disk(Paths.of(config).data)),
        ("memory", lambda: _memory(states)),
    ]
    checks = [_look(name, look) for name, look in looks]
    checks += [_look(f"calendar {venue}", partial(_calendar, venue)) for venue in VENUES]
    checks += _ports(config, states)
    return checks + [_service(state) for state in states.values()]


def _look(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except AsknownError as error:
        return Check(name, False, error.message, error.hint or "make setup")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Check(name, False, f"{type(error).__name__}: {error}", "make setup")


def _interpreter() -> Check:
    found = f"{sys.version.split()[0]} {sys.executable}"
    return Check("interpreter", sys.version_info[:2] == (3, 11), found, "make setup")


def _packages() -> Check:
    wrong = []
    pins = (CHECKOUT / "requirements" / "dev.txt").read_text().splitlines()
    for name, _, wanted in (pin.partition("==") for pin in pins if "==" in pin):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted.strip():
            wrong.append(f"{name} {found} instead of {wanted.strip()}")
    text = f"{len(wrong)} differ: {', '.join(wrong[:3])}" if wrong else f"{len(pins)} as pinned"
    return Check("packages", not wrong, text, "make setup")


def _java() -> Check:
    done = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True)
    line = done.stderr.splitlines()[0]
    match = re.search(r'version "(\d+)', line)
    ok = match is not None and int(match[1]) >= 17
    return Check("java", ok, line, DEBIAN)


def _build_tools() -> Check:
    missing = [tool for tool in ("javac", "mvn", "npm") if shutil.which(tool) is None]
    found = f"missing: {', '.join(missing)}" if missing else "javac, mvn, npm"
    return Check("build tools", not missing, found, DEBIAN)


def _jars(config: Settings, name: str) -> Check:
    """Compare the jars with what the pom.xml names; what those pull in is not listed there."""
    folder = Paths.of(config).home / "jars" / name
    present = {jar.name for jar in folder.glob("*.jar")}
    pom = INFRA / ("flink-cluster" if name == "flink" else name) / "pom.xml"
    missing = sorted(set(expected_jars(pom)) - present)
    broken = [jar for jar in sorted(present) if not zipfile.is_zipfile(folder / jar)]
    mend = f"rm -f .asknown/stamps/{name}; make setup"
    if missing or broken:
        return Check(f"{name} jars", False, f"missing: {missing}, broken: {broken}", mend)
    return Check(f"{name} jars", True, f"{len(present)} in {folder}", mend)


def expected_jars(pom: Path) -> Iterator[str]:
    """Yield the file names of the jars a pom.xml copies, and of the one it builds."""
    root = ElementTree.parse(pom).getroot()  # noqa: S314  # our own file
    values = {
        f"${{{node.tag.removeprefix(_POM)}}}": node.text or ""
        for node in root.iterfind(f"{_POM}properties/*")
    }
    items = list(root.iter(f"{_POM}artifactItem"))
    if not items:
        items = list(root.iterfind(f"{_POM}dependencies/{_POM}dependency"))
    if root.findtext(f"{_POM}packaging") == "jar":
        items.append(root)
    for item in items:
        number = item.findtext(f"{_POM}version") or ""
        yield f"{item.findtext(f'{_POM}artifactId')}-{values.get(number, number)}.jar"


def _factories(folder: Path) -> Check:
    announced: set[str] = set()
    for jar in folder.glob("*.jar"):
        with zipfile.ZipFile(jar) as archive:
            if _FACTORIES in archive.namelist():
                announced |= set(archive.read(_FACTORIES).decode().split())
    missing = [name for name, factory in FACTORIES.items() if factory not in announced]
    found = f"missing: {', '.join(missing)}" if missing else ", ".join(FACTORIES)
    mend = "rm -f .asknown/stamps/flink; make setup"
    return Check("connector factories", not missing, found, mend)


def _clickhouse(config: Settings) -> Check:
    library = Paths.of(config).libchdb
    size = library.stat().st_size // 1_000_000 if library.exists() else 0
    mend = "rm -f .asknown/stamps/clickhouse; make setup"
    return Check("clickhouse library", size > 100, f"{size} MB {library}", mend)


def _postgres() -> Check:
    command = unprivileged((str(programs() / "postgres"), "--version"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    found = (done.stdout or done.stderr).strip()
    mend = "make setup; as root, check that /tmp may be executed from"
    return Check("postgres programs", done.returncode == 0, found, mend)


def _trino(config: Settings) -> Check:
    """Say what SQL over the lake would need; a fault only where this stack has a Trino."""
    asked = trino.wanted(config)
    there = Paths.of(config).trino_server.exists()
    server = "its server is there" if there else "its server is not there"
    try:
        found, java_there = f"{server}, JDK {trino.java_home(config)}", True
    except AsknownError as error:
        found, java_there = f"{server}. {error.message}", False
    mend = f"{trino.MAKE}; {trino.INSTALL}"
    use = "" if asked else " (not asked for: asknown up --with trino)"
    return Check("trino", not asked or (there and java_there), found + use, mend)


def _disk(folder: Path) -> Check:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    mend = "free some, or set ASKNOWN_DATA_DIR to a larger disk"
    return Check("disk", free >= MIN_DISK_GB, f"{free:.0f} GB free at {folder}", mend)


def _memory(states: dict[str, State]) -> Check:
    """Ask for what the whole stack takes, less what it has taken already."""
    taken = sum(state.rss_mb for state in states.values()) / 1000
    free = psutil.virtual_memory().available / 1e9
    found = f"{free:.1f} GB available, {taken:.1f} GB used by this stack"
    mend = "stop something, or set ASKNOWN_TASKMANAGERS=1 and ASKNOWN_TASKMANAGER_MEMORY=1600m"
    return Check("memory", free + taken >= MIN_MEMORY_GB, found, mend)


def _calendar(venue: str) -> Check:
    from asknown.reference.calendars import coverage

    first, last = coverage(venue)
    ok = last >= datetime.now(UTC).date()
    mend = "raise pandas-market-calendars in requirements/dev.txt, then make setup"
    return Check(f"calendar {venue}", ok, f"{first} to {last}", mend)


def _ports(config: Settings, states: dict[str, State]) -> list[Check]:
    checks = []
    for service in services(config):
        if service.external or not service.ports:
            continue
        name = f"port {'/'.join(str(port) for port in service.ports)}"
        if states[service.name].pids:
            checks.append(Check(name, True, f"used by our {service.name}"))
            continue
        taken = [port for port in service.ports if not port_is_free(config.host, port)]
        found = f"{taken[0]} is held by {holder(taken)}" if taken else f"free for {service.name}"
        mend = "stop it, or set ASKNOWN_PORT_OFFSET=100 (200, ...)"
        checks.append(Check(name, not taken, found, mend))
    return checks


def _service(state: State) -> Check:
    ok = state.state in ("ready", "external", "stopped")
    found = f"{state.state} {state.detail}".strip()
    mend = f"asknown logs {state.name} -n 50; asknown up --only {state.name}"
    return Check(f"service {state.name}", ok, found, mend)
