"""What a client may say, and what is answered; docs/stream.md describes the conversation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from asknown.errors import UsageError
from asknown.serving.datasets import INTERVALS
from asknown.serving.parameters import Day, Names
from asknown.storage.latest import bars

HEARTBEAT_S = 15
MAX_SERIES = 500  # of one client


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(default="", max_length=64)


class _Of(_Action):
    """Which series are meant: a channel, and the instruments."""

    channel: Literal["trades", "quotes", "bars"]
    symbols: Names = []
    entity_ids: Names = []
    symbol_as_of: Day | None = None
    interval: Literal["1s", "1m", "1d"] = "1m"  # of bars
    price_type: Literal["trade", "bid", "ask", "mid"] = "trade"

    @property
    def series(self) -> str:
        """Return the series of each instrument."""
        if self.channel == "bars":
            return bars(INTERVALS[self.interval], self.price_type)
        return self.channel.removesuffix("s")


class Subscribe(_Of):
    """Ask for a snapshot and every update behind it, or behind a number already seen."""

    action: Literal["subscribe"]
    mode: Literal["full", "conflated"] = "full"
    snapshot: bool = True
    from_seq: dict[str, int] = Field(default={}, max_length=MAX_SERIES)  # by entity_id


class Unsubscribe(_Of):
    """End some subscriptions."""

    action: Literal["unsubscribe"]


class Ping(_Action):
    """Ask for a sign of life."""

    action: Literal["ping"]


Message = Subscribe | Unsubscribe | Ping
_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="action")])


def parse(text: str | bytes) -> Message:
    """Return what a client says.

    Raises UsageError ASKNOWN-STREAM-001 for anything that is not in docs/stream.md.
    """
    try:
        return _ANY.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "ASKNOWN-STREAM-001",
            f"{where or 'message'}: {first['msg']}",
            hint='{"action": "subscribe", "channel": "trades", "symbols": ["AAPL"]}',
        ) from None


def hello(time: str) -> dict[str, Any]:
    """Return the first message to a client."""
    return {
        "type": "hello",
        "protocol": 1,
        "time": time,
        "heartbeat_seconds": HEARTBEAT_S,
        "max_series": MAX_SERIES,
    }


def refused(id_: str, code: str, detail: str, hint: str = "") -> dict[str, Any]:
    """Return the answer to what cannot be done."""
    return {"type": "error", "id": id_, "code": code, "detail": detail, "hint": hint}
