"""Table environments: one for the stream, one for a bounded run."""

from __future__ import annotations

import sys

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment, TableEnvironment

from asknown.settings import settings
from jobs.runtime.run import RunConfig

# Why each of them is set: docs/discussion/normalize.md, "What makes it fast".
_PLANNER = {
    "table.local-time-zone": "UTC",
    # Several sinks over one view: plan the view once, not once a sink.
    "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
    "table.exec.sink.not-null-enforcer": "ERROR",
    "pipeline.object-reuse": "true",
}
_STREAM = {
    "execution.runtime-mode": "STREAMING",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "state.backend.type": "hashmap",
    "table.exec.iceberg.use-v2-sink": "true",
    # Kryo on the hot path must be an error. (Iceberg's batch writer needs it for its file lists.)
    "pipeline.generic-types": "false",
}
FUNCTIONS = {
    "KEY_HISTORY": "asknown.flink.KeyHistory",
    "KEY_NUMBER": "asknown.flink.KeyNumber",
    "KEY_TIME": "asknown.flink.KeyTime",
    "OFF_TICK": "asknown.flink.OffTick",
    "REPEATED_OFFSETS": "asknown.flink.RepeatedOffsets",
    "SESSION_DATE": "asknown.flink.SessionDate",
    "SESSION_PHASE": "asknown.flink.SessionPhase",
}


def without_cluster() -> dict[str, str]:
    """Return the options that give a local Flink our functions, which a cluster has in lib/."""
    jars = (settings().home / "jars" / "flink").glob("asknown-flink-formats-*.jar")
    return {
        "pipeline.jars": ";".join(jar.as_uri() for jar in sorted(jars)),
        "python.executable": sys.executable,
    }


def streaming(run: RunConfig, **extra: str) -> TableEnvironment:
    """Return the environment of a live job; `extra` sets further options."""
    return _environment(
        {
            **_PLANNER,
            **_STREAM,
            "pipeline.name": run.job,
            "parallelism.default": str(run.parallelism),
            "execution.checkpointing.interval": f"{run.checkpoint_interval_ms} ms",
            **extra,
        }
    )


def bounded(name: str, parallelism: int, **extra: str) -> TableEnvironment:
    """Return the environment of a bounded run; `extra` sets further options."""
    return _environment(
        {
            **_PLANNER,
            "execution.runtime-mode": "BATCH",
            # A batch keeps the state of one key at a time; a Python bundle that reaches into the
            # next key finds the state of the one before gone.
            "python.fn-execution.bundle.size": "1",
            "pipeline.name": name,
            "parallelism.default": str(parallelism),
            **extra,
        }
    )


def _environment(options: dict[str, str]) -> TableEnvironment:
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    # One kind of environment for every job: tables, and operators where SQL cannot express them.
    env = StreamTableEnvironment.create(
        StreamExecutionEnvironment.get_execution_environment(configuration)
    )
    register_functions(env)
    return env


def register_functions(env: TableEnvironment) -> None:
    """Make the JVM functions of infra/flink-cluster known to `env`."""
    for name, path in FUNCTIONS.items():
        env.execute_sql(f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS '{path}' LANGUAGE JAVA")
