"""Where the local stack keeps its files: one place per purpose under the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asknown.settings import CHECKOUT, Settings

INFRA = CHECKOUT / "infra"


@dataclass(frozen=True)
class Paths:
    """Folders of one stack; nothing outside them is written, except a socket (see supervisor)."""

    data: Path
    home: Path

    @classmethod
    def of(cls, config: Settings) -> Paths:
        """Return the folders for these settings, as absolute paths."""
        return cls(data=config.data_dir.absolute(), home=config.home.absolute())

    @property
    def logs(self) -> Path:
        """Folder of every process' log file."""
        return self.data / "logs"

    @property
    def run(self) -> Path:
        """Folder of generated configurations, pid files and the supervisor's socket."""
        return self.data / "run"

    @property
    def secrets(self) -> Path:
        """Folder of passwords, readable by the owner only."""
        return self.data / "secrets"

    @property
    def jobs(self) -> Path:
        """Folder that remembers which jobs were submitted."""
        return self.data / "jobs"

    @property
    def kafka(self) -> Path:
        """Folder of the broker's log."""
        return self.data / "kafka"

    @property
    def flink(self) -> Path:
        """Folder of Flink's home, checkpoints, savepoints and temporary files."""
        return self.data / "flink"

    @property
    def checkpoints(self) -> Path:
        """Folder of the jobs' checkpoints, one folder a job id."""
        return self.flink / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """Folder of the jobs' savepoints."""
        return self.flink / "savepoints"

    @property
    def registry(self) -> Path:
        """File of the schema registry."""
        return self.data / "registry" / "registry.sqlite"

    @property
    def postgres(self) -> Path:
        """Folder of the Postgres cluster."""
        return self.data / "postgres"

    @property
    def redis(self) -> Path:
        """Folder of Redis' log of changes."""
        return self.data / "redis"

    @property
    def clickhouse(self) -> Path:
        """Folder of ClickHouse's data."""
        return self.data / "clickhouse"

    @property
    def trino(self) -> Path:
        """Folder of Trino's configuration and data."""
        return self.data / "trino"

    @property
    def trino_server(self) -> Path:
        """Folder of Trino as `make trino` unpacks it."""
        return self.home / "trino" / "server"

    @property
    def kafka_jars(self) -> Path:
        """Folder of the broker's jars."""
        return self.home / "jars" / "kafka"

    @property
    def flink_jars(self) -> Path:
        """Folder of the connector jars."""
        return self.home / "jars" / "flink"

    @property
    def libchdb(self) -> Path:
        """ClickHouse as a library."""
        package = Path("node_modules", "@chdb", "lib-linux-x64-gnu")
        return self.home / "clickhouse" / package / "libchdb.so"
