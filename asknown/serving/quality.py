"""The endpoints of data quality: measurements, freshness, and what the monitors make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from asknown.contracts.catalog import contract
from asknown.quality import freshness, monitors
from asknown.quality.monitors import LIMITS, Finding
from asknown.reference.moments import iso, milliseconds, moment
from asknown.serving import examples, formats, measured
from asknown.serving.datasets import Answer, Row
from asknown.serving.measured import DAY_MS, SESSIONS, Fates, Measurements, Newest
from asknown.serving.parameters import Instant, Name
from asknown.serving.problems import bad_parameter
from asknown.serving.queries import PageQuery
from asknown.serving.reading import Caller, Question, read
from asknown.serving.routes import Accept, respond, services_of
from asknown.serving.store import Store

router = APIRouter(tags=["quality"])
_START, _END = (f"fromUnixTimestamp64Milli({{{n}:Int64}}, 'UTC')" for n in ("start", "end"))


class QualityQuery(PageQuery):
    """Which measurements to read."""

    dataset: Name | None = Field(default=None, description="trade, quote or bar.")
    source: Name | None = Field(default=None, description="Source of the measured records.")
    metric: Name | None = Field(default=None, description="Such as records, null_share, mean.")
    start: Instant | None = Field(default=None, description="Windows from here on, inclusive.")
    end: Instant | None = Field(default=None, description="Windows up to here, exclusive.")


class StateQuery(BaseModel):
    """Whose state, and when."""

    model_config = ConfigDict(extra="forbid")

    dataset: Name | None = Field(
        default=None, description="Such as trade or, where two layers have one, analytics.bar."
    )
    source: Name | None = Field(default=None, description="Only of this source.")
    at: Instant | None = Field(
        default=None,
        description="As seen at this moment. Default the newest event time of all datasets: the "
        "time of the data, which in a replay is not that of the wall.",
    )


@dataclass(frozen=True)
class States:
    """Columns of an answer that is computed and not read."""

    name: str
    names: tuple[str, ...]
    decimals: tuple[str, ...] = ()


FRESHNESS = States(
    "freshness",
    (
        *("dataset", "source", "venue", "last_event_time", "age_seconds", "open_age_seconds"),
        *("session", "freshness_seconds", "verdict"),
    ),
)
MONITORS = States(
    "quality_monitor",
    (
        *("dataset", "source", "monitor", "column", "window_start"),
        *("value", "reference", "score", "limit", "breached"),
    ),
)


@router.get("/v1/quality", responses=examples.pages("quality"))
def quality(
    request: Request, query: Annotated[QualityQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return measurements: one row per dataset, source, metric, column and window."""
    services = services_of(request)
    wanted = formats.negotiate(accept)
    if query.start and query.end and query.end <= query.start:
        raise bad_parameter("end", f"a time after start ({iso(query.start)})", iso(query.end))
    conditions: tuple[tuple[str, str, Any], ...] = (
        ("dataset = {dataset:String}", "dataset", query.dataset),
        ("measured_source = {source:String}", "source", query.source),
        ("metric = {metric:String}", "metric", query.metric),
        (f"event_time >= {_START}", "start", query.start and milliseconds(query.start)),
        (f"event_time < {_END}", "end", query.end and milliseconds(query.end)),
    )
    question = Question(measured.QUALITY, query, request.url.path, conditions)
    caller = Caller(services.store, services.now(), services.cursor_key)
    return respond(request, read(caller, question), wanted)


@router.get("/v1/quality/freshness", responses=examples.pages("freshness"))
def show_freshness(
    request: Request, query: Annotated[StateQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return the age of each source's newest record in open-session time, against what is promised.

    FRESH, STALE, or CLOSED: fresh, and nothing is expected now.
    """
    services = services_of(request)
    wanted = formats.negotiate(accept)
    found, at_ms = _newest(services.store, query.at)
    rows = [one.state(at_ms) for one in found if _named(one, query)]
    return respond(request, _answer(FRESHNESS, rows, services.now(), at_ms), wanted)


@router.get("/v1/quality/monitors", responses=examples.pages("quality_monitor"))
def show_monitors(
    request: Request, query: Annotated[StateQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return the newest window of each source against what is usual and what is promised."""
    services = services_of(request)
    wanted = formats.negotiate(accept)
    found, at_ms = _newest(services.store, query.at)
    rows = []
    for one in measured.measurements(services.store, at_ms):
        if query.dataset in (None, one.dataset) and query.source in (None, one.source):
            rows += [_monitor_row(one, f) for f in _findings(services.store, one, found)]
    rows += _fates_rows(services.store, query)
    return respond(request, _answer(MONITORS, rows, services.now(), at_ms), wanted)


def _newest(store: Store, at: datetime | None) -> tuple[list[Newest], int]:
    if at is not None:
        return measured.newest(store, milliseconds(at)), milliseconds(at)
    found = measured.newest(store)
    return found, measured.data_time(found)


def _named(one: Newest, query: StateQuery) -> bool:
    names = (None, one.topic.name, one.topic.dataset)
    return query.dataset in names and query.source in (None, one.source)


def _findings(store: Store, one: Measurements, found: Iterable[Newest]) -> list[Finding]:
    """Return what the monitors say of the newest window of a source."""
    earlier = _earlier(store, one, found)
    findings: list[Finding | None] = [monitors.volume(one.records, earlier)]
    for column, windows in one.moments.items():
        if ("mean", column) in one.now:
            current, *before = windows
            findings.append(monitors.mean_shift(column, current, before))
            findings.append(monitors.spread_shift(column, current, before))
    for (metric, column), value in one.now.items():
        if metric == "null_share":
            before_ = one.before.get((metric, column), [])
            findings.append(monitors.null_share(column, value, before_))
        elif metric in ("flagged_share", "order_violation_share"):
            findings.append(monitors.share(metric, value, getattr(LIMITS, metric)))
    return [f for f in findings if f is not None]


def _earlier(store: Store, one: Measurements, found: Iterable[Newest]) -> list[float]:
    """Return the records of the same minute in earlier sessions of the source's main venue."""
    trading = f"normalized.{one.dataset}"
    own = [n for n in found if (n.topic.name, n.source) == (trading, one.source)]
    venue = max(own, key=lambda n: n.records).venue if own else ""
    start = one.window_ms - 3 * SESSIONS * DAY_MS
    intervals = measured.open_intervals(venue, start, one.window_ms)
    if intervals is not None:
        windows = freshness.same_minute(intervals, one.window_ms, SESSIONS)
        return measured.records_in(store, one, windows)
    # Nobody can tell a closed day from a silent one: only days with records are compared.
    days = [one.window_ms - n * DAY_MS for n in range(1, SESSIONS + 1)]
    return [count for count in measured.records_in(store, one, days) if count]


def _monitor_row(one: Measurements, finding: Finding) -> Row:
    return _finding_row(one.dataset, one.source, finding, moment(one.window_ms))


def _finding_row(
    dataset: str, source: str | None, finding: Finding, window: datetime | None
) -> Row:
    return {
        "dataset": dataset,
        "source": source,
        "monitor": finding.monitor,
        "column": finding.column,
        "window_start": window,
        "value": finding.value,
        "reference": finding.reference,
        "score": finding.score,
        "limit": finding.limit,
        "breached": finding.breached,
    }


def _fates_rows(store: Store, query: StateQuery) -> list[Row]:
    """Return the shares of what became of raw records, and the completeness of each dataset."""
    rows = []
    for dataset in ("trade", "quote", "bar"):
        if query.dataset not in (None, dataset):
            continue
        sources = measured.fates(store, dataset)
        for one in sources:
            if one.source and query.source in (None, one.source):
                rows += [_finding_row(dataset, one.source, f, None) for f in _shares(one)]
        sla = contract(f"normalized.{dataset}").topic.sla
        kept = sum(one.records - one.duplicate for one in sources)
        if sla and sla.completeness is not None and kept and query.source is None:
            whole = sum(one.normalized for one in sources) / kept
            finding = monitors.completeness(whole, sla.completeness)
            rows.append(_finding_row(dataset, None, finding, None))
    return rows


def _shares(one: Fates) -> list[Finding]:
    return [
        monitors.share("duplicate_share", one.duplicate / one.records, LIMITS.duplicate_share),
        monitors.share("late_share", one.late / one.records, LIMITS.late_share),
    ]


def _answer(table: States, rows: list[Row], now: datetime, at_ms: int) -> Answer:
    meta = {"known_at": iso(now), "at": iso(moment(at_ms)), "complete": True}
    return Answer(table, rows, meta, None)
