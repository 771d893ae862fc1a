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
    "valid_from": "2013-02-07T05:00:00.000Z",
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
_CLAIM = {
    "entity_id": _BASIS["entity_id"],
    "id_type": "SYMBOL",
    "id_value": "AAPL",
    "venue": "XNAS",
    "series": "",
    "valid_from": "1980-12-12T05:00:00.000Z",
    "valid_to": None,
    "known_from": "2000-01-03T05:00:00.000Z",
    "known_to": None,
    "reason": "LIST",
    "link": "",
    "raw_event_id": "kN3vZq8RZr1yWc0t",
}
_MOMENT = {"on": "2013-02-08T12:00:00.000Z", "known_at": "2026-11-21T12:00:00.000Z"}
_INTERVAL = {name: _CLAIM[name] for name in ("valid_from", "valid_to", "known_from", "known_to")}
_STATE = {
    **_BASIS,
    "series": None,
    "security_id": None,
    "issuer_id": None,
    "security_class": "EQ",
    "valid_to": None,
    "known_to": None,
    "strike": None,
    "lot_size": None,
}
_FACTOR = {
    "ex_date": "2005-02-28",
    "effective_time": "2005-02-28T05:00:00.000Z",
    "price_numerator": "1",
    "price_denominator": "2",
    "share_numerator": "2",
    "share_denominator": "1",
    "price_factor": 0.5,
    "split_factor": 0.5,
    "share_factor": 2.0,
    "method": "RATIO",
    "status": "FINAL",
    "known_from": "2005-02-28T05:00:00.000Z",
    "known_to": None,
}
_ACTION = {
    "action_id": "AAPL-2005-SPLIT",
    "version": 1,
    "kind": "SPLIT",
    "status": "CONFIRMED",
    "symbol": "AAPL",
    "ex_date": "2005-02-28",
    "ratio_numerator": 2,
    "ratio_denominator": 1,
    "known_from": "2005-02-11T05:00:00.000Z",
}
_RESTATEMENT = {
    "raw_key": "SAMPLES:EQ:AAPL",
    "from_time": "2005-02-28T05:00:00.000Z",
    "to_time": "2005-03-02T14:30:00.000Z",
    "old_factor_version": 2,
    "new_factor_version": 3,
    "reason": "ACTION",
}
_WHO = {"entity_id": _BASIS["entity_id"]}
ROWS |= {
    "instrument": {**_WHO, "symbol": "AAPL", "venue": "XNAS", **_INTERVAL, "reason": "LIST"},
    "instrument_history": {**_BASIS, **_INTERVAL},
    "corporate_action": {**_WHO, **_ACTION},
    "adjustment_factor": {**_WHO, **_FACTOR},
    "restatement": {**_WHO, **_RESTATEMENT},
}
_MEASURED = {"source": "synthetic", "window_start": "2024-10-28T04:00:00.000Z"}
ROWS |= {
    "quality": {
        "dataset": "trade",
        **_MEASURED,
        "metric": "mean",
        "column": "price",
        "interval_seconds": 60,
        "value": 103.25,
        "records": 553,
        "ingest_time": "2024-10-28T04:01:00.010Z",
        "event_id": "trade|synthetic|mean|price|1730088000000",
    },
    "freshness": {
        "dataset": "normalized.trade",
        "source": "synthetic",
        "venue": "XSIM",
        "last_event_time": "2024-10-28T04:29:59.000Z",
        "age_seconds": 61.0,
        "open_age_seconds": 61.0,
        "session": "open",
        "freshness_seconds": 180,
        "verdict": "FRESH",
    },
    "quality_monitor": {
        "dataset": "trade",
        **_MEASURED,
        "monitor": "mean_shift",
        "column": "price",
        "value": 103.25,
        "reference": 102.9,
        "score": 0.02,
        "limit": 1.0,
        "breached": False,
    },
}
_MARKET = ("trade", "quote", "bar")

_PROBLEMS = {
    400: "A cursor of another request, or a request that would read too much.",
    404: "No instrument answers to a symbol or id; `hint` names the nearest.",
    406: "None of the accepted formats is offered.",
    409: "Several instruments answer (AMBIGUOUS), or records contradict each other (CONFLICT): "
    "`data.candidates` names them.",
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
    known = {"known_at": _META["known_at"], "all": False, "complete": True}
    meta = _META if dataset in _MARKET else known
    example = {"data": [ROWS[dataset]], "meta": meta, "next": None}
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
    return {200: success, **problems(400, 404, 406, 409, 422, 503)}


def _found(description: str, data: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the description of an answer that is one thing."""
    content = {"application/json": {"example": {"data": data, "meta": _MOMENT}}}
    return {200: {"description": description, "content": content}}


RESOLVE = {
    **_found(
        "RESOLVED: `entity_id` is the one listing meant. CLOSED: it meant one only before; "
        "`entity_id` is null and the candidates are the last ones.",
        {"status": "RESOLVED", "symbol": "AAPL", **_WHO, "candidates": [_CLAIM]},
    ),
    **problems(404, 409, 422, 503),
}
STATE = {**_found("What the listing was then.", _STATE), **problems(404, 422, 503)}
