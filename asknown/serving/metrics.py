"""The API's own metrics, in Prometheus' format."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


class Metrics:
    """Counters of one app; each app has a registry of its own."""

    def __init__(self) -> None:
        """Register the metrics."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "asknown_api_requests_total",
            "Requests answered.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "asknown_api_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.rows = Counter(
            "asknown_api_rows_total", "Rows returned.", ("dataset",), registry=self.registry
        )
        self.age = Gauge(
            "asknown_api_data_age_seconds",
            "Time since the newest row of a dataset was ingested.",
            ("dataset",),
            registry=self.registry,
        )
        self.up = Gauge(
            "asknown_api_clickhouse_up", "1 when ClickHouse answers.", registry=self.registry
        )

    async def observe(
        self, request: Request, call: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Answer a request and count it under its route (never its path: labels are bounded)."""
        began = time.perf_counter()
        status = 500
        try:
            response = await call(request)
            status = response.status_code
        finally:
            route = _route(request)
            self.seconds.labels(route).observe(time.perf_counter() - began)
            self.requests.labels(route, str(status)).inc()
        return response

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self.registry)


def _route(request: Request) -> str:
    """Return the path of the endpoint that answered, as it is declared."""
    return str(getattr(request.scope.get("route"), "path", "other"))
