"""The one table of defaults: ports, folders, addresses, sizes.

Each field can be set by an environment variable `ASKNOWN_<FIELD>`. A second checkout on the same
machine sets `ASKNOWN_PORT_OFFSET`; its data folder is its own already.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import SecretStr, ValidationError, computed_field
from pydantic_settings import BaseSettings, SettingsConfigDict

from asknown.errors import UsageError

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where everything is and listens."""

    model_config = SettingsConfigDict(env_prefix="ASKNOWN_", frozen=True)

    host: str = "127.0.0.1"
    port_offset: int = 0  # added to every port below
    kafka_port: int = 19092
    kafka_controller_port: int = 19093
    registry_port: int = 18082
    flink_port: int = 18081
    flink_rpc_port: int = 16123
    postgres_port: int = 15432
    clickhouse_port: int = 18123
    api_port: int = 18000
    loader_metrics_port: int = 18010
    trino_port: int = 18085
    redis_port: int = 16379
    live_metrics_port: int = 18011

    with_trino: bool = False  # as `asknown up --with trino`, which is remembered in data_dir
    trino_java: str = ""  # home of a JDK >= 24; empty: JAVA_HOME, then beside the java on PATH

    home: Path = CHECKOUT / ".asknown"  # what the setup downloads: jars, libraries
    data_dir: Path = CHECKOUT / ".asknown" / "data"  # what the stack writes

    kafka_bootstrap: str = ""  # set to use a Kafka of your own
    registry_address: str = ""
    clickhouse_address: str = ""
    redis_address: str = ""
    catalog_address: str = ""  # SQLAlchemy address of the Iceberg catalog's Postgres
    warehouse: str = ""

    clickhouse_writer: str = "writer"
    clickhouse_reader: str = "reader"
    clickhouse_writer_password: SecretStr = SecretStr("")  # made at first start, kept in data_dir
    clickhouse_reader_password: SecretStr = SecretStr("")
    redis_writer_password: SecretStr = SecretStr("")
    redis_reader_password: SecretStr = SecretStr("")

    user: str = ""  # who decides, in what is kept of a decision; empty: the system's user

    job_parallelism: int = 1  # one subtask keeps its output in event-time order: docs/discussion
    checkpoint_interval_ms: int = 2000
    lake_checkpoint_interval_ms: int = 5000
    # How long normalize waits for a reference job that tells no time before it goes on without.
    reference_grace_ms: int = 60_000
    heal_every_seconds: float = 0  # how often the stack heals late records by itself; 0: never
    reference_patience_seconds: float = 20  # how long a replay waits for it at its beginning

    openlineage_url: str = ""  # a server that is told of runs as well; left out: a file only

    def port(self, base: int) -> int:
        """Return the port of this checkout for a default port."""
        return base + self.port_offset

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def bootstrap_servers(self) -> str:
        """Address of Kafka."""
        return self.kafka_bootstrap or f"{self.host}:{self.port(self.kafka_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def registry_url(self) -> str:
        """Address of the schema registry."""
        return self.registry_address or f"http://{self.host}:{self.port(self.registry_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def flink_url(self) -> str:
        """Address of Flink's REST interface and web UI."""
        return f"http://{self.host}:{self.port(self.flink_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def clickhouse_url(self) -> str:
        """Address of ClickHouse's HTTP interface."""
        return self.clickhouse_address or f"http://{self.host}:{self.port(self.clickhouse_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def redis_url(self) -> str:
        """Address of Redis."""
        return self.redis_address or f"redis://{self.host}:{self.port(self.redis_port)}/0"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def api_url(self) -> str:
        """Address of the API."""
        return f"http://{self.host}:{self.port(self.api_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def stream_url(self) -> str:
        """Address of the live stream, a WebSocket of the API."""
        return f"ws://{self.host}:{self.port(self.api_port)}/v1/stream"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def trino_url(self) -> str:
        """Address of Trino."""
        return f"http://{self.host}:{self.port(self.trino_port)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def catalog_uri(self) -> str:
        """SQLAlchemy address of the Iceberg catalog."""
        port = self.port(self.postgres_port)
        return self.catalog_address or f"postgresql+psycopg2://asknown@{self.host}:{port}/iceberg"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def catalog_jdbc(self) -> str:
        """JDBC address of the same catalog, for Flink and Trino."""
        return f"jdbc:{self.catalog_uri.replace('+psycopg2', '').replace('asknown@', '')}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def warehouse_uri(self) -> str:
        """Folder or bucket of the Iceberg tables."""
        return self.warehouse or f"file://{self.data_dir / 'warehouse'}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process.

    Raises `UsageError` ASKNOWN-SETTINGS-001 for a variable that cannot be read.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"ASKNOWN_{str(first['loc'][0]).upper()}"
        raise UsageError(
            "ASKNOWN-SETTINGS-001",
            f"{first['msg']}, found {first['input']!r}.",
            where=name,
            hint=f"unset {name}, or see the table in asknown/settings.py",
        ) from None
