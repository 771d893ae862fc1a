"""Trino over the lake, for research: may read what it is given, and do nothing else.

Two catalogs lead to the same tables. `lake` is what everybody sees, read-only by itself. `keeper`
may make the views and is open to one user whose name is a secret: a server on loopback without
TLS asks for no passwords, so who knows the name is who may.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.java import require_jars
from asknown.stack.paths import INFRA, Paths
from asknown.stack.postgres import USER
from asknown.stack.process import Process, Service, environment, render
from asknown.stack.secrets import secret
from asknown.stack.sizes import sizes

MIN_JAVA = 24
MAKE = "make trino"
INSTALL = "install a JDK >= 24, and set ASKNOWN_TRINO_JAVA to its folder"
_RELEASE = re.compile(r'^JAVA_VERSION="(\d+)', re.MULTILINE)
_ETC = INFRA / "trino"
_MAIN = "io.trino.server.TrinoServer"


def wanted(config: Settings) -> bool:
    """Tell whether this stack has a Trino."""
    return config.with_trino or _mark(config).exists()


def want(config: Settings) -> None:
    """Remember that this stack has a Trino."""
    _mark(config).parent.mkdir(parents=True, exist_ok=True)
    _mark(config).touch()


def trino_service(config: Settings) -> Service:
    """Return Trino as a service."""
    return Service(
        name="trino",
        url=config.trino_url,
        ready=partial(_ready, config),
        processes=(_process(config),),
        prepare=partial(_prepare, config),
        ports=(config.port(config.trino_port),),
        needs=("postgres",),
    )


def keeper(config: Settings) -> str:
    """Return the name of the user who may make views."""
    return f"keeper_{secret('trino_keeper', config)}"


def java_home(config: Settings) -> Path:
    """Return the folder of a JDK that Trino runs on.

    Raises AsknownError ASKNOWN-STACK-090 when there is none.
    """
    seen = []
    for home in _homes(config):
        found = _version(home)
        if found >= MIN_JAVA:
            return home
        seen.append(f"{home} ({found or 'no JDK'})")
    raise AsknownError(
        "ASKNOWN-STACK-090",
        f"Expected a JDK of version {MIN_JAVA} or later for Trino, found {', '.join(seen)}.",
        hint=INSTALL,
    )


def _homes(config: Settings) -> Iterator[Path]:
    """Yield where a JDK may be: as configured, JAVA_HOME, and beside the java on PATH."""
    if config.trino_java:
        yield Path(config.trino_java)
        return
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    found = shutil.which("java")
    if found:
        own = Path(found).resolve().parent.parent
        yield own
        yield from sorted((path for path in own.parent.iterdir() if path != own), reverse=True)


def _version(home: Path) -> int:
    """Return the version of the JDK in a folder; 0 when there is none."""
    release = home / "release"
    if not (home / "bin" / "java").exists() or not release.exists():
        return 0
    found = _RELEASE.search(release.read_text(errors="replace"))
    return int(found[1]) if found else 0


def _mark(config: Settings) -> Path:
    return Paths.of(config).trino / "wanted"


def _process(config: Settings) -> Process:
    paths, heap = Paths.of(config), sizes().trino_heap_mb
    server, etc = paths.trino_server, paths.trino / "etc"
    # The home is looked for when the server is started, so that `status` needs no JDK.
    options = (
        *(f"-Xmx{heap}m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"),
        *("-XX:ReservedCodeCacheSize=256M", "-Djdk.attach.allowAttachSelf=true"),
        *("-Dfile.encoding=UTF-8", "-Duser.timezone=UTC", "--add-modules=jdk.incubator.vector"),
        f"-Dconfig={etc / 'config.properties'}",
        f"-Dlog.levels-file={etc / 'log.properties'}",
        *("-Dnode.environment=asknown", f"-Dnode.id=asknown-{config.port(config.trino_port)}"),
        f"-Dnode.data-dir={paths.trino / 'data'}",
    )
    line = (str(paths.trino / "java"), *options, "-cp", f"{server / 'lib'}/*", _MAIN)
    # Relative to where it runs, Trino looks for etc/catalog and others that no option moves.
    command = ("/bin/sh", "-c", 'cd "$0" && exec "$@"', str(paths.trino), *line)
    return Process(name="trino", command=command, environment=environment(config), stop_seconds=30)


def _prepare(config: Settings) -> None:
    """Write the configuration, and a link to the java that runs it."""
    paths = Paths.of(config)
    if not paths.trino_server.exists():
        raise AsknownError(
            "ASKNOWN-STACK-091",
            "Expected Trino's server, found none.",
            where=str(paths.trino_server),
            hint=MAKE,
        )
    require_jars(paths.trino_server / "lib", "Trino")
    (paths.trino / "data").mkdir(parents=True, exist_ok=True)
    link = paths.trino / "java"
    link.unlink(missing_ok=True)
    link.symlink_to(java_home(config) / "bin" / "java")
    etc, values = paths.trino / "etc", _values(config)
    for name in (
        *("config.properties", "log.properties", "rules.json", "access-control.properties"),
        *("resource-groups.json", "resource-groups.properties"),
    ):
        render(_ETC / name, etc / name, values)
    for catalog, security in (("lake", "READ_ONLY"), ("keeper", "SYSTEM")):
        target = etc / "catalog" / f"{catalog}.properties"
        render(_ETC / "catalog.properties", target, {**values, "security": security})


def _values(config: Settings) -> dict[str, object]:
    paths, heap = Paths.of(config), sizes().trino_heap_mb
    return {
        "host": config.host,
        "port": config.port(config.trino_port),
        "etc": paths.trino / "etc",
        "plugins": paths.trino_server / "plugin",
        "query_memory": f"{heap // 2}MB",
        "total_memory": f"{heap * 6 // 10}MB",
        "headroom": f"{heap * 3 // 10}MB",
        "jdbc": config.catalog_jdbc,
        "user": USER,
        "warehouse": config.warehouse_uri,
        "keeper": keeper(config),
    }


def _ready(config: Settings) -> str:
    """Return what is missing until a question to the lake's catalog is answered."""
    try:
        about = httpx2.get(f"{config.trino_url}/v1/info", timeout=3).json()
    except (httpx2.HTTPError, ValueError) as error:
        return f"no answer from {config.trino_url}: {str(error) or type(error).__name__}"
    if about.get("starting"):
        return "it is starting"
    from asknown.storage.trino import ask  # its client is loaded only where there is a Trino

    try:
        ask(config, "SHOW SCHEMAS FROM lake")
    except AsknownError as error:
        return error.message
    return ""
