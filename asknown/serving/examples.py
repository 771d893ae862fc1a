"""Examples and answer descriptions for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from asknown.serving.problems import MEDIA_TYPE, Problem

_BASIS = {
    "entity_id": "e_5k3v7q2m4x6c8a2d",
    "symbol": "AAPL",
    "venue": "XNAS",
    "isin": "US0378331005",
    "status": "LISTED",
    "raw_key": "SAMPLES:EQ:AAPL",
    "effective_time": "2013-02-07T05:00:00.000Z",
    "known_from": "2013-02-07T05:00:00.000Z",
    "price_factor": 0.48,
    "split_factor": 0.5,
    "share_factor": 2.0,
    "factor_version": 3,
}
_META = {
    "adjust": "all",
    "precision": "decimal * double ratio, rounded half to even to 8 places",
    "start": "2013-01-02T00:00:00.000Z",
    "end": "2013-02-01T00:00:00.000Z",
    "known_at": "2026-11-21T12:00:00.000Z",
    "symbol_as_of": "2026-11-21T12:00:00.000Z",
    "factor_basis": [_BASIS],
    "complete": True,
    "as_of": "2026-11-21T11:59:58.120Z",
}
_ROW = {
    "entity_id": "e_5k3v7q2m4x6c8a2d",
    "symbol": "AAPL",
    "venue": "XNAS",
    "price_factor": 0.98,
    "split_factor": 1.0,
    "share_factor": 1.0,
    "factor_version": 2,
    "ingest_time": "2026-11-21T11:00:00.000Z",
    "source": "samples",
    "event_id": "kN3vZq8RZr1yWc0t",
}
_PRICES = {"open": "549.71", "high": "550", "low": "541", "close": "542.1", "volume": "18728700"}
_BAR = {**_ROW, "bar_start": "2013-01-02T05:00:00.000Z", "interval_seconds": 86400, **_PRICES}
_TICK = {**_ROW, "event_time": "2013-01-02T14:30:00.120Z", "sequence": 7}
_QUOTE = {"bid_price": "549.7", "bid_size": "100", "ask_price": "549.75", "ask_size": "300"}
ROWS: dict[str, dict[str, Any]] = {
    "trade": {**_TICK, "price": "549.71", "size": "100"},
    "quote": {**_TICK, **_QUOTE},
    "bar": _BAR,
}
POINT = _BASIS

_PROBLEMS = {
    400: "A cursor of another request, or a request that would read too much.",
    404: "No instrument answers to a symbol or id; `hint` names the nearest.",
    406: "None of the accepted formats is offered.",
    422: "A parameter cannot be used; `errors` says what was expected and what was found.",
    503: "ClickHouse does not answer; repeat the request later.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of failures."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _PROBLEMS[status], "content": content, "model": Problem}
        for status in statuses
    }


def pages(dataset: str) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of a page of rows and of what can go wrong."""
    example = {"data": [ROWS[dataset]], "meta": _META, "next": None}
    text = {"schema": {"type": "string"}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    success = {
        "description": "A page of rows. Decimals are strings, times RFC 3339 in UTC. In CSV and "
        "Arrow the next page is in the `Link` header (in Arrow also in the schema's metadata).",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": example},
            "text/csv": text,
            "application/vnd.apache.arrow.stream": binary,
        },
    }
    return {200: success, **problems(400, 404, 406, 422, 503)}
