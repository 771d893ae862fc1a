"""The API process: `python -m asknown.serving.main` serves on loopback until it is stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import uvicorn
from fastapi import FastAPI

from asknown import __doc__ as about
from asknown.serving import identity, problems
from asknown.serving.health import Health
from asknown.serving.instruments import router as instruments
from asknown.serving.lookup import Lookup
from asknown.serving.metrics import Metrics, Observed
from asknown.serving.quality import router as quality
from asknown.serving.quick import Quick
from asknown.serving.routes import Services, router
from asknown.serving.store import Store
from asknown.serving.stream.feed import Feed
from asknown.serving.stream.routes import Stream
from asknown.serving.stream.routes import router as stream
from asknown.settings import Settings, settings
from asknown.stack.secrets import secret

DESCRIPTION = """
Market data as it is now and as it was known then. Read-only.

* **Raw by default.** `adjust=split|dividend|all` adjusts at read time, seen from `known_at` and by
  its knowledge. No stored price is ever rewritten.
* **Two kinds of as-of.** `symbol_as_of` (`on`) is about identity (who was called that on that day),
  `known_at` about knowledge (no row, factor or symbol learnt later).
* **An identifier** is exactly one of RESOLVED, UNKNOWN, AMBIGUOUS, CLOSED, CONFLICT; never guessed.
* **Times** are RFC 3339 in UTC, ranges `[start, end)`. **Decimals** are strings. A date given for
  `on` or `symbol_as_of` is that day at the exchange, any other the midnight in UTC.
* **Pages**: send `next` back as it came; all pages share the `known_at` of the first.
* **Formats** by `Accept`: JSON, CSV, Arrow.
* **Live**: `/v1/stream` is a WebSocket: a snapshot, then numbered updates.
* **Errors** are RFC 9457 problem documents with a stable `code`.
"""


def utc_now() -> datetime:
    """Return the time, cut to milliseconds: the precision of everything stored."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def create_app(config: Settings | None = None, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """Return the API over the ClickHouse of these settings; it need not be up yet."""
    config = config or settings()
    store, metrics = Store(config), Metrics()
    quick = Quick(config)
    lookup = Lookup(partial(identity.read, quick))
    feed = Feed(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await feed.close()
        lookup.close()
        quick.close()
        store.close()

    app = FastAPI(
        title="asknown",
        version="1",
        summary=(about or "").split("\n")[0],
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # they load scripts from elsewhere; routes.docs is ours
        redoc_url=None,
    )
    app.state.services = Services(
        store=store,
        lookup=lookup,
        health=Health(store),
        metrics=metrics,
        cursor_key=secret("api_cursor", config).encode(),
        now=now,
        flink_url=config.flink_url,
    )
    app.state.stream = Stream(feed, metrics)
    problems.install(app)
    app.add_middleware(Observed, metrics=metrics)
    app.include_router(router)
    app.include_router(instruments)
    app.include_router(quality)
    app.include_router(stream)
    return app


def server(app: FastAPI, config: Settings) -> uvicorn.Server:
    """Return a server of an app on the port of these settings; `run` serves until stopped."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port(config.api_port),
            log_level="info",
            access_log=False,  # /metrics counts requests; the log keeps what needs a person
            server_header=False,
            timeout_graceful_shutdown=5,
            ws="websockets-sansio",
            ws_max_size=64 * 1024,  # what a client says is short
            ws_per_message_deflate=False,  # it costs most of a megabyte for each client
        )
    )


def main() -> None:
    """Serve until stopped."""
    config = settings()
    server(create_app(config), config).run()


if __name__ == "__main__":
    main()
