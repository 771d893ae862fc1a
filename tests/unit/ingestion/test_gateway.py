"""What the gateway refuses before Kafka hears of it."""

from __future__ import annotations

import pytest

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import UsageError
from asknown.ingestion.event import Poison
from asknown.ingestion.gateway import LARGEST_BYTES, Gateway
from asknown.settings import Settings


def test_record_too_long_for_kafka_is_refused_by_name_and_not_counted() -> None:
    with RegistryClient("http://127.0.0.1:1") as registry:
        gateway = Gateway(Settings(), codec=AvroCodec(registry))  # nothing is asked of either
        with pytest.raises(UsageError) as refused:
            gateway.publish_bytes(Poison("raw.trade", "key", b"x" * (LARGEST_BYTES + 1)))
    assert refused.value.code == "ASKNOWN-INGEST-005"
    assert "raw.trade" in str(refused.value)
    assert gateway.sent == 0
