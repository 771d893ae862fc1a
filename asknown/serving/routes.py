"""The endpoints. Reads only; each turns parameters into one or two statements of the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from asknown.reference.moments import iso
from asknown.serving import datasets, examples, formats, measured
from asknown.serving.datasets import Answer, Dataset
from asknown.serving.health import Health
from asknown.serving.landing import page as landing_page
from asknown.serving.lookup import Lookup
from asknown.serving.metrics import MEDIA_TYPE as METRICS_TYPE
from asknown.serving.metrics import Metrics
from asknown.serving.parameters import BarsQuery, RowsQuery
from asknown.serving.reference import page as reference_page
from asknown.serving.rows import Reading, read
from asknown.serving.store import Store

JSON, HTML = "application/json", "text/html; charset=utf-8"
Accept = Annotated[str, Header(description="application/json, text/csv or an Arrow stream.")]


@dataclass(frozen=True)
class Services:
    """What the endpoints work with; `app.state.services`."""

    store: Store
    lookup: Lookup
    health: Health
    metrics: Metrics
    cursor_key: bytes
    now: Callable[[], datetime]
    flink_url: str


router = APIRouter()


def services_of(request: Request) -> Services:
    """Return what the endpoints of this app work with."""
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


@router.get("/v1/datasets", responses=examples.problems(503), tags=["about"])
def list_datasets(request: Request) -> dict[str, Any]:
    """Return what is served: columns, coverage, age, what is promised and whether it is kept.

    Freshness is as of the newest event time of all datasets; /v1/quality/freshness takes any.
    """
    services = services_of(request)
    now = services.now()
    states = _states(services.store)
    return {
        "data": [
            {
                "dataset": found.dataset.name,
                "path": _PATHS[found.dataset.name],
                "columns": list(found.dataset.names),
                "max_range_days": found.dataset.max_range.days,
                **found.as_json(now),
                **states.get(found.dataset.table, {"sla": None, "freshness": []}),
            }
            for found in services.health.coverage()
        ],
        "meta": {"known_at": iso(now)},
    }


@router.get("/healthz", tags=["about"])
def healthz(request: Request) -> Response:
    """Return whether the store answers and how old its data are; 503 when it does not."""
    services = services_of(request)
    good, body = services.health.report(services.now())
    return Response(orjson.dumps(body), 200 if good else 503, media_type=JSON)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus; the data's ages are read now."""
    services = services_of(request)
    good, body = services.health.report(services.now())
    services.metrics.up.set(int(good))
    for name, data in body.get("data", {}).items():
        if data["age_seconds"] is not None:
            services.metrics.age.labels(name).set(data["age_seconds"])
    return Response(services.metrics.text(), media_type=METRICS_TYPE)


@router.get("/", include_in_schema=False)
def landing(request: Request) -> Response:
    """Return the landing page."""
    services = services_of(request)
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
    services = services_of(request)
    wanted = formats.negotiate(accept)
    answer = read(services.store, reading, services.now(), services.cursor_key)
    answer.meta["as_of"] = _as_of(services, reading.dataset)
    return respond(request, answer, wanted)


def respond(request: Request, answer: Answer, wanted: formats.Format) -> Response:
    """Return a page in the format the client accepts, and count its rows."""
    services_of(request).metrics.rows.labels(answer.table.name).inc(len(answer.rows))
    return formats.render(answer, wanted, _next_url(request, answer.next))


def _states(store: Store) -> dict[str, dict[str, Any]]:
    """Return by table what is promised of its newest records, and how each source keeps it."""
    newest = measured.newest(store)
    at_ms = measured.data_time(newest)
    states: dict[str, dict[str, Any]] = {}
    for one in newest:
        state = one.state(at_ms)
        state["last_event_time"] = iso(state["last_event_time"])
        entry = states.setdefault(one.topic.table, {"sla": asdict(one.sla), "freshness": []})
        entry["freshness"].append({k: v for k, v in state.items() if k != "dataset"})
    return states


def _as_of(services: Services, dataset: Dataset) -> str | None:
    """Return when the newest row of the dataset was ingested: how fresh the answer can be."""
    newest = next(c.newest for c in services.health.coverage() if c.dataset is dataset)
    return None if newest is None else iso(newest)


def _next_url(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "next"]
    return f"{request.url.path}?{urlencode([*kept, ('next', cursor)])}"
