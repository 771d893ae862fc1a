"""How Flink's processes are started: what its own scripts would run, worked out once.

The scripts ask a Java program three times at each start to turn the configuration into memory
settings. That is most of the time a killed TaskManager needs to come back, so the answer is kept
until the configuration or the jars change.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asknown.errors import AsknownError

# $0 is a script in Flink's bin folder: config.sh finds everything from there.
_ASK = """
. "$(dirname "$0")/config.sh"
parse{role}ArgsAndExportLogs
printf '%s\\n' "$JVM_ARGS" "$FLINK_ENV_JAVA_OPTS $FLINK_ENV_JAVA_OPTS_{opts}" \
  "${{DYNAMIC_PARAMETERS[*]}}" "$(constructFlinkClassPath)"
"""


@dataclass(frozen=True)
class Role:
    """One kind of Flink process: its class, and what config.sh calls it."""

    name: str
    main: str
    script: str
    options: str


JOBMANAGER = Role(
    "jobmanager",
    "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    "Jm",
    "JM",
)
TASKMANAGER = Role(
    "taskmanager", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "Tm", "TM"
)


def launcher(flink: Path, role: Role) -> Path:
    """Return the script that becomes the process; its one argument is the process' name."""
    return flink / "launch" / f"{role.name}.sh"


def prepare_launcher(flink: Path, role: Role, environment: Mapping[str, str]) -> None:
    """Write a role's launcher, unless the one there is of this configuration and these jars.

    Raises:
        AsknownError: Flink's scripts refuse the configuration.
    """
    target = launcher(flink, role)
    stamp = f"# {_digest(flink, environment)}"
    if target.exists() and target.read_text().splitlines()[1] == stamp:
        return
    ask = _ASK.format(role=role.script, opts=role.options)
    done = subprocess.run(
        ["/bin/bash", "-c", ask, str(flink / "home" / "bin" / f"{role.name}.sh")],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()[-4:]
    if done.returncode or len(lines) != 4 or "-Xmx" not in lines[0]:
        raise AsknownError(
            "ASKNOWN-STACK-021",
            f"Expected Flink to accept its configuration, found: {done.stderr.strip()[-400:]}",
            where=environment["FLINK_CONF_DIR"],
            hint="correct infra/flink-cluster/conf/config.yaml or the ASKNOWN_... sizes",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(["#!/bin/bash", stamp, _command(role, lines, environment), ""]))


def _command(role: Role, lines: list[str], environment: Mapping[str, str]) -> str:
    """Return the line that replaces the shell with Java; $1 is the process' name."""
    memory, options, parameters, classes = lines
    conf, logs = environment["FLINK_CONF_DIR"], environment["FLINK_LOG_DIR"]
    before = [f"{environment['JAVA_HOME']}/bin/java", *memory.split(), *options.split()]
    after = [
        f"-Dlog4j.configurationFile=file:{conf}/log4j-console.properties",
        "-classpath",
        classes.rstrip(":"),
        role.main,
        "--configDir",
        conf,
        *parameters.split(),
    ]
    log = f'{shlex.quote(f"-Dlog.file={logs}/")}"$1".log'
    return f"exec {shlex.join(before)} {log} {shlex.join(after)}"


def _digest(flink: Path, environment: Mapping[str, str]) -> str:
    """Return what changes when the answer of the scripts may change."""
    parts = [
        (flink / "conf" / "config.yaml").read_text(),
        environment["JAVA_HOME"],
        *sorted(str(path.readlink()) for path in (flink / "home" / "lib").iterdir()),
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
