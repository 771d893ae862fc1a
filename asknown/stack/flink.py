"""Flink's REST interface, as far as the platform uses it."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Any

import httpx2

from asknown.errors import AsknownError, UnreachableError
from asknown.settings import Settings

Json = dict[str, Any]


class FlinkRest:
    """Talk to a JobManager; a context manager.

    Every method raises UnreachableError when nothing answers, and AsknownError with Flink's own
    first line when it refuses.
    """

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        """Prepare a client; nothing is sent yet."""
        self.url = url
        self._client = httpx2.Client(base_url=url, timeout=timeout)

    def __enter__(self) -> FlinkRest:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def overview(self) -> Json:
        """Return counts of TaskManagers, slots and jobs."""
        return self._get("/overview")

    def jobs(self) -> list[Json]:
        """Return every job the JobManager knows: jid, name, state, start-time, duration, ..."""
        jobs: list[Json] = self._get("/jobs/overview")["jobs"]
        return jobs

    def job(self, job_id: str) -> Json:
        """Return one job with its vertices."""
        return self._get(f"/jobs/{job_id}")

    def checkpoints(self, job_id: str) -> Json:
        """Return the counts, the summary, the latest and the history of a job's checkpoints.

        A bounded job has none; its counts are empty.
        """
        try:
            return self._get(f"/jobs/{job_id}/checkpoints")
        except AsknownError as error:
            if "Checkpointing has not been enabled" not in error.message:
                raise
            return {"counts": {"completed": 0}}

    def exceptions(self, job_id: str) -> list[Json]:
        """Return a job's failures, newest first: exceptionName, stacktrace, timestamp, ..."""
        body = self._get(f"/jobs/{job_id}/exceptions")
        entries: list[Json] = body.get("exceptionHistory", {}).get("entries", [])
        return entries

    def metrics(self, job_id: str, vertex_id: str, names: tuple[str, ...]) -> dict[str, float]:
        """Return the sums over all subtasks of a vertex' metrics."""
        path = f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics"
        rows = self._request("GET", path, params={"get": ",".join(names), "agg": "sum"}).json()
        return {row["id"]: float(row["sum"]) for row in rows}

    def taskmanagers(self) -> list[Json]:
        """Return the registered TaskManagers."""
        rows: list[Json] = self._get("/taskmanagers")["taskmanagers"]
        return rows

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled; returns before it is."""
        self._request("PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})

    def stop_with_savepoint(self, job_id: str, directory: str, timeout: float = 120.0) -> str:
        """Stop a job after a savepoint of all its state, and return where that is.

        Raises:
            AsknownError: Flink could not write the savepoint, or not in time.
        """
        body = {"targetDirectory": directory, "drain": False}
        answer = self._request("POST", f"/jobs/{job_id}/stop", json=body).json()
        path = f"/jobs/{job_id}/savepoints/{answer['request-id']}"
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            state = self._get(path)
            if state["status"]["id"] == "COMPLETED":
                return self._location(job_id, state["operation"])
            time.sleep(0.2)
        raise AsknownError(
            "ASKNOWN-FLINK-003",
            f"Expected a savepoint within {timeout:.0f} s, found none.",
            where=f"{self.url}/#/job/{job_id}",
            hint="look at the job's checkpoints; `asknown job cancel` stops it without one",
        )

    def _location(self, job_id: str, operation: Json) -> str:
        if "location" in operation:
            return str(operation["location"])
        trace = operation.get("failure-cause", {}).get("stack-trace", "")
        raise AsknownError(
            "ASKNOWN-FLINK-004",
            f"Expected a savepoint, found: {first_line(trace)}",
            where=f"{self.url}/#/job/{job_id}",
            hint="`asknown logs flink -n 50`",
        )

    def _get(self, path: str) -> Json:
        body: Json = self._request("GET", path).json()
        return body

    def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise UnreachableError(
                "ASKNOWN-FLINK-001",
                f"Expected Flink to answer, found: {str(error) or type(error).__name__}.",
                where=self.url,
                hint="asknown up --only flink",
            ) from error
        if answer.is_success:
            return answer
        if answer.status_code == 503:
            raise UnreachableError(
                "ASKNOWN-FLINK-001", "The JobManager is still starting.", where=self.url
            )
        raise AsknownError(
            "ASKNOWN-FLINK-002",
            f"Flink refused {method} {path}: {first_line(_errors(answer))}",
            where=self.url,
        )


def _errors(answer: httpx2.Response) -> str:
    try:
        return "\n".join(answer.json().get("errors", []))
    except ValueError:
        return answer.text


def first_line(text: str) -> str:
    """Return the first line that is not empty, or a dash."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "-")


def free_width(config: Settings) -> int:
    """Return how wide a batch can run: all slots that are free, as far as there are cores."""
    with FlinkRest(config.flink_url) as rest:
        free = int(rest.overview()["slots-available"])
    return max(1, min(free, os.cpu_count() or 1))
