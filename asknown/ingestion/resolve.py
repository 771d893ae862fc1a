"""What a key means at a time, read from the change points the live jobs read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.errors import UsageError
from asknown.ingestion.clock import ClockReader, iso
from asknown.ingestion.event import CHANGES
from asknown.settings import Settings


def moment(text: str | None) -> int:
    """Return an ISO 8601 time as UTC milliseconds; None is now, no zone is UTC.

    Raises `UsageError` ASKNOWN-REFERENCE-022 for what is no time.
    """
    if text is None:
        return int(datetime.now(UTC).timestamp() * 1000)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            "ASKNOWN-REFERENCE-022",
            f"expected a time such as 2010-02-10 or 2010-02-10T09:15:00+05:30, found {text!r}.",
            hint="asknown symbol resolve KEY --at 2010-02-10",
        ) from error
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def meaning(settings: Settings, raw_key: str, at_ms: int) -> dict[str, Any]:
    """Return the change point in force for `raw_key` at `at_ms`, times as ISO 8601.

    Raises `UsageError` ASKNOWN-REFERENCE-021 when the key had no meaning by then.
    """
    with (
        RegistryClient(settings.registry_url) as registry,
        ClockReader(settings, AvroCodec(registry).decode) as reader,
    ):
        rows = [
            payload
            for _, payload in reader.payloads(CHANGES)
            if payload["raw_key"] == raw_key and _ms(payload["effective_time"]) <= at_ms
        ]
    if not rows:
        raise UsageError(
            "ASKNOWN-REFERENCE-021",
            f"expected a key with a meaning at {iso(at_ms)}, found none for {raw_key!r}.",
            where=CHANGES,
            hint="asknown reference load SOURCE",
        )
    last: dict[int, Any] = {_ms(row["effective_time"]): row for row in rows}
    row = dict(last[max(last)])
    row.pop("raw_key")
    return {
        **row,
        "effective_time": iso(_ms(row["effective_time"])),
        "known_from": iso(_ms(row["known_from"])),
    }


def _ms(value: Any) -> int:
    return round(value.timestamp() * 1000) if hasattr(value, "timestamp") else int(value)
