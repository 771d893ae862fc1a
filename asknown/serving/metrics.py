"""The API's own metrics, in Prometheus' format."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        self.clients = Gauge(
            "asknown_stream_clients", "Clients of the stream.", registry=self.registry
        )
        self.left_out = Counter(
            "asknown_stream_left_out_total",
            "Updates that were not sent because a newer one was; counted when a client leaves.",
            registry=self.registry,
        )
        self.up = Gauge(
            "asknown_api_clickhouse_up", "1 when ClickHouse answers.", registry=self.registry
        )

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self.registry)


class Observed:
    """Middleware: count every request under its route (never its path: labels are bounded).

    Plain ASGI: Starlette's decorator for middleware costs a task and a stream for each request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an app."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            route = str(getattr(scope.get("route"), "path", "other"))
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
            self._metrics.requests.labels(route, str(status)).inc()
