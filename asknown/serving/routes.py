"""The endpoints. Reads only; each turns parameters into one or two statements of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from asknown.serving import datasets, examples, formats, identity
from asknown.serving.datasets import Dataset
from asknown.serving.health import Health
from asknown.serving.landing import page as landing_page
from asknown.serving.metrics import MEDIA_TYPE as METRICS_TYPE
from asknown.serving.metrics import Metrics
from asknown.serving.parameters import BarsQuery, ResolveQuery, RowsQuery, iso, knowledge
from asknown.serving.reference import page as reference_page
from asknown.serving.rows import Reading, read
from asknown.serving.store import Store

JSON, HTML = "application/json", "text/html; charset=utf-8"
Accept = Annotated[str, Header(description="application/json, text/csv or an Arrow stream.")]


@dataclass(frozen=True)
class Services:
    """What the endpoints work with; `app.state.services`."""

    store: Store
    health: Health
    metrics: Metrics
    cursor_key: bytes
    now: Callable[[], datetime]
    flink_url: str


router = APIRouter()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


@router.get("/v1/trades", responses=examples.pages("trade"), tags=["market data"])
def trades(
    request: Request, query: Annotated[RowsQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return trades by instrument and time."""
    return _page(request, Reading(datasets.TRADE, query, {}, request.url.path), accept)


@router.get("/v1/quotes", responses=examples.pages("quote"), tags=["market data"])
def quotes(
    request: Request, query: Annotated[RowsQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return best bids and asks by instrument and time."""
    return _page(request, Reading(datasets.QUOTE, query, {}, request.url.path), accept)


@router.get("/v1/bars", responses=examples.pages("bar"), tags=["market data"])
def bars(
    request: Request, query: Annotated[BarsQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return bars, labelled by their start; 1d are the source's own daily bars.

    A bar in which a split took effect comes as two: one per factor version.
    """
    dataset = datasets.DAILY_BAR if query.interval == "1d" else datasets.BAR
    fixed: dict[str, str | int] = {
        "interval_seconds": datasets.INTERVALS[query.interval],
        "price_type": query.price_type,
    }
    return _page(request, Reading(dataset, query, fixed, request.url.path), accept)


@router.get(
    "/v1/instruments/resolve",
    responses={
        200: {
            "description": "Who the symbol was, and every change that was known by then.",
            "content": {JSON: {"example": {"data": {**examples.POINT, "history": []}}}},
        },
        **examples.problems(404, 422, 503),
    },
    tags=["instruments"],
)
def resolve(request: Request, query: Annotated[ResolveQuery, Query()]) -> Response:
    """Return who a symbol was at a moment, by the knowledge of another."""
    services = _services(request)
    known_at = knowledge(query.known_at, services.now())
    on = query.on or known_at
    point = identity.resolve(services.store, [query.symbol], on, known_at)[0]
    changes = identity.history(services.store, point, query.symbol, known_at)
    body = {
        "data": {**point.as_json(), "history": [change.as_json() for change in changes]},
        "meta": {"on": iso(on), "known_at": iso(known_at)},
    }
    return Response(orjson.dumps(body), media_type=JSON)


@router.get("/v1/datasets", responses=examples.problems(503), tags=["about"])
def list_datasets(request: Request) -> dict[str, Any]:
    """Return what is served: columns, coverage, age."""
    services = _services(request)
    now = services.now()
    return {
        "data": [
            {
                "dataset": found.dataset.name,
                "path": _PATHS[found.dataset.name],
                "columns": list(found.dataset.names),
                "max_range_days": found.dataset.max_range.days,
                **found.as_json(now),
            }
            for found in services.health.coverage()
        ],
        "meta": {"known_at": iso(now)},
    }


@router.get("/healthz", tags=["about"])
def healthz(request: Request) -> Response:
    """Return whether the store answers and how old its data are; 503 when it does not."""
    services = _services(request)
    good, body = services.health.report(services.now())
    return Response(orjson.dumps(body), 200 if good else 503, media_type=JSON)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus; the data's ages are read now."""
    services = _services(request)
    good, body = services.health.report(services.now())
    services.metrics.up.set(int(good))
    for name, data in body.get("data", {}).items():
        if data["age_seconds"] is not None:
            services.metrics.age.labels(name).set(data["age_seconds"])
    return Response(services.metrics.text(), media_type=METRICS_TYPE)


@router.get("/", include_in_schema=False)
def landing(request: Request) -> Response:
    """Return the landing page."""
    services = _services(request)
    _, body = services.health.report(services.now())
    return Response(landing_page(body, services.flink_url), media_type=HTML)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Return the reference page."""
    return Response(reference_page(request.app.openapi()), media_type=HTML)


_PATHS = {
    "trade": "/v1/trades",
    "quote": "/v1/quotes",
    "bar": "/v1/bars?interval=1s|1m",
    "daily_bar": "/v1/bars?interval=1d",
}


def _page(request: Request, reading: Reading, accept: str) -> Response:
    services = _services(request)
    wanted = formats.negotiate(accept)
    answer = read(services.store, reading, services.now(), services.cursor_key)
    answer.meta["as_of"] = _as_of(services, reading.dataset)
    services.metrics.rows.labels(reading.dataset.name).inc(len(answer.rows))
    return formats.render(answer, wanted, _next_url(request, answer.next))


def _as_of(services: Services, dataset: Dataset) -> str | None:
    """Return when the newest row of the dataset was ingested: how fresh the answer can be."""
    newest = next(c.newest for c in services.health.coverage() if c.dataset is dataset)
    return None if newest is None else iso(newest)


def _next_url(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "next"]
    return f"{request.url.path}?{urlencode([*kept, ('next', cursor)])}"
