"""The Flink cluster: a home of our own around the wheel's distribution, and its processes."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from asknown.errors import AsknownError, UnreachableError
from asknown.settings import CHECKOUT, Settings
from asknown.stack.flink import FlinkRest
from asknown.stack.flink_launch import (
    JOBMANAGER,
    TASKMANAGER,
    Role,
    launcher,
    prepare_launcher,
)
from asknown.stack.java import java, require_jars
from asknown.stack.paths import INFRA, Paths
from asknown.stack.process import Process, Service, environment, render
from asknown.stack.sizes import sizes

CONF = INFRA / "flink-cluster" / "conf"
# What a job's Python code may import, on the client and in the workers.
SHIPPED = ("asknown", "jobs", "udfs", "schemas", "sql")


def flink_service(config: Settings) -> Service:
    """Return the cluster as a service: ready when every TaskManager has registered."""
    variables = flink_environment(config)
    names = [f"taskmanager-{number}" for number in range(1, sizes().taskmanagers + 1)]
    members = [("jobmanager", JOBMANAGER), *((name, TASKMANAGER) for name in names)]
    processes = tuple(_process(config, name, role, variables) for name, role in members)
    return Service(
        name="flink",
        url=config.flink_url,
        ready=partial(_ready, config.flink_url, len(names)),
        processes=processes,
        prepare=partial(prepare_home, config),
        ports=(config.port(config.flink_port), config.port(config.flink_rpc_port)),
    )


def _process(config: Settings, name: str, role: Role, variables: dict[str, str]) -> Process:
    script = launcher(Paths.of(config).flink, role)
    return Process(name=name, command=("/bin/bash", str(script), name), environment=variables)


def flink_environment(config: Settings) -> dict[str, str]:
    """Return the variables that Flink's own scripts need, for the cluster and for its client."""
    paths = Paths.of(config)
    runtime = Path(java()).resolve().parent.parent
    return {
        **environment(config),
        "JAVA_HOME": str(runtime),
        "FLINK_CONF_DIR": str(paths.flink / "conf"),
        "FLINK_LOG_DIR": str(paths.logs / "flink"),
        "FLINK_PID_DIR": str(paths.run / "flink"),
        "HOSTNAME": config.host,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }


def prepare_home(config: Settings) -> None:
    """Make Flink's home, configuration and folders; harmless when they exist."""
    paths = Paths.of(config)
    require_jars(paths.flink_jars, "Flink's connectors")
    distribution = distribution_folder()
    home = paths.flink / "home"
    _copy_scripts(distribution / "bin", home / "bin")
    connectors = sorted(paths.flink_jars.glob("*.jar"))
    # The SQL gateway is a tool, not a connector: Flink's scripts look for it in opt.
    tools = [jar for jar in connectors if jar.name.startswith("flink-sql-gateway")]
    libraries = [jar for jar in connectors if jar not in tools]
    _link(home / "lib", [*sorted((distribution / "lib").glob("*.jar")), *libraries])
    _link(home / "opt", [*sorted((distribution / "opt").glob("*.jar")), *tools])
    _link(home / "plugins", sorted(p for p in (distribution / "plugins").iterdir() if p.is_dir()))
    _link(paths.flink / "python", [CHECKOUT / name for name in SHIPPED])
    folders = (paths.checkpoints, paths.savepoints, paths.flink / "tmp", paths.logs / "flink")
    for folder in (*folders, paths.run / "flink"):
        folder.mkdir(parents=True, exist_ok=True)
    _configure(config)
    variables = flink_environment(config)
    for role in (JOBMANAGER, TASKMANAGER):
        prepare_launcher(paths.flink, role, variables)


def distribution_folder() -> Path:
    """Return the folder of the Flink distribution inside the wheel.

    Raises:
        AsknownError: pyflink is not installed.
    """
    found = find_spec("pyflink")  # found, not imported: only jobs and udfs may import it
    if found is None or found.origin is None:
        raise AsknownError(
            "ASKNOWN-STACK-020",
            "Expected apache-flink in this interpreter's environment, found none.",
            where=sys.executable,
            hint="make setup",
        )
    return Path(found.origin).parent


def _configure(config: Settings) -> None:
    paths, size = Paths.of(config), sizes()
    conf = paths.flink / "conf"
    values: dict[str, object] = {
        "host": config.host,
        "rpc_port": config.port(config.flink_rpc_port),
        "rest_port": config.port(config.flink_port),
        "parallelism": config.job_parallelism,
        "checkpoint_interval_ms": config.checkpoint_interval_ms,
        "checkpoints": paths.checkpoints,
        "savepoints": paths.savepoints,
        "tmp": paths.flink / "tmp",
        "python": sys.executable,
        **size.model_dump(),
        # A blank at an end would put the whole line in quotes: see config.yaml.
        "java_options": " ".join(size.java_options.split()),
    }
    render(CONF / "config.yaml", conf / "config.yaml", values)
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        shutil.copyfile(CONF / name, conf / name)


def _copy_scripts(source: Path, target: Path) -> None:
    """Copy Flink's scripts; they follow links, and would then find the wheel's own lib folder."""
    target.mkdir(parents=True, exist_ok=True)
    for script in source.iterdir():
        copy = target / script.name
        if not copy.exists() or copy.stat().st_size != script.stat().st_size:
            shutil.copyfile(script, copy)
            copy.chmod(0o755)  # a wheel does not keep the executable bit


def _link(folder: Path, targets: list[Path]) -> None:
    """Make a folder hold exactly one link to each target."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {target.name: target for target in targets if target.exists()}
    for present in folder.iterdir():
        target = wanted.get(present.name)
        if target is None or not present.is_symlink() or present.readlink() != target:
            present.unlink()
    for name, target in wanted.items():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)


def _ready(url: str, taskmanagers: int) -> str:
    """Return what is missing until the whole cluster has come together."""
    try:
        with FlinkRest(url, timeout=2) as rest:
            registered = rest.overview()["taskmanagers"]
    except UnreachableError as error:
        return error.message
    if registered < taskmanagers:
        return f"{registered} of {taskmanagers} TaskManagers registered"
    return ""
