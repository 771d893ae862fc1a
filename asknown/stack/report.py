"""What `asknown status` and `asknown job ls` show."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from asknown.settings import Settings
from asknown.stack.control import State, status
from asknown.stack.flink import FlinkRest
from asknown.stack.jobs import submitted

_ENDED = ("FINISHED", "CANCELED", "FAILED", "SUSPENDED")


@dataclass(frozen=True)
class StackReport:
    """Services and jobs at one moment."""

    services: list[State]
    jobs: list[dict[str, Any]]

    @property
    def healthy(self) -> bool:
        """Whether everything that was started works, and no submitted job is missing."""
        broken = any(s.state in ("failing", "starting", "unreachable") for s in self.services)
        return not broken and all(job["state"] not in ("missing", "FAILED") for job in self.jobs)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        services = [asdict(service) for service in self.services]
        return {"healthy": self.healthy, "services": services, "jobs": self.jobs}


def stack_report(config: Settings) -> StackReport:
    """Ask every service and Flink how they are."""
    services = status(config=config)
    ready = any(s.name == "flink" and s.state in ("ready", "external") for s in services)
    return StackReport(services, job_rows(config) if ready else [])


def job_rows(config: Settings) -> list[dict[str, Any]]:
    """Return one row a job: those Flink knows, newest first, and submitted ones it has lost.

    Raises:
        UnreachableError: Flink does not answer.
    """
    known = submitted(config)
    names = {record["job_id"]: name for name, record in known.items()}
    rows = []
    with FlinkRest(config.flink_url) as rest:
        for job in sorted(rest.jobs(), key=lambda job: -int(job["start-time"])):
            checkpoints = rest.checkpoints(job["jid"])
            rows.append(
                {
                    "name": names.get(job["jid"], job["name"]),
                    "state": job["state"],
                    "job_id": job["jid"],
                    "duration_s": int(job["duration"]) // 1000,
                    "checkpoints": checkpoints["counts"].get("completed", 0),
                    "checkpoint_age_s": _age_s(job, checkpoints),
                    "failures": len(rest.exceptions(job["jid"])),
                    "flink_name": job["name"],
                }
            )
    seen = {row["job_id"] for row in rows}
    for name, record in known.items():
        expected = not record.get("stopped") and not record.get("batch")
        if expected and record["job_id"] not in seen:
            rows.append(_missing(name, record["job_id"]))
    return rows


def _age_s(job: dict[str, Any], checkpoints: dict[str, Any]) -> int | None:
    """Return how long ago the newest checkpoint was complete, by Flink's own clock."""
    newest = checkpoints.get("latest", {}).get("completed")
    if newest is None:
        return None
    now_ms = int(job["start-time"]) + int(job["duration"])
    return max(0, now_ms - int(newest["latest_ack_timestamp"])) // 1000


def _missing(name: str, job_id: str) -> dict[str, Any]:
    counts = {"duration_s": 0, "checkpoints": 0, "checkpoint_age_s": None, "failures": 0}
    return {"name": name, "state": "missing", "job_id": job_id, **counts, "flink_name": ""}


def environment_lines(config: Settings) -> list[str]:
    """Return `export NAME=value` lines with every address, for a shell."""
    values = {
        "ASKNOWN_DATA_DIR": str(config.data_dir.absolute()),
        "ASKNOWN_PORT_OFFSET": str(config.port_offset),
        "KAFKA_BOOTSTRAP_SERVERS": config.bootstrap_servers,
        "SCHEMA_REGISTRY_URL": config.registry_url,
        "FLINK_URL": config.flink_url,
        "ICEBERG_CATALOG_URI": config.catalog_uri,
        "ICEBERG_WAREHOUSE": config.warehouse_uri,
        "CLICKHOUSE_URL": config.clickhouse_url,
        "API_URL": config.api_url,
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
