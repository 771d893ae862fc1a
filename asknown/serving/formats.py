"""Write a page as JSON, CSV or Arrow, whichever the client accepts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus

import orjson
import pyarrow as pa
from fastapi import Response

from asknown.reference.plain import plain
from asknown.serving.datasets import Answer
from asknown.serving.problems import ApiError


class Format(StrEnum):
    """Media types of a page."""

    JSON = "application/json"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"


_DECIMAL = pa.decimal128(38, 8)
_TIME = pa.timestamp("ms", tz="UTC")
_ARROW_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_time", "ingest_time", "bar_start", "effective_time"), _TIME),
    **dict.fromkeys(("valid_from", "valid_to", "known_from", "known_to"), _TIME),
    **dict.fromkeys(("from_time", "to_time", "window_start", "last_event_time"), _TIME),
    **dict.fromkeys(("price_factor", "split_factor", "share_factor"), pa.float64()),
    **dict.fromkeys(("value", "reference", "score", "limit"), pa.float64()),
    **dict.fromkeys(("age_seconds", "open_age_seconds"), pa.float64()),
    **dict.fromkeys(("records", "freshness_seconds"), pa.int64()),
    "breached": pa.bool_(),
    **dict.fromkeys(("factor_version", "revision", "interval_seconds", "version"), pa.int32()),
    **dict.fromkeys(("old_factor_version", "new_factor_version"), pa.int32()),
    **dict.fromkeys(("sequence", "event_count"), pa.int64()),
    **dict.fromkeys(("ratio_numerator", "ratio_denominator"), pa.int64()),
    **dict.fromkeys(("trade_date", "ex_date", "announce_date", "record_date"), pa.date32()),
    **dict.fromkeys(("pay_date", "reference_date"), pa.date32()),
}


def negotiate(accept: str) -> Format:
    """Return the format a client likes best; JSON where it does not mind.

    Raises ApiError 406 when it accepts none of ours.
    """
    wishes = []
    for number, item in enumerate(accept.split(",")):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        wishes.append((-_number(quality), number, media))
    for negative, _, media in sorted(wishes):
        if negative == 0:
            continue
        for offered in Format:
            if media in ("", "*/*", offered.value, f"{offered.value.partition('/')[0]}/*"):
                return offered
    raise ApiError(
        HTTPStatus.NOT_ACCEPTABLE,
        "ASKNOWN-API-406",
        f"Accept: expected one of {', '.join(Format)}, found {accept[:100]!r}.",
    )


def render(answer: Answer, wanted: Format, next_url: str | None) -> Response:
    """Return a page; `Link: rel=next` names the next one in every format."""
    writers: dict[Format, Callable[[Answer], bytes]] = {
        Format.JSON: as_json,
        Format.CSV: as_csv,
        Format.ARROW: as_arrow,
    }
    headers = {"Vary": "Accept", "Asknown-Known-At": answer.meta["known_at"]}
    if next_url:
        headers["Link"] = f'<{next_url}>; rel="next"'
    return Response(writers[wanted](answer), media_type=wanted.value, headers=headers)


def as_json(answer: Answer) -> bytes:
    """Return {data, meta, next}; decimals as strings, times as RFC 3339."""
    rows = [{name: plain(value) for name, value in row.items()} for row in answer.rows]
    return orjson.dumps({"data": rows, "meta": answer.meta, "next": answer.next})


def as_csv(answer: Answer) -> bytes:
    """Return a header line and one line per row; a null is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.table.names)
    for row in answer.rows:
        writer.writerow([plain(row[name]) for name in answer.table.names])
    return out.getvalue().encode()


def as_arrow(answer: Answer) -> bytes:
    """Return an Arrow IPC stream; meta and the cursor are in the schema's metadata."""
    fields = [pa.field(name, _arrow_type(answer, name)) for name in answer.table.names]
    extra = {"meta": orjson.dumps(answer.meta), "next": (answer.next or "").encode()}
    schema = pa.schema(fields, metadata=extra)
    columns = {name: [row[name] for row in answer.rows] for name in answer.table.names}
    table = pa.table(columns, schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _arrow_type(answer: Answer, name: str) -> pa.DataType:
    if name in answer.table.decimals:
        return _DECIMAL
    return _ARROW_TYPES.get(name, pa.string())


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
