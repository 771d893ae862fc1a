"""The endpoint of the stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket

from asknown.serving.metrics import Metrics
from asknown.serving.routes import Services
from asknown.serving.stream.feed import Feed
from asknown.serving.stream.messages import Subscribe, Unsubscribe
from asknown.serving.stream.naming import Meant, listings
from asknown.serving.stream.session import Session

MAX_CLIENTS = 1_000
FULL, FOREIGN = 1013, 1008

router = APIRouter()


@dataclass
class Stream:
    """What the endpoint works with; `app.state.stream`."""

    feed: Feed
    metrics: Metrics
    sessions: set[Session] = field(default_factory=set)


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Send a snapshot and numbered updates of what a client subscribes to: docs/stream.md."""
    services: Services = socket.app.state.services
    state: Stream = socket.app.state.stream
    if not _ours(socket):
        await socket.close(FOREIGN)  # before it is accepted: the browser sees 403
        return
    await socket.accept()
    if len(state.sessions) >= MAX_CLIENTS:
        await socket.close(FULL, f"{MAX_CLIENTS} clients are connected")
        return

    async def name(asked: Subscribe | Unsubscribe) -> Meant:
        return await asyncio.to_thread(listings, services.store, asked, services.now())

    session = Session(socket, state.feed, name, services.now)
    state.sessions.add(session)
    state.metrics.clients.set(len(state.sessions))
    try:
        await session.run()
    finally:
        state.sessions.discard(session)
        state.metrics.clients.set(len(state.sessions))
        state.metrics.left_out.inc(session.outbox.left_out)


def _ours(socket: WebSocket) -> bool:
    """Tell whether a browser's page comes from this server; programs name no origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")
