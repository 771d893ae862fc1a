"""Answer over the HTTP API: the same rows, for whoever has no access to the lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import httpx2
import orjson
import pyarrow as pa

from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.reference.moments import iso, parse_time
from asknown.reference.naming import Asked, Moment
from asknown.research.asking import Ask, earliest, latest, shown
from asknown.research.lines import NotNamedError
from asknown.research.result import Result
from asknown.research.sources import ACTION, BAR, SOURCE_DAY, TRADE, Source
from asknown.research.spans import in_range

TIMEOUT_S = 60
PAGE = 10_000  # rows
ARROW = "application/vnd.apache.arrow.stream"
_SOURCES: Mapping[str, Source] = {
    "trade": TRADE,
    "bar": BAR,
    "daily_bar": SOURCE_DAY,
    "corporate_action": ACTION,
}
_PATHS = {
    "trade": "/v1/trades",
    "bar": "/v1/bars",
    "daily_bar": "/v1/bars",
    "corporate_action": "/v1/corporate-actions",
}
# How much time one request may ask for.
_SPANS = {
    "trade": timedelta(days=31),
    "bar": timedelta(days=366),
    "daily_bar": timedelta(days=36_600),
}
_INTERVALS = {1: "1s", 60: "1m"}
Query = dict[str, str]


class Api:
    """Asks one API; safe for use from one thread."""

    def __init__(self, url: str) -> None:
        """Prepare a client; nothing is asked yet."""
        self._url = url.rstrip("/")
        self._client = httpx2.Client(base_url=self._url, timeout=TIMEOUT_S)

    @property
    def place(self) -> str:
        """Return where answers come from."""
        return self._url

    def now(self) -> datetime:
        """Return the newest knowledge there can be, by the API's clock."""
        answer = self._get("/v1/instruments", {"limit": "1"})
        return parse_time(answer.headers["Asknown-Known-At"])

    def answer(self, ask: Ask) -> Result:
        """Return the rows of a question.

        Raises UsageError for what cannot be asked, NotNamedError for symbols, UnreachableError
        when the API or its store does not answer.
        """
        if ask.dataset not in _PATHS:
            raise UsageError(
                "ASKNOWN-RESEARCH-005",
                f"expected a dataset that the API serves ({', '.join(_PATHS)}), found"
                f" {ask.dataset!r}.",
                where=self._url,
                hint="connect() in a checkout reads it from the lake.",
            )
        known_at = ask.known_at or self.now()
        ask = replace(ask, known_at=known_at, symbol_as_of=ask.symbol_as_of or known_at)
        spans = list(_spans(ask))
        first = self._page(ask, _query(ask, spans[0]))  # refuses what cannot be asked, and has meta

        def read() -> Iterator[pa.Table]:
            for span in spans:
                yield from self._rows(ask, span)

        said = {"start": shown(ask.start), "end": shown(ask.end)}
        meta = {"from": self._url, **_meta(first), **said, "snapshots": {}, "schemas": {}}
        source = _SOURCES[ask.dataset]
        return Result(ask, first.schema.remove_metadata(), meta, source.key, read)

    def resolve(self, asked: Asked, at: Moment) -> dict[str, Any]:
        """Return what an identifier meant: status, entity_id and the candidates."""
        query = {"symbol": asked.value, "id_type": asked.id_type.value}
        query |= {"on": iso(at.on), "known_at": iso(at.known_at)}
        query |= {n: v for n, v in (("venue", asked.venue), ("series", asked.series)) if v}
        try:
            body = orjson.loads(self._get("/v1/instruments/resolve", query).content)
        except NotNamedError as error:
            return error.data
        found: dict[str, Any] = body["data"]
        return found

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _rows(self, ask: Ask, span: tuple[datetime, datetime] | None) -> Iterator[pa.Table]:
        """Yield the pages of one stretch of time."""
        source, query = _SOURCES[ask.dataset], _query(ask, span)
        while True:
            page = self._page(ask, query)
            following = page.schema.metadata[b"next"].decode()
            rows = page.replace_schema_metadata(None)
            yield in_range(rows, source.time, ask) if span else rows
            if not following:
                return
            query = {**query, "next": following}

    def _page(self, ask: Ask, query: Query) -> pa.Table:
        answer = self._get(_PATHS[ask.dataset], query)
        return pa.ipc.open_stream(answer.content).read_all()

    def _get(self, path: str, query: Query) -> httpx2.Response:
        try:
            answer = self._client.get(path, params=query, headers={"Accept": ARROW})
        except httpx2.HTTPError as error:
            raise self._silent(str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: httpx2.Response) -> AsknownError:
        """Return what went wrong as the API words it."""
        try:
            body = orjson.loads(answer.content)
            code, detail = str(body["code"]), str(body["detail"])
        except (ValueError, KeyError, TypeError):
            return self._silent(f"status {answer.status_code} without a reason")
        hint = str(body.get("hint") or "")
        match answer.status_code:
            case 404 | 409:
                return NotNamedError(code, detail, hint, body.get("data") or {})
            case 400 | 422:
                return UsageError(code, detail, hint=hint)
            case 503:
                return UnreachableError(code, detail, hint=hint)
        return AsknownError(code, detail, where=urljoin(self._url, str(answer.url)), hint=hint)

    def _silent(self, found: str) -> UnreachableError:
        return UnreachableError(
            "ASKNOWN-RESEARCH-006",
            f"expected the API to answer, found: {found}.",
            where=self._url,
            hint="`asknown status` shows whether it runs; `asknown up` starts it.",
        )


def _spans(ask: Ask) -> Iterator[tuple[datetime, datetime] | None]:
    """Yield the stretches of time to ask for, one request each; None for ex-dates."""
    if ask.dataset not in _SPANS:
        yield None
        return
    assert ask.start and ask.known_at  # noqa: S101  # completed
    start = earliest(ask.start)
    stop = latest(ask.end) if ask.end is not None else ask.known_at + timedelta(days=1)
    while start < stop:
        end = min(start + _SPANS[ask.dataset], stop)
        yield start, end
        start = end


def _query(ask: Ask, span: tuple[datetime, datetime] | None) -> Query:
    """Return the parameters of a request for one stretch of time."""
    assert ask.known_at and ask.symbol_as_of  # noqa: S101  # completed
    query = {"known_at": iso(ask.known_at), "symbol_as_of": iso(ask.symbol_as_of)}
    named = (("symbols", ask.symbols), ("entity_ids", ask.entity_ids))
    query |= {name: ",".join(values) for name, values in named if values}
    query["limit"] = str(PAGE)
    if span is None:
        dates = (("start", ask.start), ("end", ask.end))
        query |= {name: str(value) for name, value in dates if value is not None}
        return query | ({"all": "true"} if ask.options.get("revisions") else {})
    query |= {"start": iso(span[0]), "end": iso(span[1]), "adjust": ask.adjust.value}
    if ask.dataset == "daily_bar":
        query["interval"] = "1d"
    elif ask.dataset == "bar":
        query["interval"] = _INTERVALS[ask.options["interval_seconds"]]
        query["price_type"] = ask.options["price_type"]
    return query


def _meta(page: pa.Table) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(page.schema.metadata[b"meta"])
    kept = ("known_at", "symbol_as_of", "adjust", "precision", "factor_basis", "entity_ids")
    return {name: said[name] for name in kept if name in said}
