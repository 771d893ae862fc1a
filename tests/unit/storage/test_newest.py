"""The clock of a stack: the newest heartbeat that lies in a real broker."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asknown.cli.freshness import seen_at
from asknown.errors import UnreachableError
from asknown.ingestion.event import Poison
from asknown.ingestion.gateway import Gateway
from asknown.settings import Settings
from asknown.storage.newest import MARKET, data_time

# Later than whatever other tests send to the same broker, and behind the broker's own clock.
BEAT = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
POISONED = int(datetime(2190, 1, 1, tzinfo=UTC).timestamp() * 1000)
LATER = BEAT + 3_600_000


def test_time_of_the_data_is_that_of_the_newest_heartbeat(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gateway(stores) as gateway:
        gateway.heartbeat(MARKET, BEAT - 1000)
        gateway.heartbeat(MARKET[:1], BEAT)
        gateway.heartbeat(MARKET[:1], POISONED)
        for number in range(3):  # events do not move the clock, wherever they claim to lie
            gateway.send(
                "raw.trade",
                source="test",
                natural_key=(str(number),),
                event_time_ms=LATER,
                entity_id="SIM:EQ:A",
                payload={"source_system": "SIM", "symbol": "A", "extra": {}},
            )
        gateway.publish_bytes(Poison("raw.trade", "SIM:EQ:A", b"\x01"))

    assert data_time(stores) == BEAT

    monkeypatch.setattr("asknown.storage.newest.settings", lambda: stores)
    assert seen_at(None) == "2026-01-01T00:00:00.000Z"
    assert seen_at("2024-10-28T04:00:00") == "2024-10-28T04:00:00Z"


def test_broker_that_does_not_answer_is_an_error_and_the_command_goes_on_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = Settings(kafka_bootstrap="127.0.0.1:1")
    with pytest.raises(UnreachableError, match="Kafka"):
        data_time(nowhere)
    monkeypatch.setattr("asknown.storage.newest.settings", lambda: nowhere)
    assert seen_at(None) is None
