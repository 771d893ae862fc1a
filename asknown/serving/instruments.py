"""The endpoints of identity, corporate actions, factors and restatements."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from asknown.reference.identifiers import ResolutionStatus as Status
from asknown.reference.moments import iso, milliseconds
from asknown.reference.naming import Asked, Moment, decide
from asknown.serving import examples, facts, formats, identity
from asknown.serving.facts import Facts
from asknown.serving.parameters import knowledge
from asknown.serving.problems import ApiError, bad_parameter
from asknown.serving.queries import (
    ExDateQuery,
    HistoryQuery,
    InstrumentsQuery,
    OfInstrumentsQuery,
    OnQuery,
    ResolveQuery,
    RestatementsQuery,
)
from asknown.serving.reading import Caller, Question, read
from asknown.serving.routes import JSON, Accept, respond, services_of
from asknown.serving.timelines import timelines, unknown

MAX_DAYS = 366  # of a request that names no instrument
_ON = "fromUnixTimestamp64Milli({on:Int64}, 'UTC')"
_START, _END = (f"fromUnixTimestamp64Milli({{{n}:Int64}}, 'UTC')" for n in ("start", "end"))
EntityId = Annotated[str, Path(max_length=64, description="Permanent listing id.")]
router = APIRouter()


@router.get("/v1/instruments/resolve", responses=examples.RESOLVE, tags=["instruments"])
async def resolve(request: Request, query: Annotated[ResolveQuery, Query()]) -> Response:
    """Return whose an identifier was at a moment, by the knowledge of another.

    `data.status` is exactly one of RESOLVED and CLOSED (200), UNKNOWN (404), AMBIGUOUS and CONFLICT
    (409); problems carry the same `data`, with the candidates and the records that name them.
    """
    services = services_of(request)
    known_at = knowledge(query.known_at, services.now())
    at = Moment(query.on or known_at, known_at)
    asked = Asked(query.symbol, query.id_type, query.venue, query.series)
    found = decide(asked, await services.lookup.rows(asked.values()), at)
    if found.status not in (Status.RESOLVED, Status.CLOSED):
        raise await run_in_threadpool(identity.problem, services.store, found, at)
    meta = {"on": iso(at.on), "known_at": iso(known_at)}
    return Response(orjson.dumps({"data": found.as_json(at), "meta": meta}), media_type=JSON)


@router.get("/v1/instruments", responses=examples.pages("instrument"), tags=["instruments"])
def instruments(
    request: Request, query: Annotated[InstrumentsQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return listings by the symbols they bear, in the order of symbols."""
    services = services_of(request)
    on = query.on or query.known_at or services.now()
    conditions: list[tuple[str, str, Any]] = [
        ("id_type = {id_type:String}", "id_type", "SYMBOL"),
        ("startsWith(id_value, {prefix:String})", "prefix", query.prefix or None),
        ("venue = {venue:String}", "venue", query.venue),
    ]
    if not query.all:
        conditions.append((f"valid_from <= {_ON} AND valid_to > {_ON}", "on", milliseconds(on)))
    question = Question(facts.SYMBOLS, query, request.url.path, tuple(conditions))
    return _page(request, question, accept)


@router.get("/v1/instruments/{entity_id}", responses=examples.STATE, tags=["instruments"])
def instrument(
    request: Request, entity_id: EntityId, query: Annotated[OnQuery, Query()]
) -> Response:
    """Return what a listing was at a moment, by the knowledge of another."""
    services = services_of(request)
    known_at = knowledge(query.known_at, services.now())
    on = query.on or known_at
    point = timelines(services.store, [entity_id], known_at)[entity_id].at(on)
    if point is None:
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            "ASKNOWN-API-404",
            f"{entity_id[:64]!r} was not listed yet at {iso(on)}.",
            hint=f"GET /v1/instruments/{entity_id[:64]}/history",
        )
    meta = {"on": iso(on), "known_at": iso(known_at)}
    return Response(orjson.dumps({"data": point.state(known_at), "meta": meta}), media_type=JSON)


@router.get(
    "/v1/instruments/{entity_id}/history",
    responses=examples.pages("instrument_history"),
    tags=["instruments"],
)
def history(
    request: Request,
    entity_id: EntityId,
    query: Annotated[HistoryQuery, Query()],
    accept: Accept = "*/*",
) -> Response:
    """Return what a listing was from when to when, and from when to when that was believed."""
    services = services_of(request)
    wanted = formats.negotiate(accept)
    condition = (facts.HISTORY.of_listings, "listings", [entity_id])
    question = Question(facts.HISTORY, query, request.url.path, (condition,), query.all)
    caller = Caller(services.store, services.now(), services.cursor_key)
    answer = read(caller, question)
    if not answer.rows and not query.next:
        raise unknown(entity_id, query.known_at or caller.now)
    return respond(request, answer, wanted)


@router.get(
    "/v1/corporate-actions", responses=examples.pages("corporate_action"), tags=["reference"]
)
def corporate_actions(
    request: Request, query: Annotated[ExDateQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return corporate actions by ex-date: of each the newest version known, or every one."""
    return _by_ex_date(request, facts.ACTIONS, query, accept)


@router.get(
    "/v1/adjustment-factors", responses=examples.pages("adjustment_factor"), tags=["reference"]
)
def adjustment_factors(
    request: Request, query: Annotated[ExDateQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return the exact factors of each ex-date, as quotients of integers and as numbers.

    `price_factor` multiplies every earlier price, `share_factor` every earlier share count.
    """
    return _by_ex_date(request, facts.FACTORS, query, accept)


@router.get("/v1/restatements", responses=examples.pages("restatement"), tags=["reference"])
def restatements(
    request: Request, query: Annotated[RestatementsQuery, Query()], accept: Accept = "*/*"
) -> Response:
    """Return which ranges mean something else since something was learnt late."""
    _require_bounds(query, query.start is not None)
    start = None if query.start is None else milliseconds(query.start)
    end = None if query.end is None else milliseconds(query.end)
    conditions = (
        (f"to_time > {_START}", "start", start),
        (f"from_time < {_END}", "end", end),
    )
    question = Question(facts.RESTATEMENTS, query, request.url.path, conditions)
    return _page(request, question, accept)


def _by_ex_date(request: Request, table: Facts, query: ExDateQuery, accept: str) -> Response:
    bounded = query.start and query.end and (query.end - query.start).days <= MAX_DAYS
    _require_bounds(query, bool(bounded))
    if query.start and query.end and query.end <= query.start:
        raise bad_parameter("end", f"a date after start ({query.start})", query.end)
    conditions = (
        ("ex_date >= {start:Date32}", "start", query.start and query.start.isoformat()),
        ("ex_date < {end:Date32}", "end", query.end and query.end.isoformat()),
    )
    question = Question(table, query, request.url.path, conditions, query.all)
    return _page(request, question, accept)


def _require_bounds(query: OfInstrumentsQuery, bounded: bool) -> None:
    """Raise ApiError 422 when a request names neither instruments nor a bounded time."""
    if not (query.symbols or query.entity_ids or bounded):
        raise bad_parameter(
            "symbols",
            f"symbols or entity_ids, or a range of at most {MAX_DAYS} days from start to end",
            "neither",
            hint="symbols=AAPL, or start=2024-10-01&end=2024-11-01 for all instruments",
        )


def _page(request: Request, question: Question, accept: str) -> Response:
    services = services_of(request)
    wanted = formats.negotiate(accept)
    caller = Caller(services.store, services.now(), services.cursor_key)
    return respond(request, read(caller, question), wanted)
